// The extension module tilewright.runtime._core.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "arrays.h"
#include "creation.h"
#include "cpus.h"
#include "errors.h"
#include "function.h"
#include "hooks.h"
#include "llvm_type.h"
#include "object.h"
#include "op.h"
#include "pool.h"
#include "recording.h"

namespace py = pybind11;

namespace tw {

namespace {

// A Program and the objects that its addresses lie in.
struct ProgramObject : Program {
    py::object keepalive;
};

DType read_dtype(const std::string& name) {
    DType dtype;
    if (!dtype_named(name, dtype)) throw py::value_error("unknown dtype '" + name + "'");
    return dtype;
}

int read_slot(py::handle slot, int slots) {
    int number = slot.cast<int>();
    if (number < 0 || number >= slots) throw py::value_error("no slot " + std::to_string(number) + " in the size table");
    return number;
}

template <class T>
T address(py::handle number) {
    auto bits = number.cast<uintptr_t>();
    if (bits == 0) throw py::value_error("a null address in a program");
    return reinterpret_cast<T>(bits);
}

Output read_output(py::tuple output, int slots) {
    Output read{read_dtype(output[0].cast<std::string>()), {}};
    read.given = output.size() > 2 && output[2].cast<bool>();
    for (py::handle slot : output[1]) read.dims.push_back(read_slot(slot, slots));
    if (read.dims.size() > kMaxRank) throw py::value_error("an output has too many axes");
    return read;
}

std::vector<Step> read_steps(py::handle steps, int slots) {
    std::vector<Step> read;
    for (py::handle item : steps) {
        auto step = py::reinterpret_borrow<py::sequence>(item);
        auto kind = step[0].cast<std::string>();
        if (kind == "phase")
            read.push_back({address<TwKernel>(step[1]), read_slot(step[2], slots), read_slot(step[3], slots), {}});
        else if (kind == "repeat")
            read.push_back({nullptr, read_slot(step[1], slots), 0, read_steps(step[2], slots)});
        else
            throw py::value_error("unknown step '" + kind + "'");
    }
    if (depth_of(read) > kMaxDepth) throw py::value_error("repeats are nested too deep");
    return read;
}

std::unique_ptr<ProgramObject> make_program(py::int_ sizes_ptr, int head_slots, int tail_slots, py::list outputs,
                                            py::int_ scratch_slot, py::list steps, std::vector<std::string> checks,
                                            py::object keepalive, std::vector<std::string> scalars) {
    auto program = std::make_unique<ProgramObject>();
    int slots = head_slots + tail_slots;
    program->sizes = address<TwSizes>(sizes_ptr);
    program->head = head_slots;
    program->tail = tail_slots;
    for (py::handle output : outputs)
        program->outputs.push_back(read_output(py::reinterpret_borrow<py::tuple>(output), slots));
    program->scratch = read_slot(scratch_slot, slots);
    program->steps = read_steps(steps, slots);
    program->checks = std::move(checks);
    for (const std::string& name : scalars) program->scalars.push_back(read_dtype(name));
    program->keepalive = std::move(keepalive);
    return program;
}

void set_threads_checked(int n) {
    if (n < 1) throw py::value_error("the number of threads is at least 1");
    set_threads(n);
}

int limit_threads_checked(int n) {
    if (n < 0) throw py::value_error("a limit of threads is at least 1, or 0 for none");
    return limit_threads(n);
}

py::tuple memory_stats_tuple() {
    MemoryStats now = memory_stats();
    return py::make_tuple(now.in_use, now.cached, now.scratch, now.thread_scratch, now.peak, now.allocations, now.hits);
}

// Kept for good.
void supply(py::object function, py::object op, py::object convert, py::object coerce) {
    supplied = {function.release().ptr(), op.release().ptr(), convert.release().ptr(), coerce.release().ptr()};
}

DType read_dtype_object(py::object object) {
    DType dtype;
    if (!dtype_of(object.ptr(), dtype)) throw py::type_error("no dtype: " + py::repr(object).cast<std::string>());
    return dtype;
}

py::object promote_types(py::object a, py::object b) {
    return py::reinterpret_borrow<py::object>(dtype_object(promoted(read_dtype_object(a), read_dtype_object(b))));
}

py::object result_type(py::args operands) {
    Promotion all;
    for (py::handle operand : operands) {
        DType dtype;
        if (is_tensor(operand.ptr())) all.add_tensor(reinterpret_cast<Tensor*>(operand.ptr()));
        else if (dtype_of(operand.ptr(), dtype)) all.add_dtype(dtype);
        else if (is_number(operand.ptr())) all.add_number(operand.ptr());
        else throw py::type_error("result_type() takes tensors, numbers and dtypes");
    }
    if (all.empty()) throw py::type_error("result_type() takes at least one tensor, number or dtype");
    return py::reinterpret_borrow<py::object>(dtype_object(all.result()));
}

py::dict set_hooks(py::kwargs functions) {
    py::dict before;
    for (auto [name, function] : functions) {
        PyObject* old = set_hook(name.cast<std::string>().c_str(), function.ptr());
        if (!old) throw py::error_already_set();
        before[name] = py::reinterpret_steal<py::object>(old);
    }
    return before;
}

py::object set_mode_object(py::object to) { return py::reinterpret_steal<py::object>(set_mode(to.ptr())); }

Storage* storage_of(py::handle tensor) {
    if (!is_tensor(tensor.ptr())) throw py::type_error("no Tensor: " + py::repr(tensor).cast<std::string>());
    return reinterpret_cast<Tensor*>(tensor.ptr())->storage;
}

void watch_tensors(py::tuple tensors, py::handle recorder, bool pending) {
    for (py::handle tensor : tensors) watch(storage_of(tensor), recorder.ptr(), pending);
}

void settle_tensor(py::handle tensor) {
    storage_of(tensor);
    if (!readable(reinterpret_cast<Tensor*>(tensor.ptr()))) throw py::error_already_set();
}

std::unique_ptr<Object> load_object(py::bytes image) { return std::make_unique<Object>(std::string_view(image)); }

uintptr_t address_of(const Object& object, const std::string& name) {
    if (void* found = object.symbol(name)) return reinterpret_cast<uintptr_t>(found);
    throw py::key_error(name);
}

}  // namespace

const Program* program_of(PyObject* object) {
    return py::isinstance<ProgramObject>(object) ? py::handle(object).cast<ProgramObject*>() : nullptr;
}

}  // namespace tw

