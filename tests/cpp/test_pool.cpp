// The thread pool: every task runs exactly once, whatever the threads, callers and nesting.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "check.h"
#include "cpus.h"
#include "pool.h"

namespace {

struct Record {
    explicit Record(int64_t tasks) : runs(tasks) {}
    std::vector<std::atomic<int>> runs;
    std::atomic<int64_t> most_tid{0}, longest{0};
    std::atomic<int> calls{0};
    int64_t pause_us = 0;
    tw::ThreadPool* nested = nullptr;
    void* data[1] = {this};
    TwArgs args{data, nullptr, nullptr, nullptr, nullptr, nullptr};
    bool all_ran(int times) const {
        return std::all_of(runs.begin(), runs.end(), [&](auto& count) { return count == times; });
    }
};

Record& record_of(const TwArgs* args) { return *static_cast<Record*>(args->data[0]); }

void raise_to(std::atomic<int64_t>& most, int64_t value) {
    int64_t now = most.load();
    while (now < value && !most.compare_exchange_weak(now, value)) {
    }
}

void kernel(const TwArgs* args, int64_t lo, int64_t hi, int64_t tid) {
    Record& record = record_of(args);
    bool inside = 0 <= lo && lo < hi && hi <= static_cast<int64_t>(record.runs.size());
    CHECK(inside);
    if (!inside) return;
    ++record.calls;
    raise_to(record.most_tid, tid);
    raise_to(record.longest, hi - lo);
    for (int64_t t = lo; t < hi; ++t) ++record.runs[t];
    if (record.pause_us) std::this_thread::sleep_for(std::chrono::microseconds(record.pause_us));
}

void nesting_kernel(const TwArgs* args, int64_t lo, int64_t hi, int64_t) {
    Record& outer = record_of(args);
    for (int64_t t = lo; t < hi; ++t) {
        Record inner(50);
        outer.nested->run(kernel, &inner.args, 50, 3, 4);
        CHECK(inner.all_ran(1) && inner.calls == 1);
        ++outer.runs[t];
    }
}

void every_task_once() {
    tw::ThreadPool pool;
    for (int limit : {1, 2, 3, 8})
        for (int64_t tasks : {0, 1, 2, 7, 1000})
            for (int64_t chunk : {0, 1, 3, 1000, 5000}) {
                Record record(tasks);
                pool.run(kernel, &record.args, tasks, chunk, limit);
                CHECK(record.all_ran(1));
                CHECK(record.most_tid < limit);
                if (limit > 1 && tasks > 1 && chunk > 0) CHECK(record.longest <= chunk);
            }
}

void short_jobs_follow_each_other() {
    tw::ThreadPool pool;
    Record record(16);
    for (int i = 0; i < 20000; ++i) pool.run(kernel, &record.args, 16, 1, 4);
    CHECK(record.all_ran(20000));
}

void helpers_help() {
    tw::ThreadPool pool;
    Record record(8);
    record.pause_us = 2000;
    pool.run(kernel, &record.args, 8, 1, 4);
    CHECK(record.most_tid > 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // by now they sleep on the futex
    record.most_tid = 0;
    pool.run(kernel, &record.args, 8, 1, 4);
    CHECK(record.most_tid > 0 && record.all_ran(2));
}

void nested_calls_are_serial() {
    tw::ThreadPool pool;
    Record record(40);
    record.nested = &pool;
    pool.run(nesting_kernel, &record.args, 40, 1, 4);
    CHECK(record.all_ran(1));
}

void several_callers() {
    tw::ThreadPool pool;
    Record record(64);
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i)
        callers.emplace_back([&] {
            for (int n = 0; n < 500; ++n) pool.run(kernel, &record.args, 64, 1, 3);
        });
    for (auto& caller : callers) caller.join();
    CHECK(record.all_ran(2000));
}

void a_child_has_a_pool_of_its_own() {
    Record record(100);
    tw::pool().run(kernel, &record.args, 100, 1, 4);
    pid_t child = fork();
    if (child == 0) {
        tw::pool().run(kernel, &record.args, 100, 1, 4);
        _exit(record.all_ran(2) ? 0 : 1);
    }
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    tw::pool().run(kernel, &record.args, 100, 1, 4);
    CHECK(record.all_ran(2));
}

void limits() {
    CHECK(tw::get_threads() == tw::usable_cpus() && tw::usable_cpus() >= 1);
    tw::set_threads(3);
    CHECK(tw::get_threads() == 3 && tw::thread_limit() == 3);
    CHECK(tw::limit_threads(2) == 0 && tw::thread_limit() == 2);
    std::thread([] { CHECK(tw::thread_limit() == 3); }).join();
    CHECK(tw::limit_threads(9) == 2 && tw::thread_limit() == 3);
    tw::limit_threads(0);
}

}  // namespace

int main() {
    limits();
    every_task_once();
    short_jobs_follow_each_other();
    helpers_help();
    nested_calls_are_serial();
    several_callers();
    a_child_has_a_pool_of_its_own();
    return failures != 0;
}
