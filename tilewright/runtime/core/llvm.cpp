#include "llvm.h"

#include <dlfcn.h>

#include <stdexcept>
#include <utility>

namespace tw {

namespace {

using Ref = void*;         // an object of LLVM
using Text = const char*;  // a string of LLVM, to be given back

}  // namespace

struct Llvm::Functions {
    explicit Functions(const std::string& path) : library(opened(path)) {}

    void* const library;

    static void* opened(const std::string& path) {
        void* found = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (!found) throw std::runtime_error(dlerror());
        return found;
    }

    // The function called LLVMPY_<name>.
    template <class F>
    F* find(const char* name) const {
        void* found = dlsym(library, (std::string("LLVMPY_") + name).c_str());
        if (!found) throw std::runtime_error("llvmlite's library has no function LLVMPY_" + std::string(name));
        return reinterpret_cast<F*>(found);
    }

    void (*initialise_targets)() = find<void()>("InitializeAllTargets");
    void (*initialise_infos)() = find<void()>("InitializeAllTargetInfos");
    void (*initialise_codes)() = find<void()>("InitializeAllTargetMCs");
    void (*initialise_printers)() = find<void()>("InitializeAllAsmPrinters");
    void (*set_option)(Text program, Text option) = find<void(Text, Text)>("SetCommandLine");
    void (*dispose_string)(Text) = find<void(Text)>("DisposeString");

    void (*default_triple)(Text*) = find<void(Text*)>("GetDefaultTargetTriple");
    void (*host_cpu)(Text*) = find<void(Text*)>("GetHostCPUName");
    int (*host_features)(Text*) = find<int(Text*)>("GetHostCPUFeatures");

    Ref (*target)(Text triple, Text* error) = find<Ref(Text, Text*)>("GetTargetFromTriple");
    Ref (*create_machine)(Ref, Text, Text, Text, int, Text, Text, int, int, Text) =
        find<Ref(Ref, Text, Text, Text, int, Text, Text, int, int, Text)>("CreateTargetMachine");
    Ref (*machine_layout)(Ref) = find<Ref(Ref)>("CreateTargetMachineData");
    void (*layout_text)(Ref, Text*) = find<void(Ref, Text*)>("CopyStringRepOfTargetData");
    void (*dispose_layout)(Ref) = find<void(Ref)>("DisposeTargetData");

    Ref (*create_context)() = find<Ref()>("ContextCreate");
    void (*dispose_context)(Ref) = find<void(Ref)>("ContextDispose");
    Ref (*parse)(Ref context, Text, Text* error) = find<Ref(Ref, Text, Text*)>("ParseAssembly");
    bool (*is_broken)(Ref module, Text* error) = find<bool(Ref, Text*)>("VerifyModule");
    void (*dispose_module)(Ref) = find<void(Ref)>("DisposeModule");

    Ref (*create_passes)() = find<Ref()>("CreateNewModulePassManager");
    void (*add_sroa)(Ref passes) = find<void(Ref)>("module_AddSROAPass");
    Ref (*create_tuning)() = find<Ref()>("CreatePipelineTuningOptions");
    Ref (*create_builder)(Ref machine, Ref tuning) = find<Ref(Ref, Ref)>("CreatePassBuilder");
    void (*run_passes)(Ref passes, Ref module, Ref builder) = find<void(Ref, Ref, Ref)>("RunNewModulePassManager");
    void (*dispose_passes)(Ref) = find<void(Ref)>("DisposeNewModulePassManger");
    void (*dispose_tuning)(Ref) = find<void(Ref)>("DisposePipelineTuningOptions");
    void (*dispose_builder)(Ref) = find<void(Ref)>("DisposePassBuilder");

    Ref (*emit)(Ref machine, Ref module, int object, Text* error) =
        find<Ref(Ref, Ref, int, Text*)>("TargetMachineEmitToMemory");
    const char* (*buffer_start)(Ref) = find<const char*(Ref)>("GetBufferStart");
    size_t (*buffer_size)(Ref) = find<size_t(Ref)>("GetBufferSize");
    void (*dispose_buffer)(Ref) = find<void(Ref)>("DisposeMemoryBuffer");

