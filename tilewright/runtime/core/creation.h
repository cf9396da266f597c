// New tensors, not filled in.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace tw {

bool add_creation(PyObject* module);

}  // namespace tw
