#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <exception>
#include <memory>
#include <utility>

#include "cpus.h"
#include "llvm.h"

namespace tw {

namespace {

// A library that a thread loads.
struct Loading {
    std::string path;
    std::unique_ptr<const Llvm> made;
    std::exception_ptr error;
    std::thread thread;

    void run() {
        try {
            made = std::make_unique<const Llvm>(path);
        } catch (...) {
            error = std::current_exception();
        }
    }

    void finish() {
        if (thread.joinable()) thread.join();
    }

    Llvm result() const {
        if (error) std::rethrow_exception(error);
        return *made;
    }
};

std::mutex opening;  // held by those that look at these two
Compiler* the_compiler = nullptr;
Loading* loading = nullptr;

// A thread that signals, which are for Python's own, do not interrupt; std::system_error where the system gives none.
template <class Work>
std::thread started(Work work) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        std::thread thread(work);
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        return thread;
    } catch (...) {
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        throw;
    }
}

}  // namespace

void Compiler::prepare_forks() {
    static const int prepared = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    (void)prepared;
}

void Compiler::begin(const std::string& library) {
    std::lock_guard lock(opening);
    if (the_compiler || loading || usable_cpus() < 2) return;
    prepare_forks();
    auto* begun = new Loading{library, nullptr, nullptr, {}};
    try {
        begun->thread = started([begun] { begun->run(); });
        loading = begun;
    } catch (const std::exception&) {  // no thread: `open` loads it
        delete begun;
    }
}

void Compiler::settle() {
    std::lock_guard lock(opening);
    if (loading) loading->finish();
}

Compiler& Compiler::open(const std::string& library) {
    std::lock_guard lock(opening);
    if (!the_compiler) {
        std::unique_ptr<Loading> begun(std::exchange(loading, nullptr));
        if (begun) begun->finish();
        the_compiler = new Compiler(begun && begun->path == library ? begun->result() : Llvm(library));
        prepare_forks();
    }
    return *the_compiler;
}

Compiler& Compiler::current() { return *the_compiler; }

void Compiler::submit(std::shared_ptr<Compilation> job) {
    Lock lock(mutex_);
    waiting_.push_back(std::move(job));
    if (idle_ == 0) hire();
    changed_.notify_all();
}

// Starts another worker if there is a CPU for it besides the caller's.
void Compiler::hire() {
    if (stopping_ || static_cast<int>(workers_.size()) >= usable_cpus() - 1) return;
    try {
        workers_.push_back(started([this] { work(); }));
    } catch (const std::exception&) {  // the system gives no more threads: those there are do the work
    }
}

void Compiler::work() {
    Lock lock(mutex_);
    while (!stopping_) {
        if (!waiting_.empty()) {
            run(lock, waiting_.front());
            continue;
        }
        ++idle_;
        changed_.wait(lock);
        --idle_;
    }
}

void Compiler::wait(const std::shared_ptr<Compilation>& job) {
    Lock lock(mutex_);
    while (job->state != Compilation::kDone) {
        if (job->state == Compilation::kWaiting)
            run(lock, job);
        else if (!waiting_.empty())
            run(lock, waiting_.front());
        else
            changed_.wait(lock);
    }
}

void Compiler::run(Lock& lock, const std::shared_ptr<Compilation>& given) {
    std::shared_ptr<Compilation> job = given;
    waiting_.erase(std::find(waiting_.begin(), waiting_.end(), job));
    job->state = Compilation::kRunning;
    if (job->optimisation > 0) {
        changed_.wait(lock, [&] { return running_ == 0 || reduces_strides_ == job->reduce_strides; });
        if (reduces_strides_ != job->reduce_strides) llvm.set_reduce_strides(reduces_strides_ = job->reduce_strides);
    }
    ++running_;
    lock.unlock();
    llvm.compile(*job);
    lock.lock();
    job->state = Compilation::kDone;
    if (--running_ == 0 && !reduces_strides_) llvm.set_reduce_strides(reduces_strides_ = true);
    changed_.notify_all();
}

void Compiler::stop() {
    {
        Lock lock(mutex_);
        stopping_ = true;
        changed_.notify_all();
    }
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
}

// The child has only the thread that forks, so no other may hold a lock of LLVM's or of the loader's then.
void Compiler::before_fork() {
    opening.lock();
    if (loading) loading->finish();
    if (!the_compiler) return;
    Lock lock(the_compiler->mutex_);
    the_compiler->changed_.wait(lock, [] { return the_compiler->running_ == 0; });
    lock.release();
}

void Compiler::after_fork_in_parent() {
    if (the_compiler) the_compiler->mutex_.unlock();
    opening.unlock();
}

void Compiler::after_fork_in_child() {
    if (the_compiler) the_compiler = new Compiler(the_compiler->llvm);
    opening.unlock();
}

}  // namespace tw
