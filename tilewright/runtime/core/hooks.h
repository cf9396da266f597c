// What tensors leave to Python.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <initializer_list>

namespace tw {

enum class Hook { Copy, AdvancedGetitem, AdvancedSetitem, Assign };

// Sets one by its name in _core.pyi and returns what it was (None: not set); null with a Python error.
PyObject* set_hook(const char* name, PyObject* function);

// A new reference to what it returns; null with a Python error.
PyObject* call_hook(Hook hook, std::initializer_list<PyObject*> arguments);

}  // namespace tw
