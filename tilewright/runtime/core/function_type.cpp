// The Python type Function.
#include "function.h"

#include <structmember.h>

#include <algorithm>
#include <cstddef>
#include <new>
#include <string_view>
#include <utility>

namespace tw {

namespace {

struct Function {
    PyObject_HEAD
    vectorcallfunc entry;
    PyObject* dict;
    FunctionForm* form;
};

PyTypeObject* FunctionType = nullptr;

Function* as_function(PyObject* self) { return reinterpret_cast<Function*>(self); }

PyObject* entry(PyObject* self, PyObject* const* args, size_t flags, PyObject* keywords) try {
    return call_function(*as_function(self)->form, args, PyVectorcall_NARGS(flags), keywords);
} catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
}

PyObject* create(PyTypeObject* type, PyObject*, PyObject*) {
    Function* function = reinterpret_cast<Function*>(type->tp_alloc(type, 0));
    if (!function) return nullptr;
    function->entry = entry;
    if (!(function->form = new (std::nothrow) FunctionForm)) {
        Py_DECREF(function);
        return PyErr_NoMemory();
    }
    return reinterpret_cast<PyObject*>(function);
}

int init(PyObject* self, PyObject* args, PyObject* kwargs) try {
    FunctionForm& form = *as_function(self)->form;
    if (form.name) return PyErr_SetString(PyExc_RuntimeError, "a function is initialised once"), -1;
    return read_form(args, kwargs, form) ? 0 : -1;
} catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return -1;
}

// Calls visit(reference) for every Python object that the form owns, until one returns non-zero.
template <class Visit>
int each_object(FunctionForm& form, Visit visit) {
    int stop = 0;
    for (PyObject** object : {&form.name, &form.rank, &form.rank_only, &form.result_type})
        if (!stop) stop = visit(*object);
    for (Argument& argument : form.arguments)
        for (PyObject** object : {&argument.name, &argument.keyword, &argument.fallback})
            if (!stop) stop = visit(*object);
    for (Overload& overload : form.overloads)
        if (!stop) stop = visit(overload.op);
    return stop;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(as_function(self)->dict);
    FunctionForm* form = as_function(self)->form;
    return form ? each_object(*form, [&](PyObject* object) { return object ? visit(object, arg) : 0; }) : 0;
}

// Leaves a function that is not initialised, in case somebody still calls it.
int clear(PyObject* self) {
    Function* function = as_function(self);
    Py_CLEAR(function->dict);
    if (!function->form) return 0;
    FunctionForm old;
    std::swap(old, *function->form);
    return each_object(old, [](PyObject*& object) {
        Py_CLEAR(object);
        return 0;
    });
}

void dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    clear(self);
    delete as_function(self)->form;
    type->tp_free(self);
    Py_DECREF(type);
}

// A function found on a type is a method.
PyObject* bound(PyObject* self, PyObject* object, PyObject*) {
    return object && object != Py_None ? PyMethod_New(self, object) : Py_NewRef(self);
}

PyObject* get_name(PyObject* self, void*) {
    PyObject* name = as_function(self)->form->name;
    return Py_NewRef(name ? name : Py_None);
}

// What is written in Python of a function: __doc__, __signature__.
PyObject* described(PyObject* self, void* part) {
    PyObject* module = PyImport_ImportModule("tilewright.stdlib.tensor.describe");
    PyObject* text = module ? PyObject_CallMethod(module, static_cast<const char*>(part), "O", self) : nullptr;
    Py_XDECREF(module);
    return text;
}

PyObject* repr(PyObject* self) { return PyUnicode_FromFormat("<function tilewright.%S>", as_function(self)->form->name); }

// By its name, as functions of a module are pickled.
PyObject* reduce(PyObject* self, PyObject*) { return get_name(self, nullptr); }

char doc[] = "document", signature[] = "signature";
PyMethodDef methods[] = {{"__reduce__", reduce, METH_NOARGS, nullptr}, {}};
PyGetSetDef properties[] = {{"__name__", get_name, nullptr, nullptr, nullptr},
                            {"__qualname__", get_name, nullptr, nullptr, nullptr},
                            {"__doc__", described, nullptr, nullptr, doc},
                            {"__signature__", described, nullptr, nullptr, signature},
                            {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
                            {}};
PyMemberDef members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(Function, entry), READONLY, nullptr},
                         {"__dictoffset__", T_PYSSIZET, offsetof(Function, dict), READONLY, nullptr},
                         {}};

