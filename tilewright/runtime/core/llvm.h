// LLVM's code generator, called in the library that llvmlite ships, without the GIL and on several threads at once.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace tw {

// The processor that code is for. `features` is LLVM's "+a,-b,...".
struct Machine {
    std::string triple, cpu, features;
    bool operator==(const Machine&) const = default;
};

// A module of LLVM text on its way to machine code.
struct Compilation {
    Machine machine;
    std::string text;
    int optimisation;     // how hard the code generator works: 0 to 3
    bool reduce_strides;  // whether products by sizes in loops become additions
    bool listing;         // assembly to read in place of an object file

    enum { kWaiting, kRunning, kDone } state = kWaiting;
    std::string made{};   // the object file or the listing
    std::string error{};  // why there is none
};

// The library's functions.
class Llvm {
  public:
    // Throws std::runtime_error that says what is missing in the library.
    explicit Llvm(const std::string& path);

    Machine host() const;
    // What a module's text must say of how data lie in memory.
    std::string data_layout(const Machine& machine) const;
    // Makes the code of `job`, or its error.
    void compile(Compilation& job) const;
    // The process's setting, which must not change while modules are compiled.
    void set_reduce_strides(bool wanted) const;

  private:
    struct Functions;
    const Functions* const lib_;  // the library is never unloaded
};

// The modules that wait, and the threads that compile them.
class Compiler {
  public:
    explicit Compiler(const Llvm& library) : llvm(library) {}

    const Llvm llvm;

    void submit(std::shared_ptr<Compilation> job);
    // Returns when `job` is done; compiles what waits meanwhile, so that it ends without workers too.
    void wait(const std::shared_ptr<Compilation>& job);
    // Ends the workers; what still waits is left.
    void stop();

    // Begins to load the library on a thread of its own, for `open` to wait for; what goes wrong is thrown there.
    static void begin(const std::string& library);
    // Returns when nothing is being loaded.
    static void settle();
    // The compiler of this process, made of the library that is given first.
    static Compiler& open(const std::string& library);
    // The one that is open.
    static Compiler& current();

  private:
    using Lock = std::unique_lock<std::mutex>;
    static void prepare_forks();
    static void before_fork();
    static void after_fork_in_parent();
    static void after_fork_in_child();
    void hire();
    void work();
    void run(Lock& lock, const std::shared_ptr<Compilation>& job);

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::shared_ptr<Compilation>> waiting_;
    std::vector<std::thread> workers_;
    int idle_ = 0, running_ = 0;
    bool reduces_strides_ = true;  // the setting, which is LLVM's own where nothing runs
    bool stopping_ = false;
};

}  // namespace tw
