// The Python type Tensor: dims, byte strides and an element type over shared storage.
#pragma once
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string>

#include "dtype.h"
#include "layout.h"
#include "memory.h"

namespace tw {

struct Tensor {
    PyObject_VAR_HEAD  // the size is the rank
    Storage* storage;
    char* data;
    int64_t bytes;  // of its elements
    DType dtype;
    int8_t unit;  // the unit axis
    bool readonly;
    uint32_t still;         // a bit for each axis along which all elements are one
    int64_t extents[2];  // dims, then strides: as in the head of a size table

    int rank() const { return static_cast<int>(ob_base.ob_size); }
    int64_t* dims() { return extents; }
    int64_t* strides() { return extents + rank(); }
};

extern PyTypeObject *TensorType, *BaseType;  // what new tensors are; what all tensors are

inline bool is_tensor(PyObject* object) {
    return Py_TYPE(object) == TensorType || PyType_IsSubtype(Py_TYPE(object), BaseType);
}

// All that follow return a new reference, or null with a Python error set, and need the GIL.

// A tensor without memory: the caller sets its dims (and strides), then calls one of the two functions below.
Tensor* new_tensor(DType dtype, int rank);

// Gives a new tensor whose dims are set row-major strides and memory of its own; false with a MemoryError that says
// how much.
bool give_memory(Tensor* tensor);

// As give_memory, for strides that are set too, those of `bytes` bytes without gaps; negative: too many.
bool give_block(Tensor* tensor, int64_t bytes);

// Gives a new tensor whose dims and strides are set a storage (its reference is taken) and the first element's address.
void give_storage(Tensor* tensor, Storage* storage, char* data);

// A new tensor over memory of the storage; null with a Python error.
Tensor* over(Storage* storage, char* data, DType dtype, const int64_t* dims, const int64_t* strides, int rank);

// Gives a new tensor whose dims and strides are set the memory of `owner`, which let_go gives back; false, with no error
// and `owner` still the caller's, when there is not enough memory.
bool borrow_storage(Tensor* tensor, char* data, void* owner, void (*let_go)(void*));

// A view of an object with the buffer protocol, as `dtype` or, if null, what its format says. TypeError if neither fits.
PyObject* tensor_from_buffer(PyObject* object, const DType* dtype);

// The buffer protocol, the other way round.
int tensor_get_buffer(PyObject* self, Py_buffer* view, int flags);

PyObject* dtype_name(DType dtype);    // as .tw calls it; borrowed
PyObject* dtype_object(DType dtype);  // as users hold it; borrowed
bool dtype_of(PyObject* object, DType& dtype);  // false, and no error, if it is no element type
bool set_dtypes(PyObject* objects);             // one per element type, in order; false with a Python error

// Makes `type` what new tensors are: a subtype of Tensor without fields of its own; false with a Python error.
bool set_tensor_type(PyObject* type);

// Counts a write into the memory of a tensor: what its views share, and was remembered of it, is out of date.
inline void bump_version(Tensor* tensor) { ++tensor->storage->version; }

bool is_row_major(Tensor* tensor);

std::string described(DType dtype, const int64_t* dims, int rank);
std::string described(Tensor* tensor);  // the element type and the dims, as in f32[2, 3]

PyObject* int_tuple(const int64_t* values, int count);

bool add_tensor_type(PyObject* module);

}  // namespace tw
