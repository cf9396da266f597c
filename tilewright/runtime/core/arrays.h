// NumPy's arrays by its C API, which costs a call less than the buffer protocol does.
#pragma once
#include "tensor.h"

namespace tw {

// Needs NumPy; false with a Python error when there is none.
bool load_numpy();

// A tensor over the memory of an array. Null without an error for what is not exactly a numpy.ndarray, or cannot be a
// tensor: tensor_from_buffer says why.
PyObject* tensor_of_array(PyObject* object);

// An array over the memory of a tensor. Null without an error for an element type that NumPy does not have.
PyObject* array_of_tensor(PyObject* tensor);

}  // namespace tw
