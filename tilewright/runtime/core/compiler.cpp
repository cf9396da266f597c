#include <pthread.h>
#include <signal.h>

#include <algorithm>

#include "cpus.h"
#include "llvm.h"

namespace tw {

namespace {

Compiler* the_compiler = nullptr;
std::string the_library;

}  // namespace

Compiler& Compiler::open(const std::string& library) {
    if (!the_compiler) {
        the_compiler = new Compiler(library);
        the_library = library;
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
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

// Starts another worker if there is a CPU for it besides the caller's; signals are for Python's own threads.
void Compiler::hire() {
    if (stopping_ || static_cast<int>(workers_.size()) >= usable_cpus() - 1) return;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        workers_.emplace_back([this] { work(); });
    } catch (const std::exception&) {  // the system gives no more threads: those there are do the work
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
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

// The child has only the thread that forks, so no other may hold a lock of LLVM's then.
void Compiler::before_fork() {
    Lock lock(the_compiler->mutex_);
    the_compiler->changed_.wait(lock, [] { return the_compiler->running_ == 0; });
    lock.release();
}

void Compiler::after_fork_in_parent() { the_compiler->mutex_.unlock(); }

void Compiler::after_fork_in_child() { the_compiler = new Compiler(the_library); }

}  // namespace tw
