// The Python type Op.
#include "op.h"

#include <structmember.h>

#include <cstddef>
#include <new>
#include <utility>

namespace tw {

namespace {

struct Op {
    PyObject_HEAD
    vectorcallfunc entry;
    Definition* definition;
};

Definition& definition_of(PyObject* self) { return *reinterpret_cast<Op*>(self)->definition; }

PyObject* entry(PyObject* self, PyObject* const* args, size_t flags, PyObject* keywords) try {
    return call(self, definition_of(self), args, PyVectorcall_NARGS(flags), keywords);
} catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
}

PyObject* create(PyTypeObject* type, PyObject*, PyObject*) {
    Op* op = reinterpret_cast<Op*>(type->tp_alloc(type, 0));
    if (!op) return nullptr;
    op->entry = entry;
#if PY_VERSION_HEX < 0x030C0000  // before 3.12 a Python subclass does not inherit the flag
    if (type->tp_call == PyVectorcall_Call) type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
#endif
    if (!(op->definition = new (std::nothrow) Definition)) {
        Py_DECREF(op);
        return PyErr_NoMemory();
    }
    return reinterpret_cast<PyObject*>(op);
}

int init(PyObject* self, PyObject* args, PyObject* kwargs) try {
    static const char* keywords[] = {"name", "parameters", "on_miss", "on_error", "coerce", "to_numpy", "packs", "axes",
                                     nullptr};
    Definition& definition = definition_of(self);
    PyObject *name, *parameters, *on_miss, *on_error, *coerce, *to_numpy, *packs = Py_None, *axes = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UOOOOO|OO", const_cast<char**>(keywords), &name, &parameters,
                                     &on_miss, &on_error, &coerce, &to_numpy, &packs, &axes))
        return -1;
    if (!definition.parameters.empty() || definition.name) {
        PyErr_SetString(PyExc_RuntimeError, "an op is initialised once");
        return -1;
    }
    if (!read_parameters(parameters, definition) || !read_packs(packs, definition) || !read_axes(axes, definition))
        return -1;
    definition.on_miss = Py_NewRef(on_miss);
    definition.on_error = Py_NewRef(on_error);
    definition.coerce = Py_NewRef(coerce);
    definition.to_numpy = Py_NewRef(to_numpy);
    definition.name = Py_NewRef(name);
    return 0;
} catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return -1;
}

// Calls visit(reference) for every Python object that the definition owns, until one returns non-zero.
template <class Visit>
int each_object(Definition& definition, Visit visit) {
    PyObject** single[] = {&definition.name, &definition.on_miss, &definition.on_error, &definition.coerce,
                           &definition.to_numpy};
    int stop = 0;
    for (PyObject** object : single)
        if (!stop) stop = visit(*object);
    for (Parameter& parameter : definition.parameters)
        for (PyObject** object : {&parameter.name, &parameter.fallback, &parameter.choices})
            if (!stop) stop = visit(*object);
    for (auto& [key, entry] : definition.programs)
        if (!stop) stop = visit(entry.object);
    return stop;
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Definition* definition = reinterpret_cast<Op*>(self)->definition;
    if (!definition) return 0;
    return each_object(*definition, [&](PyObject* object) { return object ? visit(object, arg) : 0; });
}

// Leaves an op that is not initialised, in case somebody still calls it.
int clear(PyObject* self) {
    Op* op = reinterpret_cast<Op*>(self);
    if (!op->definition) return 0;
    Definition old;
    std::swap(old, *op->definition);
    return each_object(old, [](PyObject*& object) {
        Py_CLEAR(object);
        return 0;
    });
}

void dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    clear(self);
    delete reinterpret_cast<Op*>(self)->definition;
    type->tp_free(self);
    Py_DECREF(type);
}

PyObject* get_name(PyObject* self, void*) {
    PyObject* name = definition_of(self).name;
    return Py_NewRef(name ? name : Py_None);
}

PyObject* get_misses(PyObject* self, void*) { return PyLong_FromLongLong(definition_of(self).misses); }

PyObject* repr(PyObject* self) { return PyUnicode_FromFormat("<op %S>", definition_of(self).name); }

// Operands as a call sees them: a tuple of Tensors and None, stretched where they share a pack.
PyObject* stretched(PyObject* self, PyObject* given) {
    Definition& definition = definition_of(self);
    if (!PyTuple_Check(given) || PyTuple_GET_SIZE(given) != definition.operands)
        return PyErr_SetString(PyExc_TypeError, "a tuple of one Tensor or None per operand is needed"), nullptr;
    std::vector<Tensor*> operands(definition.operands);
    for (int i = 0; i < definition.operands; ++i) {
        PyObject* item = PyTuple_GET_ITEM(given, i);
        operands[i] = is_tensor(item) ? reinterpret_cast<Tensor*>(Py_NewRef(item)) : nullptr;
    }
    bool good = broadcast(definition, operands.data());
    PyObject* all = good ? PyTuple_New(definition.operands) : nullptr;
    for (int i = 0; i < definition.operands; ++i) {
        PyObject* object = reinterpret_cast<PyObject*>(operands[i]);
        if (all) PyTuple_SET_ITEM(all, i, object ? object : Py_NewRef(Py_None));
        else Py_XDECREF(object);
    }
    return all;
}

PyObject* key(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    return key_of(definition_of(self), args, count, keywords);
}

PyMethodDef methods[] = {
    {"stretched", stretched, METH_O, "The operands, stretched where they share a pack."},
    {"key", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(key)), METH_FASTCALL | METH_KEYWORDS,
     "What on_miss would be told of a call with these arguments."},
    {}};

PyGetSetDef properties[] = {{"name", get_name, nullptr, "The op's name.", nullptr},
                            {"__name__", get_name, nullptr, nullptr, nullptr},
                            {"misses", get_misses, nullptr, "How often on_miss ran.", nullptr},
                            {}};

PyMemberDef members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(Op, entry), READONLY, nullptr}, {}};

PyType_Slot slots[] = {{Py_tp_doc, const_cast<char*>("A compiled operator.")},
                       {Py_tp_new, reinterpret_cast<void*>(create)},
                       {Py_tp_init, reinterpret_cast<void*>(init)},
                       {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
                       {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
                       {Py_tp_clear, reinterpret_cast<void*>(clear)},
                       {Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                       {Py_tp_repr, reinterpret_cast<void*>(repr)},
                       {Py_tp_getset, properties},
                       {Py_tp_members, members},
                       {Py_tp_methods, methods},
                       {0, nullptr}};

PyType_Spec spec = {"tilewright.runtime._core.Op", sizeof(Op), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL, slots};

}  // namespace

bool add_op_type(PyObject* module) {
    PyObject* type = PyType_FromSpec(&spec);
    bool added = type && PyModule_AddType(module, reinterpret_cast<PyTypeObject*>(type)) == 0;
    Py_XDECREF(type);
    return added;
}

}  // namespace tw