PYBIND11_MODULE(_core, m) {
    m.doc() = "Tensors, compiled ops and the threads that run them.";
    if (!tw::load_numpy() || !tw::add_tensor_type(m.ptr()) || !tw::add_op_type(m.ptr()) || !tw::add_creation(m.ptr()) || !tw::add_function_type(m.ptr())) throw py::error_already_set();
    py::class_<tw::ProgramObject>(m, "Program", "The runnable form of a plan.")
        .def(py::init(&tw::make_program), py::arg("sizes_ptr"), py::arg("head_slots"), py::arg("tail_slots"),
             py::arg("outputs"), py::arg("scratch_slot"), py::arg("steps"), py::arg("checks"),
             py::arg("keepalive") = py::none(), py::arg("scalars") = std::vector<std::string>());
    py::class_<tw::Object>(m, "Object", "Compiled code in memory.")
        .def(py::init(&tw::load_object), py::arg("image"))
        .def("__contains__", [](const tw::Object& o, const std::string& name) { return o.symbol(name) != nullptr; })
        .def("address", &tw::address_of, py::arg("name"), "The address of a global symbol; KeyError if there is none.");
    m.def("set_dtypes", [](py::object all) { if (!tw::set_dtypes(all.ptr())) throw py::error_already_set(); });
    m.def("set_errors", [](py::object classes) { if (!tw::set_errors(classes.ptr())) throw py::error_already_set(); });
    m.def("set_tensor_hooks", &tw::set_hooks);
    m.def("set_tensor_type", [](py::object type) { if (!tw::set_tensor_type(type.ptr())) throw py::error_already_set(); });
    m.def("set_operators", [](py::object all) { if (!tw::set_operators(all.ptr())) throw py::error_already_set(); });
    m.def("supply", &tw::supply, py::arg("function"), py::arg("op"), py::arg("conversion"),
          py::arg("coerce"));
    m.def("set_mode", &tw::set_mode_object, py::arg("to"), "What becomes of this thread's calls: recording.h.");
    m.def("settle", &tw::settle_tensor, py::arg("tensor"), "Has what is recorded computed, if the tensor is part of it.");
    m.def("settled", [](py::handle t) { tw::forget(tw::storage_of(t)); }, "Nothing recorded reads or writes the memory.");
    m.def("storage", [](py::handle t) { return reinterpret_cast<uintptr_t>(tw::storage_of(t)); }, "The number of the storage.");
    m.def("holders", [](py::handle t) { return tw::storage_of(t)->references; }, "How many tensors are of the storage.");
    m.def("copy", [](py::object from, py::object to) {
        return py::reinterpret_steal<py::object>(tw::call_hook(tw::Hook::Copy, {from.ptr(), to.ptr()}));
    }, "Writes one tensor into another of its shape.");
    m.def("watch", &tw::watch_tensors, py::arg("tensors"), py::arg("recorder"), py::arg("pending"),
          "Has a recorder asked before the memory of the tensors is written to or, if pending, read.");
    m.def("promote_types", &tw::promote_types, py::arg("type1"), py::arg("type2"));
    m.def("result_type", &tw::result_type);
    m.def("set_default_float", [](const std::string& name) { tw::default_float = tw::read_dtype(name); });
    tw::add_llvm_types(m);
    m.def("get_threads", &tw::get_threads, "The most threads that calls of this process use.");
    m.def("set_threads", &tw::set_threads_checked, py::arg("n"), "Sets what get_threads returns.");
    m.def("limit_threads", &tw::limit_threads_checked, py::arg("n"),
          "Limits the calls of this thread to n threads (0: no limit of its own); returns the limit before.");
    m.def("cgroup_cpus", &tw::cgroup_cpus, py::arg("otherwise"), py::arg("root") = "",
          "The CPUs that the cgroups of this process allow, looked for below root; otherwise if they set no cap.");
    m.def("memory_stats", &tw::memory_stats_tuple, "The account of memory: tilewright/runtime/memory.py.");
    m.def("reset_peak", &tw::reset_peak, "Starts the peak anew.");
    m.def("empty_cache", &tw::empty_cache, "Gives free memory back to the system.");
    m.def("has_room", &tw::has_room, py::arg("n"), "Whether the system would give n bytes now.");
    m.def("memory_limit", &tw::memory_limit, "The limit in bytes; negative: none.");
    m.def("set_memory_limit", &tw::set_memory_limit, py::arg("n"), "Sets the limit in bytes; negative: none.");
}
