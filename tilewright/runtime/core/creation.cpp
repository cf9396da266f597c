// New tensors, not filled in.
#include "creation.h"

#include "errors.h"
#include "tensor.h"

namespace tw {

namespace {

bool read_dims(PyObject* shape, Tensor* tensor) {
    for (int a = 0; a < tensor->rank(); ++a) {
        Py_ssize_t dim = PyNumber_AsSsize_t(PyTuple_GET_ITEM(shape, a), PyExc_OverflowError);
        if (dim == -1 && PyErr_Occurred()) return false;
        if (dim < 0) return fail(Wrong::Value, "the shape " + shown(shape) + " has a negative extent"), false;
        tensor->dims()[a] = dim;
    }
    return true;
}

// empty(shape: tuple of ints, dtype)
PyObject* empty(PyObject*, PyObject* const* args, Py_ssize_t count) {
    DType dtype;
    if (count != 2 || !PyTuple_Check(args[0])) return PyErr_SetString(PyExc_TypeError, "empty(shape, dtype)"), nullptr;
    if (!dtype_of(args[1], dtype)) return fail(Wrong::Type, shown(args[1]) + " is no dtype", "tw.float32 is one");
    if (PyTuple_GET_SIZE(args[0]) > kMaxRank)
        return fail(Wrong::Value, "a tensor has at most " + std::to_string(kMaxRank) + " axes");
    Tensor* tensor = new_tensor(dtype, static_cast<int>(PyTuple_GET_SIZE(args[0])));
    if (!tensor || (read_dims(args[0], tensor) && give_memory(tensor))) return reinterpret_cast<PyObject*>(tensor);
    Py_DECREF(tensor);
    return nullptr;
}

PyMethodDef functions[] = {{"empty", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(empty)), METH_FASTCALL,
                            "A row-major tensor that is not filled in."},
                           {}};

}  // namespace

bool add_creation(PyObject* module) { return PyModule_AddFunctions(module, functions) == 0; }

}  // namespace tw
