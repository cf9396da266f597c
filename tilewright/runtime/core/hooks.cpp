#include "hooks.h"

#include <cstring>
#include <iterator>
#include <utility>

namespace tw {

namespace {

constexpr const char* kNames[] = {"copy", "advanced_getitem", "advanced_setitem", "assign"};

PyObject* hooks[std::size(kNames)];

}  // namespace

PyObject* set_hook(const char* name, PyObject* function) {
    for (size_t i = 0; i < std::size(kNames); ++i) {
        if (strcmp(name, kNames[i])) continue;
        PyObject* before = std::exchange(hooks[i], function == Py_None ? nullptr : Py_NewRef(function));
        return before ? before : Py_NewRef(Py_None);
    }
    return PyErr_Format(PyExc_TypeError, "tensors have no hook '%s'", name);
}

PyObject* call_hook(Hook hook, std::initializer_list<PyObject*> arguments) {
    int i = static_cast<int>(hook);
    if (!hooks[i]) return PyErr_Format(PyExc_NotImplementedError, "the hook '%s' of tensors is not set", kNames[i]);
    return PyObject_Vectorcall(hooks[i], arguments.begin(), arguments.size(), nullptr);
}

}  // namespace tw
