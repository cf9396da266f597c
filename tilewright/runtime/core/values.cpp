// Python numbers as 64-bit words: attributes and run-time scalars.
#include <algorithm>
#include <bit>
#include <cmath>

#include "op.h"

namespace tw {

namespace {

bool integer(PyObject* value, int64_t low, int64_t high, uint64_t& word) {
    PyObject* index = PyNumber_Index(value);
    if (!index) return false;
    long long number = PyLong_AsLongLong(index);
    Py_DECREF(index);
    if (number == -1 && PyErr_Occurred()) return false;
    if (number < low || number > high) return PyErr_SetString(PyExc_OverflowError, "out of range"), false;
    word = static_cast<uint64_t>(number);
    return true;
}

bool unsigned_integer(PyObject* value, uint64_t& word) {
    PyObject* index = PyNumber_Index(value);
    if (!index) return false;
    word = PyLong_AsUnsignedLongLong(index);
    Py_DECREF(index);
    return !PyErr_Occurred();
}

bool real(PyObject* value, double& number) {
    number = PyFloat_AsDouble(value);
    return number != -1 || !PyErr_Occurred();
}

bool boolean(PyObject* value, uint64_t& word) {
    if (!PyBool_Check(value)) return PyErr_SetString(PyExc_TypeError, "not a bool"), false;
    word = value == Py_True;
    return true;
}

// The encoding of a float of 16 bits, `digits` of them (with the hidden one) the mantissa's; rounded once, to even.
uint64_t half_bits(double number, int digits) {
    int lowest = 1 - ((1 << (15 - digits)) - 1);  // the exponent of the least normal number
    uint64_t infinity = 0x7FFF & ~((1u << (digits - 1)) - 1), sign = std::signbit(number) ? 0x8000 : 0;
    if (std::isnan(number)) return infinity | 1u << (digits - 2);
    if (std::isinf(number)) return sign | infinity;
    if (number == 0) return sign;
    int exponent;
    std::frexp(number, &exponent);
    int place = std::max(exponent - 1, lowest) - (digits - 1);  // of the last digit
    auto mantissa = static_cast<uint64_t>(std::nearbyint(std::ldexp(std::fabs(number), -place)));
    int64_t bits = (int64_t{place - lowest + digits - 1} << (digits - 1)) + static_cast<int64_t>(mantissa);
    return sign | std::min(static_cast<uint64_t>(bits), infinity);
}

// The cell of a float: its encoding.
bool float_cell(PyObject* value, DType dtype, uint64_t& cell) {
    double number;
    if (!real(value, number)) return false;
    switch (dtype) {
        case DType::F16: return cell = half_bits(number, 11), true;
        case DType::BF16: return cell = half_bits(number, 8), true;
        case DType::F32: return cell = std::bit_cast<uint32_t>(static_cast<float>(number)), true;
        default: return cell = std::bit_cast<uint64_t>(number), true;
    }
}

bool choice(PyObject* value, PyObject* choices, uint64_t& word) {
    if (!PyUnicode_Check(value)) return PyErr_SetString(PyExc_TypeError, "not a text"), false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(choices); ++i)
        if (PyUnicode_Compare(value, PyTuple_GET_ITEM(choices, i)) == 0) return word = i, true;
    return PyErr_SetString(PyExc_ValueError, "not a choice"), false;
}

bool attribute_word(PyObject* value, const Parameter& parameter, uint64_t& word) {
    if (parameter.kind == Kind::Choice) return choice(value, parameter.choices, word);
    if (parameter.kind == Kind::Bool) return boolean(value, word);
    if (parameter.kind == Kind::Int) return integer(value, INT64_MIN, INT64_MAX, word);
    return float_cell(value, DType::F64, word);
}

PyObject* one_value(uint64_t word, const Parameter& parameter) {
    if (parameter.kind == Kind::Choice) return Py_NewRef(PyTuple_GET_ITEM(parameter.choices, word));
    if (parameter.kind == Kind::Bool) return PyBool_FromLong(word != 0);
    if (parameter.kind == Kind::Int) return PyLong_FromLongLong(static_cast<int64_t>(word));
    return PyFloat_FromDouble(std::bit_cast<double>(word));
}

}  // namespace

bool attribute_words(PyObject* value, const Parameter& parameter, uint64_t* words) {
    if (!parameter.length) return attribute_word(value, parameter, *words);
    bool several = PyTuple_Check(value) || PyList_Check(value), good = true;
    PyObject* items = several ? PySequence_Tuple(value) : nullptr;
    if (several && !items) return false;
    if (several && PyTuple_GET_SIZE(items) != parameter.length)
        PyErr_SetString(PyExc_ValueError, "another number of elements"), good = false;
    for (int i = 0; good && i < parameter.length; ++i)
        good = attribute_word(several ? PyTuple_GET_ITEM(items, i) : value, parameter, words[i]);
    Py_XDECREF(items);
    return good;
}

PyObject* attribute_value(const uint64_t* words, const Parameter& parameter) {
    if (!parameter.length) return one_value(*words, parameter);
    PyObject* all = PyTuple_New(parameter.length);
    for (int i = 0; all && i < parameter.length; ++i) {
        PyObject* one = one_value(words[i], parameter);
        if (one) PyTuple_SET_ITEM(all, i, one);
        else Py_CLEAR(all);
    }
    return all;
}

bool scalar_cell(PyObject* value, DType dtype, uint64_t& cell) {
    int bits = static_cast<int>(info(dtype).bytes) * 8;
    switch (dtype) {
        case DType::Bool: return boolean(value, cell);
        case DType::I8: case DType::I16: case DType::I32: case DType::I64:
            return integer(value, INT64_MIN >> (64 - bits), INT64_MAX >> (64 - bits), cell);
        case DType::U8: case DType::U16: case DType::U32:
            return integer(value, 0, (int64_t{1} << bits) - 1, cell);
        case DType::U64: case DType::Field:  // a field scalar is given as its cell
            return unsigned_integer(value, cell);
        case DType::F16: case DType::BF16: case DType::F32: case DType::F64:
            return float_cell(value, dtype, cell);
    }
    return PyErr_SetString(PyExc_SystemError, "unknown element type"), false;
}

}  // namespace tw
