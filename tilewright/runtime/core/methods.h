// The methods and attributes of tensors, file by file.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <vector>

namespace tw {

using Methods = std::vector<PyMethodDef>;
using Attributes = std::vector<PyGetSetDef>;

void add_view_methods(Methods& methods, Attributes& attributes);  // views.cpp: the axes of the same elements
void add_part_methods(Methods& methods, Attributes& attributes);  // parts.cpp: some of the elements
void add_layout_methods(Methods& methods,
                        Attributes& attributes);  // layouts.cpp: what is said of memory, views by strides
void add_item_methods(Methods& methods, Attributes& attributes);  // items.cpp: numbers of Python

// Slots: indexing.cpp
Py_ssize_t tensor_length(PyObject* self);
PyObject* tensor_iterator(PyObject* self);
PyObject* tensor_getitem(PyObject* self, PyObject* index);
int tensor_setitem(PyObject* self, PyObject* index, PyObject* value);

// Slots: items.cpp
int tensor_bool(PyObject* self);
PyObject* tensor_int(PyObject* self);
PyObject* tensor_float(PyObject* self);
PyObject* tensor_index(PyObject* self);

}  // namespace tw
