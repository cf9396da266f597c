// Tensors as numbers and arrays of Python.
#include <bit>
#include <cstring>

#include "arguments.h"
#include "methods.h"
#include "recording.h"
#include "tensor_doc.h"
#include "view.h"

namespace tw {

namespace {

template <class T>
T at(const char* data) {
    T value;
    memcpy(&value, data, sizeof value);
    return value;
}

float bfloat16_at(const char* data) { return std::bit_cast<float>(uint32_t{at<uint16_t>(data)} << 16); }

PyObject* number_at(DType dtype, const char* data) {
    switch (dtype) {
        case DType::Bool: return PyBool_FromLong(*data != 0);
        case DType::I8: return PyLong_FromLong(at<int8_t>(data));
        case DType::I16: return PyLong_FromLong(at<int16_t>(data));
        case DType::I32: return PyLong_FromLong(at<int32_t>(data));
        case DType::I64: return PyLong_FromLongLong(at<int64_t>(data));
        case DType::U8: return PyLong_FromLong(at<uint8_t>(data));
        case DType::U16: return PyLong_FromLong(at<uint16_t>(data));
        case DType::U32: return PyLong_FromUnsignedLong(at<uint32_t>(data));
        case DType::U64:
        case DType::Field: return PyLong_FromUnsignedLongLong(at<uint64_t>(data));
        case DType::F16: return PyFloat_FromDouble(PyFloat_Unpack2(data, std::endian::native == std::endian::little));
        case DType::BF16: return PyFloat_FromDouble(bfloat16_at(data));
        case DType::F32: return PyFloat_FromDouble(at<float>(data));
        case DType::F64: return PyFloat_FromDouble(at<double>(data));
    }
    return nullptr;
}

PyObject* nested(Tensor* tensor, int axis, const char* data) {
    if (axis == tensor->rank()) return number_at(tensor->dtype, data);
    PyObject* list = PyList_New(tensor->dims()[axis]);
    for (int64_t i = 0; list && i < tensor->dims()[axis]; ++i) {
        PyObject* item = nested(tensor, axis + 1, data + i * tensor->strides()[axis]);
        if (!item) Py_CLEAR(list);
        else PyList_SET_ITEM(list, i, item);
    }
    return list;
}

// The number that a tensor of one element is; `what` needs it.
PyObject* only_number(PyObject* self, const char* what) {
    Tensor* x = reinterpret_cast<Tensor*>(self);
    if (x->bytes == info(x->dtype).bytes) return readable(x) ? number_at(x->dtype, x->data) : nullptr;
    std::string count = std::to_string(count_of(x));
    return fail(Wrong::Value, std::string(what) + ": " + described(x) + " has " + count + " elements, not one",
                "x[...] chooses one; tolist() gives all");
}

PyObject* item(Call& call) { return only_number(reinterpret_cast<PyObject*>(call.tensor), "item()"); }

PyObject* tolist(Call& call) {
    return readable(call.tensor) ? nested(call.tensor, 0, call.tensor->data) : nullptr;
}

PyObject* numpy(Call& call) {
    PyObject* module = PyImport_ImportModule("tilewright.runtime.arrays");
    PyObject* array = module ? PyObject_CallMethod(module, "to_numpy", "O", call.tensor) : nullptr;
    Py_XDECREF(module);
    return array;
}

PyObject* converted(PyObject* self, const char* what, PyObject* (*convert)(PyObject*)) {
    PyObject* number = only_number(self, what);
    PyObject* result = number ? convert(number) : nullptr;
    Py_XDECREF(number);
    return result;
}

bool is_index(DType dtype) { return dtype <= DType::U64; }  // bools too, as in Python

constexpr Signature kItem("item()"), kTolist("tolist()"), kNumpy("numpy(force=False)");

}  // namespace

int tensor_bool(PyObject* self) {
    Tensor* x = reinterpret_cast<Tensor*>(self);
    if (x->bytes != info(x->dtype).bytes) {
        std::string many = x->bytes ? "more than one value" : "no values";
        return fail(Wrong::Value, "bool(): the truth of " + described(x) + ", with " + many + ", is ambiguous",
                    "x.any() or x.all(); x.numel() counts the elements"),
               -1;
    }
    PyObject* number = readable(x) ? number_at(x->dtype, x->data) : nullptr;
    int truth = number ? PyObject_IsTrue(number) : -1;
    Py_XDECREF(number);
    return truth;
}

PyObject* tensor_int(PyObject* self) { return converted(self, "int()", PyNumber_Long); }

PyObject* tensor_float(PyObject* self) { return converted(self, "float()", PyNumber_Float); }

PyObject* tensor_index(PyObject* self) {
    Tensor* x = reinterpret_cast<Tensor*>(self);
    if (is_index(x->dtype) && x->bytes == info(x->dtype).bytes) return converted(self, "index", PyNumber_Long);
    return fail(Wrong::Type, described(x) + " is no index", "only one integer is; int(x) truncates a float");
}

void add_item_methods(Methods& methods, Attributes&) {
    methods.insert(methods.end(), {defined<kItem, item>(doc::item), defined<kTolist, tolist>(doc::tolist),
                                   defined<kNumpy, numpy>(doc::numpy)});
}

}  // namespace tw
