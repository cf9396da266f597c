// DLPack 1.x: tensors shared with other libraries, both ways, through the structs of its public specification.
#pragma once
#include "tensor.h"

namespace tw {

// The methods __dlpack__ and __dlpack_device__ of Tensor.
PyObject* tensor_dlpack(PyObject* self, PyObject* args, PyObject* kwargs);
PyObject* tensor_dlpack_device(PyObject* self, PyObject* none);

// A tensor over the memory of a capsule, which is consumed. TypeError or ValueError when it cannot be a tensor: then the
// capsule is as it was.
PyObject* tensor_from_capsule(PyObject* none, PyObject* capsule);

}  // namespace tw