PyType_Slot slots[] = {{Py_tp_new, reinterpret_cast<void*>(create)},
                       {Py_tp_init, reinterpret_cast<void*>(init)},
                       {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                       {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                       {Py_tp_clear, reinterpret_cast<void*>(clear)},
                       {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                       {Py_tp_descr_get, reinterpret_cast<void*>(bound)},
                       {Py_tp_repr, reinterpret_cast<void*>(repr)},
                       {Py_tp_getset, properties},
                       {Py_tp_members, members},
                       {Py_tp_methods, methods},
                       {0, nullptr}};

PyType_Spec spec = {"tilewright.runtime._core.Function", sizeof(Function), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
                    slots};

// --- reading the form -------------------------------------------------------------------------

int place_of(std::string_view name, std::initializer_list<std::string_view> all) {
    int place = 0;
    for (std::string_view one : all)
        if (one == name) return place;
        else ++place;
    return PyErr_Format(PyExc_ValueError, "unknown '%s'", name.data()), -1;
}

// Calls read(item) for each item of a sequence; false at the first that gives false.
template <class Read>
bool each(PyObject* sequence, Read read) {
    PyObject* items = PySequence_Tuple(sequence);
    bool good = items != nullptr;
    for (Py_ssize_t i = 0; good && i < PyTuple_GET_SIZE(items); ++i) good = read(PyTuple_GET_ITEM(items, i));
    Py_XDECREF(items);
    return good;
}

PyObject* optional(PyObject* object) { return object == Py_None ? nullptr : Py_NewRef(object); }

PyObject* interned(PyObject* name) {
    Py_INCREF(name);
    PyUnicode_InternInPlace(&name);
    return name;
}

// (name, role, operand or keyword, required, fallback, keyword only)
bool read_argument(PyObject* item, FunctionForm& form) {
    PyObject *name, *target, *fallback;
    const char* role;
    int required, keyword_only;
    if (!PyArg_ParseTuple(item, "UsOpOp", &name, &role, &target, &required, &fallback, &keyword_only)) return false;
    int place = place_of(role, {"operand", "keyword", "dim", "keepdim", "dtype", "out", "ignored"});
    if (place < 0) return false;
    Argument argument{interned(name), static_cast<Role>(place), 0, nullptr, nullptr, keyword_only != 0};
    if (argument.role == Role::Operand) argument.operand = PyLong_AsLong(target);
    if (argument.role == Role::Keyword) argument.keyword = Py_NewRef(target);
    if (!required) argument.fallback = Py_NewRef(fallback);
    form.arguments.push_back(argument);
    form.positional += !keyword_only;
    return !PyErr_Occurred();
}

// (variable, dtype or None, optional, moved)
bool read_operand(PyObject* item, FunctionForm& form) {
    OperandForm operand{};
    const char* dtype;
    int optional, moved;
    if (!PyArg_ParseTuple(item, "izpp", &operand.variable, &dtype, &optional, &moved)) return false;
    operand.optional = optional, operand.moved = moved;
    if (dtype && !dtype_named(dtype, operand.dtype)) return PyErr_SetString(PyExc_ValueError, "unknown dtype"), false;
    form.variables = std::max(form.variables, operand.variable + 1);
    form.operands.push_back(operand);
    return true;
}

bool read_set(PyObject* names, uint16_t& set) {
    return each(names, [&](PyObject* name) {
        DType dtype;
        const char* text = PyUnicode_AsUTF8(name);
        if (!text || !dtype_named(text, dtype)) return PyErr_SetString(PyExc_ValueError, "unknown dtype"), false;
        return set |= static_cast<uint16_t>(1u << static_cast<int>(dtype)), true;
    });
}

// (op's name, dtypes per variable, rank or -1 per operand, arguments taken, arguments needed)
bool read_overload(PyObject* item, FunctionForm& form) {
    PyObject *op, *accepts, *ranks;
    Overload overload{};
    if (!PyArg_ParseTuple(item, "OOOII", &op, &accepts, &ranks, &overload.takes, &overload.needs)) return false;
    bool good = each(accepts, [&](PyObject* names) { return read_set(names, overload.accepts.emplace_back(0)); }) &&
                each(ranks, [&](PyObject* rank) { return overload.ranks.push_back(PyLong_AsLong(rank)), true; });
    if (good && static_cast<int>(overload.accepts.size()) != form.variables)
        good = false, PyErr_SetString(PyExc_ValueError, "a set of dtypes per variable is needed");
    overload.op = Py_NewRef(op);
    form.overloads.push_back(overload);
    return good && !PyErr_Occurred();
}

// Whether the operands come first and are all of one dtype, and there is nothing to be done to axes and results.
bool is_plain(const FunctionForm& form) {
    int count = static_cast<int>(form.operands.size());
    bool plain = form.axes == Axes::None && form.variables == 1 && !form.in_place && !form.result_type;
    for (int i = 0; plain && i < count; ++i) {
        const Argument& argument = form.arguments[i];
        plain = argument.role == Role::Operand && argument.operand == i && form.operands[i].variable == 0;
    }
    return plain;
}

}  // namespace

bool read_form(PyObject* args, PyObject* kwargs, FunctionForm& form) {
    static const char* keywords[] = {"name", "arguments", "operands", "overloads", "axes",
                                     "rank", "kept",      "result_type", "in_place", "alike", "widens", nullptr};
    PyObject *name, *arguments, *operands, *overloads, *rank, *kept, *result_type;
    const char* axes;
    int in_place = 0, alike = 0, widens = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UOOOsOOO|ppp", const_cast<char**>(keywords), &name, &arguments, &operands,
                                     &overloads, &axes, &rank, &kept, &result_type, &in_place, &alike, &widens))
        return false;
    int kind = place_of(axes, {"none", "reduced", "last", "between"});
    bool good = kind >= 0 && each(arguments, [&](PyObject* item) { return read_argument(item, form); }) &&
                each(operands, [&](PyObject* item) { return read_operand(item, form); }) &&
                each(overloads, [&](PyObject* item) { return read_overload(item, form); }) &&
                each(kept, [&](PyObject* item) { return form.kept.push_back(item == Py_True), true; });
    if (!good) return false;
    if (form.arguments.size() > 32) return PyErr_SetString(PyExc_ValueError, "more than 32 arguments"), false;
    form.axes = static_cast<Axes>(kind);
    form.rank = optional(rank);
    form.rank_only = form.rank ? PyTuple_Pack(1, rank) : nullptr;
    form.result_type = optional(result_type);
    form.in_place = in_place, form.alike = alike, form.widens = widens;
    form.name = interned(name);
    form.plain = is_plain(form);
    return true;
}

FunctionForm* form_of(PyObject* function) {
    return Py_TYPE(function) == FunctionType ? as_function(function)->form : nullptr;
}

bool add_function_type(PyObject* module) {
    FunctionType = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
    return FunctionType && PyModule_AddType(module, FunctionType) == 0;
}

}  // namespace tw
