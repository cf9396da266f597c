// What Python has of LLVM's code generator.
#include "llvm_type.h"

#include <pybind11/stl.h>

#include "llvm.h"

namespace py = pybind11;

namespace tw {

namespace {

using Names = std::tuple<std::string, std::string, std::string>;

Machine machine(const Names& names) {
    const auto& [triple, cpu, features] = names;
    return {triple, cpu, features};
}

// Both stand for the process's compiler, of which a forked child has another one.
struct Library {};
struct Pending {
    std::shared_ptr<Compilation> job;
};

Library open_library(const std::string& path) {
    py::gil_scoped_release others_run;
    Compiler::open(path);
    return {};
}

Names host(const Library&) {
    Machine found = Compiler::current().llvm.host();
    return {found.triple, found.cpu, found.features};
}

std::string data_layout(const Library&, const Names& of) { return Compiler::current().llvm.data_layout(machine(of)); }

Pending submit(const Library&, const std::string& text, const Names& of, int optimisation, bool reduce_strides,
               bool listing) {
    Compilation asked{machine(of), text, optimisation, reduce_strides, listing};
    Pending pending{std::make_shared<Compilation>(std::move(asked))};
    Compiler::current().submit(pending.job);
    return pending;
}

py::bytes result(const Pending& pending) {
    {
        py::gil_scoped_release others_run;
        Compiler::current().wait(pending.job);
    }
    if (!pending.job->error.empty()) throw py::value_error(pending.job->error);
    return pending.job->made;
}

void stop(const Library&) {
    py::gil_scoped_release others_run;
    Compiler::current().stop();
}

}  // namespace

void add_llvm_types(py::module_& m) {
    py::class_<Pending>(m, "Pending", "A module that LLVM compiles.")
        .def("result", &result, "The object file or the listing; ValueError says why there is none.");
    py::class_<Library>(m, "Llvm", "LLVM's code generator.")
        .def(py::init(&open_library), py::arg("library"))
        .def_static("begin", &Compiler::begin, py::arg("library"), py::call_guard<py::gil_scoped_release>(),
                    "Begins to load the library on a thread of its own.")
        .def_static("settle", &Compiler::settle, py::call_guard<py::gil_scoped_release>(),
                    "Returns when nothing is being loaded.")
        .def("host", &host, "This machine: (triple, cpu, features).")
        .def("data_layout", &data_layout, py::arg("machine"), "What a module must say of how data lie in memory.")
        .def("submit", &submit, py::arg("text"), py::arg("machine"), py::arg("optimisation"), py::arg("reduce_strides"),
             py::arg("listing") = false, "Begins to compile a module.")
        .def("stop", &stop, "Ends the threads that compile.");
}

}  // namespace tw
