#include "pool.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "cpus.h"

namespace tw {

// A job lives on its caller's stack. What keeps a late worker from touching a dead one is `state_`:
//   bits 0-10 the helpers inside, bit 11 open, bits 12-31 the generation.
// A worker enters by a compare-and-swap that requires the open bit, and reads `job_` only once inside; the caller
// clears the bit and waits until nobody is inside before it returns.
namespace {

constexpr uint32_t kInside = 0x7FF, kOpen = 0x800, kGeneration = 0x1000;
constexpr int kMaxThreads = 1024;  // fits kInside
constexpr auto kSpin = std::chrono::microseconds(20);

thread_local bool inside_job = false;
thread_local int own_limit = 0;

void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Spins for a bounded time until ready() holds; the caller sleeps on the futex when it does not.
template <class Ready>
bool spin(Ready ready) {
    auto end = std::chrono::steady_clock::now() + kSpin;
    do {
        for (int i = 0; i < 32; ++i) {
            if (ready()) return true;
            relax();
        }
    } while (std::chrono::steady_clock::now() < end);
    return false;
}

// False if the watch has stopped the job: then nobody finds more to claim.
bool claim(Job& job, int tid, Watch* watch = nullptr) {
    while (!watch || watch->goes_on()) {
        int64_t lo = job.next.fetch_add(job.chunk, std::memory_order_relaxed);
        if (lo >= job.tasks) return true;
        job.kernel(job.args, lo, std::min(lo + job.chunk, job.tasks), tid);
    }
    job.next.store(job.tasks, std::memory_order_relaxed);
    return false;
}

}  // namespace

bool run_serial(TwKernel kernel, const TwArgs* args, int64_t tasks, int64_t chunk, Watch* watch) {
    if (!watch) return tasks <= 0 || (kernel(args, 0, tasks, 0), true);
    for (int64_t lo = 0; lo < tasks; lo += chunk) {
        if (!watch->goes_on()) return false;
        kernel(args, lo, std::min(lo + chunk, tasks), 0);
    }
    return true;
}

bool ThreadPool::run(TwKernel kernel, const TwArgs* args, int64_t tasks, int64_t chunk, int limit, Watch* watch) {
    if (tasks <= 0) return true;
    chunk = std::clamp<int64_t>(chunk, 1, tasks);
    int64_t chunks = (tasks - 1) / chunk + 1;
    limit = static_cast<int>(std::min<int64_t>({limit, chunks, kMaxThreads}));
    if (limit <= 1 || inside_job || !callers_.try_lock()) return run_serial(kernel, args, tasks, chunk, watch);
    std::lock_guard<std::mutex> guard(callers_, std::adopt_lock);
    Job job{kernel, args, tasks, chunk, limit};
    return run_shared(job, watch);
}

bool ThreadPool::run_shared(Job& job, Watch* watch) {
    hire(job.limit - 1);
    job_.store(&job, std::memory_order_relaxed);
    uint32_t before = state_.load(std::memory_order_relaxed);
    state_.store(((before & ~kInside) + kGeneration) | kOpen, std::memory_order_release);
    for (int i = 1; i < job.limit; ++i) state_.notify_one();
    inside_job = true;
    bool done = claim(job, 0, watch);
    inside_job = false;
    await_helpers();
    return done;
}

// Starts the workers that are missing, with all signals blocked: signals are for Python's own threads.
void ThreadPool::hire(int workers) {
    if (static_cast<int>(workers_.size()) >= workers) return;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        while (static_cast<int>(workers_.size()) < workers) workers_.emplace_back([this] { work(); });
    } catch (const std::exception&) {  // the system gives no more threads: those there are do the work
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void ThreadPool::await_helpers() {
    uint32_t seen = drained_.load(std::memory_order_relaxed);
    uint32_t state = state_.fetch_and(~kOpen, std::memory_order_acq_rel);
    if ((state & kInside) == 0) return;
    auto gone = [&] { return drained_.load(std::memory_order_acquire) != seen; };
    if (!spin(gone)) drained_.wait(seen, std::memory_order_acquire);
}

void ThreadPool::work() {
    inside_job = true;
    uint32_t done = 0;  // the generation this worker has been in or missed
    for (;;) {
        uint32_t state = state_.load(std::memory_order_acquire);
        auto news = [&] {
            state = state_.load(std::memory_order_acquire);
            return (state & kOpen) && state / kGeneration != done;
        };
        while (!spin(news)) state_.wait(state, std::memory_order_acquire);
        if (stopping_.load(std::memory_order_acquire)) return;
        done = state / kGeneration;
        if (join(done)) {
            Job& job = *job_.load(std::memory_order_relaxed);
            int tid = job.joined.fetch_add(1, std::memory_order_relaxed);
            if (tid < job.limit) claim(job, tid);
            leave();
        }
    }
}

// Enters the job of this generation unless it has closed.
bool ThreadPool::join(uint32_t generation) {
    uint32_t state = state_.load(std::memory_order_relaxed);
    while ((state & kOpen) && state / kGeneration == generation)
        if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acquire)) return true;
    return false;
}

// The last helper out of a closed job tells its caller. The job may be gone after the subtraction.
void ThreadPool::leave() {
    uint32_t state = state_.fetch_sub(1, std::memory_order_acq_rel);
    if ((state & kOpen) || (state & kInside) != 1) return;
    drained_.fetch_add(1, std::memory_order_release);
    drained_.notify_one();
}

ThreadPool::~ThreadPool() {
    stopping_.store(true, std::memory_order_release);
    state_.store(((state_.load() & ~kInside) + kGeneration) | kOpen, std::memory_order_release);
    state_.notify_all();
    for (auto& worker : workers_) worker.join();
}

namespace {

std::atomic<ThreadPool*> the_pool{nullptr};
std::atomic<int> the_limit{0};
std::once_flag watch_forks;

// The child has none of the parent's threads, so it leaves the parent's pool where it is and starts anew.
void start_anew() {
    the_pool.store(new ThreadPool);
    inside_job = false;
}

}  // namespace

ThreadPool& pool() {
    std::call_once(watch_forks, [] {
        the_pool.store(new ThreadPool);
        pthread_atfork(nullptr, nullptr, start_anew);
    });
    return *the_pool.load(std::memory_order_acquire);
}

int get_threads() {
    int limit = the_limit.load(std::memory_order_relaxed);
    if (limit == 0) the_limit.store(limit = usable_cpus(), std::memory_order_relaxed);
    return limit;
}

void set_threads(int n) { the_limit.store(n, std::memory_order_relaxed); }

int limit_threads(int n) { return std::exchange(own_limit, n); }

int thread_limit() { return own_limit == 0 ? get_threads() : std::min(own_limit, get_threads()); }

}  // namespace tw
