#include "promotion.h"

#include <algorithm>
#include <cstring>

#include "op.h"

namespace tw {

DType default_float = DType::F32;

namespace {

bool is_signed(DType t) { return t >= DType::I8 && t <= DType::I64; }

// Of an unsigned integer and a signed one: the least signed one that holds both, a float where there is none.
DType mixed(DType u, DType s) {
    int bytes = static_cast<int>(std::max(2 * info(u).bytes, info(s).bytes));
    return bytes == 2 ? DType::I16 : bytes == 4 ? DType::I32 : bytes == 8 ? DType::I64 : DType::F64;
}

DType wider(DType a, DType b) { return info(a).bytes >= info(b).bytes ? a : b; }

}  // namespace

DType promoted(DType a, DType b) {
    if (a == b) return a;
    Category of_a = category(a), of_b = category(b);
    if (of_a != of_b) return of_a > of_b ? a : b;
    if (of_a == Category::Float) return info(a).bytes == info(b).bytes ? DType::F32 : wider(a, b);
    if (is_signed(a) == is_signed(b)) return wider(a, b);
    return is_signed(a) ? mixed(b, a) : mixed(a, b);
}

Promotion::Part Promotion::combine(Part higher, Part lower) {
    if (!higher.known) return lower;
    if (!lower.known || category(higher.dtype) >= category(lower.dtype)) return higher;
    return {true, promoted(higher.dtype, lower.dtype)};
}

DType Promotion::number_dtype(PyObject* number) {
    return PyFloat_Check(number) ? default_float : PyBool_Check(number) ? DType::Bool : DType::I64;
}

DType Promotion::result() const { return combine(with_axes_, combine(without_axes_, numbers_)).dtype; }

Tensor* tensor_of_number(PyObject* number, DType dtype) {
    uint64_t cell;
    PyObject* value = dtype == DType::Bool ? PyBool_FromLong(PyObject_IsTrue(number)) : Py_NewRef(number);
    bool good = scalar_cell(value, dtype, cell);
    Py_DECREF(value);
    Tensor* tensor = good ? new_tensor(dtype, 0) : nullptr;
    if (!tensor || !give_memory(tensor)) return Py_XDECREF(tensor), nullptr;
    std::memcpy(tensor->data, &cell, info(dtype).bytes);
    return tensor;
}

}  // namespace tw