    std::string taken(Text text) const {
        std::string copy = text ? text : "";
        if (text) dispose_string(text);
        return copy;
    }

    // What a function writes.
    template <class Write>
    std::string text(Write write) const {
        Text found = nullptr;
        write(&found);
        return taken(found);
    }

    Ref machine(const Machine& of, int optimisation) const;
    void promote_memory(Ref machine, Ref module) const;
    void compile(Compilation& job, Ref machine, Ref context) const;
    void emit_into(Compilation& job, Ref machine, Ref module) const;
};

namespace {

// A thread's own code generators: LLVM lets no two threads use one at once.
struct Generator {
    Machine machine;
    int optimisation;
    Ref made;
};
thread_local std::vector<Generator> generators;

}  // namespace

Ref Llvm::Functions::machine(const Machine& of, int optimisation) const {
    for (const Generator& g : generators)
        if (g.optimisation == optimisation && g.machine == of) return g.made;
    Text error = nullptr;
    Ref chosen = target(of.triple.c_str(), &error);
    if (!chosen) throw std::runtime_error(taken(error));
    Ref made = create_machine(chosen, of.triple.c_str(), of.cpu.c_str(), of.features.c_str(), optimisation, "pic",
                              "default", 0, 0, "");
    if (!made) throw std::runtime_error("LLVM makes no code for " + of.triple);
    generators.push_back({of, optimisation, made});
    return made;
}

// Private memory becomes registers.
void Llvm::Functions::promote_memory(Ref machine, Ref module) const {
    Ref passes = create_passes(), tuning = create_tuning(), builder = create_builder(machine, tuning);
    add_sroa(passes);
    run_passes(passes, module, builder);
    dispose_builder(builder);
    dispose_tuning(tuning);
    dispose_passes(passes);
}

void Llvm::Functions::compile(Compilation& job, Ref machine, Ref context) const {
    Text error = nullptr;
    Ref module = parse(context, job.text.c_str(), &error);
    job.error = taken(error);
    if (!module) return;
    if (job.error.empty() && is_broken(module, &error)) job.error = "it is not valid: " + taken(error);
    if (job.error.empty()) emit_into(job, machine, module);
    dispose_module(module);
}

void Llvm::Functions::emit_into(Compilation& job, Ref machine, Ref module) const {
    if (job.text.find(" alloca ") != std::string::npos) promote_memory(machine, module);
    Text error = nullptr;
    Ref buffer = emit(machine, module, !job.listing, &error);
    job.error = taken(error);
    if (!buffer) return;
    job.made.assign(buffer_start(buffer), buffer_size(buffer));
    dispose_buffer(buffer);
}

Llvm::Llvm(const std::string& path) : lib_(new Functions(path)) {
    lib_->initialise_infos();
    lib_->initialise_targets();
    lib_->initialise_codes();
    lib_->initialise_printers();
}

Machine Llvm::host() const {
    return {lib_->text(lib_->default_triple), lib_->text(lib_->host_cpu), lib_->text(lib_->host_features)};
}

std::string Llvm::data_layout(const Machine& machine) const {
    Ref layout = lib_->machine_layout(lib_->machine(machine, 1));
    std::string text = lib_->text([&](Text* found) { lib_->layout_text(layout, found); });
    lib_->dispose_layout(layout);
    return text;
}

void Llvm::compile(Compilation& job) const {
    Ref context = lib_->create_context();
    try {
        lib_->compile(job, lib_->machine(job.machine, job.optimisation), context);
    } catch (const std::exception& e) {
        job.error = e.what();
    }
    lib_->dispose_context(context);
}

void Llvm::set_reduce_strides(bool wanted) const {
    lib_->set_option("tilewright", wanted ? "-disable-lsr=false" : "-disable-lsr=true");
}

}  // namespace tw
