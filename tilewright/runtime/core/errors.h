// The errors of wrong calls: classes of tilewright.errors.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string>

namespace tw {

enum class Wrong { Value, Type, Index };

// Sets the error of a wrong call: what was wrong and, unless it is empty, the remedy. Returns null.
PyObject* fail(Wrong kind, const std::string& message, const std::string& remedy = {});

// The classes for values, types and indices, each called as cls(message, None, remedy); false with a Python error.
bool set_errors(PyObject* classes);

// A value as a message shows it.
std::string shown(PyObject* value);
std::string shown(const int64_t* values, int count);  // as in [2, 3]
std::string counted(int64_t count, const char* one, const char* several);

}  // namespace tw
