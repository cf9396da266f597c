#include "hooks.h"

#include <cstring>
#include <iterator>

namespace tw {

namespace {

constexpr const char* kNames[] = {"contiguous", "advanced_getitem", "advanced_setitem", "assign"};

PyObject* hooks[std::size(kNames)];

}  // namespace

bool set_hook(const char* name, PyObject* function) {
    for (size_t i = 0; i < std::size(kNames); ++i) {
        if (strcmp(name, kNames[i])) continue;
        Py_XSETREF(hooks[i], Py_NewRef(function));
        return true;
    }
    return PyErr_Format(PyExc_TypeError, "tensors have no hook '%s'", name), false;
}

PyObject* call_hook(Hook hook, std::initializer_list<PyObject*> arguments) {
    int i = static_cast<int>(hook);
    if (!hooks[i]) return PyErr_Format(PyExc_NotImplementedError, "the hook '%s' of tensors is not set", kNames[i]);
    return PyObject_Vectorcall(hooks[i], arguments.begin(), arguments.size(), nullptr);
}

}  // namespace tw
