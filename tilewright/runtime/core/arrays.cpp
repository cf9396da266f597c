#include "arrays.h"

#include "recording.h"

#include <pybind11/numpy.h>

#include <algorithm>

namespace py = pybind11;

namespace tw {

namespace {

using Numpy = py::detail::npy_api;

constexpr int kTypes = 24;  // NumPy's own type numbers
constexpr int kNone = -1;

struct {
    const Numpy* api;
    int8_t types[kTypes];            // the element type of each type number, or kNone
    PyObject* descriptions[kDTypeCount];  // NumPy's, for each element type that it has
} numpy;

// Several numbers may stand for one type (long, long long): the first is the one that NumPy itself prefers.
void note_type(int type) {
    py::dtype wanted(kDTypes[type].format);
    for (int number = 0; number < kTypes; ++number) {
        PyObject* description = numpy.api->PyArray_DescrFromType_(number);
        if (!description) throw py::error_already_set();
        if (numpy.api->PyArray_EquivTypes_(description, wanted.ptr())) {
            numpy.types[number] = static_cast<int8_t>(type);
            if (!numpy.descriptions[type]) numpy.descriptions[type] = Py_NewRef(description);
        }
        Py_DECREF(description);
    }
}

// The element type of an array, if there is one and the array's elements are native and aligned; else kNone.
int type_of(const py::detail::PyArray_Proxy* array) {
    auto* description = py::detail::array_descriptor_proxy(array->descr);
    bool native = description->byteorder == '=' || description->byteorder == '|';
    bool known = description->type_num >= 0 && description->type_num < kTypes;
    return native && known && (array->flags & Numpy::NPY_ARRAY_ALIGNED_) ? numpy.types[description->type_num] : kNone;
}

void let_go(void* owner) { Py_DECREF(static_cast<PyObject*>(owner)); }

// Gives a tensor whose dims and strides are set the memory of an array.
bool share(Tensor* tensor, PyObject* owner, char* data) {
    int64_t strides[kMaxRank];
    bool fits = row_major(tensor->dims(), strides, tensor->rank(), info(tensor->dtype).bytes) >= 0;
    if (!fits || !borrow_storage(tensor, data, owner, let_go)) return false;
    Py_INCREF(owner);
    return true;
}

}  // namespace

bool load_numpy() try {
    numpy.api = &Numpy::get();
    std::fill_n(numpy.types, kTypes, kNone);
    for (int type = 0; type < kDTypeCount; ++type)
        if (type != static_cast<int>(DType::BF16) && type != static_cast<int>(DType::Field)) note_type(type);
    return true;
} catch (py::error_already_set& error) {
    return error.restore(), false;
}

PyObject* tensor_of_array(PyObject* object) {
    if (Py_TYPE(object) != numpy.api->PyArray_Type_) return nullptr;
    const auto* array = py::detail::array_proxy(object);
    int type = type_of(array);
    if (type == kNone || array->nd > kMaxRank) return nullptr;
    Tensor* tensor = new_tensor(static_cast<DType>(type), array->nd);
    if (!tensor) return PyErr_Clear(), nullptr;
    std::copy_n(array->dimensions, array->nd, tensor->dims());
    std::copy_n(array->strides, array->nd, tensor->strides());
    tensor->readonly = !(array->flags & Numpy::NPY_ARRAY_WRITEABLE_);
    if (!share(tensor, object, array->data)) Py_CLEAR(tensor);
    return reinterpret_cast<PyObject*>(tensor);
}

PyObject* array_of_tensor(PyObject* object) {
    Tensor* tensor = reinterpret_cast<Tensor*>(object);
    PyObject* description = numpy.descriptions[static_cast<int>(tensor->dtype)];
    if (!description || !expose(tensor)) return nullptr;
    int flags = tensor->readonly ? 0 : Numpy::NPY_ARRAY_WRITEABLE_;
    PyObject* array = numpy.api->PyArray_NewFromDescr_(numpy.api->PyArray_Type_, Py_NewRef(description), tensor->rank(),
                                                       tensor->dims(), tensor->strides(), tensor->data, flags, nullptr);
    if (array && numpy.api->PyArray_SetBaseObject_(array, Py_NewRef(object)) < 0) Py_CLEAR(array);
    return array;
}

}  // namespace tw
