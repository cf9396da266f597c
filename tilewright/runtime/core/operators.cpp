// Tensor's operators: each calls the function that Python has given for it.
#include <cstdint>
#include <string_view>

#include "arrays.h"
#include "function.h"

namespace tw {

namespace {

enum Operator {
    Add, Sub, Mul, Div, FloorDiv, Mod, Pow, MatMul, And, Or, Xor, LShift, RShift, Neg, Abs, Pos, Invert,
    IAdd, ISub, IMul, IDiv, IFloorDiv, IMod, IPow, IAnd, IOr, IXor, ILShift, IRShift,
    Lt, Le, Eq, Ne, Gt, Ge, kOperators
};

constexpr std::string_view kNames[kOperators] = {
    "__add__", "__sub__", "__mul__", "__truediv__", "__floordiv__", "__mod__", "__pow__", "__matmul__", "__and__",
    "__or__", "__xor__", "__lshift__", "__rshift__", "__neg__", "__abs__", "__pos__", "__invert__", "__iadd__",
    "__isub__", "__imul__", "__itruediv__", "__ifloordiv__", "__imod__", "__ipow__", "__iand__", "__ior__",
    "__ixor__", "__ilshift__", "__irshift__", "__lt__", "__le__", "__eq__", "__ne__", "__gt__", "__ge__"};

PyObject* functions[kOperators];

// What operators take beside tensors: numbers and whatever has elements. For the rest Python asks the other object.
bool is_operand(PyObject* object) {
    return is_tensor(object) || is_number(object) || PyObject_CheckBuffer(object) ||
           PyObject_HasAttrString(object, "__array_interface__") || PyObject_HasAttrString(object, "__dlpack__");
}

PyObject* call(Operator which, PyObject* const* args, Py_ssize_t count) {
    PyObject* function = functions[which];
    if (!function) Py_RETURN_NOTIMPLEMENTED;
    if (!resolve(functions[which], supplied.function)) return nullptr;
    function = functions[which];
    if (FunctionForm* form = form_of(function)) return call_function(*form, args, count, nullptr);
    return PyObject_Vectorcall(function, args, count, nullptr);
}

template <Operator Which>
PyObject* binary(PyObject* a, PyObject* b) {
    if (!is_operand(b) || !is_operand(a)) Py_RETURN_NOTIMPLEMENTED;
    PyObject* args[] = {a, b};
    return call(Which, args, 2);
}

template <Operator Which>
PyObject* unary(PyObject* a) {
    return call(Which, &a, 1);
}

template <Operator Which>
PyObject* ternary(PyObject* a, PyObject* b, PyObject* modulus) {
    if (modulus != Py_None) Py_RETURN_NOTIMPLEMENTED;
    return binary<Which>(a, b);
}

PyObject* divmod(PyObject* a, PyObject* b) {
    PyObject* quotient = binary<FloorDiv>(a, b);
    if (!quotient || quotient == Py_NotImplemented) return quotient;
    PyObject* rest = binary<Mod>(a, b);
    PyObject* both = rest ? PyTuple_Pack(2, quotient, rest) : nullptr;
    Py_DECREF(quotient), Py_XDECREF(rest);
    return both;
}

PyObject* compare(PyObject* a, PyObject* b, int how) {
    static constexpr Operator which[] = {Lt, Le, Eq, Ne, Gt, Ge};
    if (!is_operand(b)) Py_RETURN_NOTIMPLEMENTED;
    PyObject* args[] = {a, b};
    return call(which[how], args, 2);
}

// A tensor is itself alone: == compares elements.
Py_hash_t hash(PyObject* self) { return static_cast<Py_hash_t>(reinterpret_cast<uintptr_t>(self) >> 4); }

template <class Slot>
PyType_Slot slot(int number, Slot function) {
    return {number, reinterpret_cast<void*>(function)};
}

}  // namespace

std::vector<PyType_Slot> operator_slots() {
    return {slot(Py_nb_add, binary<Add>), slot(Py_nb_subtract, binary<Sub>), slot(Py_nb_multiply, binary<Mul>),
            slot(Py_nb_true_divide, binary<Div>), slot(Py_nb_floor_divide, binary<FloorDiv>),
            slot(Py_nb_remainder, binary<Mod>), slot(Py_nb_divmod, divmod), slot(Py_nb_power, ternary<Pow>),
            slot(Py_nb_matrix_multiply, binary<MatMul>), slot(Py_nb_and, binary<And>), slot(Py_nb_or, binary<Or>),
            slot(Py_nb_xor, binary<Xor>), slot(Py_nb_lshift, binary<LShift>), slot(Py_nb_rshift, binary<RShift>),
            slot(Py_nb_negative, unary<Neg>), slot(Py_nb_absolute, unary<Abs>), slot(Py_nb_positive, unary<Pos>),
            slot(Py_nb_invert, unary<Invert>), slot(Py_nb_inplace_add, binary<IAdd>),
            slot(Py_nb_inplace_subtract, binary<ISub>), slot(Py_nb_inplace_multiply, binary<IMul>),
            slot(Py_nb_inplace_true_divide, binary<IDiv>), slot(Py_nb_inplace_floor_divide, binary<IFloorDiv>),
            slot(Py_nb_inplace_remainder, binary<IMod>), slot(Py_nb_inplace_power, ternary<IPow>),
            slot(Py_nb_inplace_and, binary<IAnd>), slot(Py_nb_inplace_or, binary<IOr>),
            slot(Py_nb_inplace_xor, binary<IXor>), slot(Py_nb_inplace_lshift, binary<ILShift>),
            slot(Py_nb_inplace_rshift, binary<IRShift>), slot(Py_tp_richcompare, compare), slot(Py_tp_hash, hash)};
}

bool set_operators(PyObject* given) {
    if (!PyDict_Check(given)) return PyErr_SetString(PyExc_TypeError, "a dict of functions is needed"), false;
    PyObject *name, *function;
    for (Py_ssize_t at = 0; PyDict_Next(given, &at, &name, &function);) {
        const char* text = PyUnicode_AsUTF8(name);
        int which = 0;
        while (text && which < kOperators && kNames[which] != text) ++which;
        if (!text) return false;
        if (which == kOperators) return PyErr_Format(PyExc_ValueError, "there is no operator %R", name), false;
        Py_XSETREF(functions[which], Py_NewRef(function));
    }
    return true;
}

}  // namespace tw
