// A persistent pool of threads that claim chunks of tasks from a counter.
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "abi.h"
#include "watch.h"

namespace tw {

// One job: written once, by its caller, before it is published; only the two counters move afterwards.
struct Job {
    const TwKernel kernel;
    const TwArgs* const args;
    const int64_t tasks, chunk;
    const int limit;
    std::atomic<int64_t> next{0};  // the first task nobody has claimed
    std::atomic<int> joined{1};    // threads that came, the caller included
};

class ThreadPool {
  public:
    ThreadPool() = default;
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    // Runs all tasks on at most `limit` threads (tid 0 is the caller) and returns when they are done. Calls from inside a job, and
    // calls that meet the pool at work for another thread, run serially on their own thread. False if the watch, which
    // may be null, has stopped it.
    bool run(TwKernel kernel, const TwArgs* args, int64_t tasks, int64_t chunk, int limit, Watch* watch = nullptr);

  private:
    bool run_shared(Job& job, Watch* watch);
    void hire(int workers);
    void await_helpers();
    void work();
    bool join(uint32_t generation);
    void leave();

    std::mutex callers_;
    std::vector<std::thread> workers_;
    std::atomic<Job*> job_{nullptr};
    std::atomic<uint32_t> state_{0};    // generation, open bit, threads inside: see pool.cpp
    std::atomic<uint32_t> drained_{0};  // the last generation that closed with helpers inside and saw them leave
    std::atomic<bool> stopping_{false};
};

// Runs all tasks on this thread; false if the watch, which may be null, has stopped it.
bool run_serial(TwKernel kernel, const TwArgs* args, int64_t tasks, int64_t chunk, Watch* watch);

// The pool of this process; a forked child gets a fresh one.
ThreadPool& pool();

// The limit for calls of this process. set_threads(n) needs n >= 1; the default is usable_cpus().
int get_threads();
void set_threads(int n);

// A further limit for the calls of this thread; 0 is none. limit_threads returns the one before.
int limit_threads(int n);

// The limit that holds for a call of this thread.
int thread_limit();

}  // namespace tw
