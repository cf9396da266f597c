// The arguments of tensors' methods: bound to names, read as integers and axes.
#pragma once
#include <new>
#include <string_view>
#include <vector>

#include "errors.h"
#include "tensor.h"

namespace tw {

constexpr int kMostParameters = 3;

// How a method is called, read from a text such as "narrow(dim, start, length)" or "view(*size, dtype=None)".
struct Signature {
    std::string_view text, method, names[kMostParameters];
    int count = 0, required = 0;
    bool variadic = false;  // the first parameter is all positional arguments, or one that holds them

    consteval Signature(const char* whole) : text(whole), method(text.substr(0, text.find('('))) {
        std::string_view rest = text.substr(method.size() + 1);
        while (rest != ")") {
            std::string_view name = rest.substr(0, rest.find_first_of("=,)"));
            bool optional = rest[name.size()] == '=';
            rest.remove_prefix(rest.find_first_of(",)"));
            if (rest[0] == ',') rest.remove_prefix(2);
            if (name[0] == '*') variadic = true, name.remove_prefix(1);
            else if (!optional) ++required;
            names[count++] = name;
        }
    }
};

// One call of a method. The items are the positional arguments of a variadic one.
struct Call {
    Tensor* tensor;
    const Signature& signature;
    PyObject* values[kMostParameters] = {};  // null: left out
    PyObject* const* items = nullptr;
    int count = 0;
};

// All that follow return false with an error of the user's. What reads leaves `out` as it was where nothing, or
// None, was given for what may be left out.
bool bind(Call& call, PyObject* const* args, Py_ssize_t count, PyObject* keywords);

bool read_int(const Call& call, int parameter, int64_t& out);

// An axis of a tensor with `rank` axes, those counted from the last one too. Without axes there are 0 and -1 all the
// same.
bool read_dim(const Call& call, int parameter, int rank, int64_t& out);
bool wrap_dim(const Call& call, int parameter, int rank, int64_t& dim);

// Whether the tensor has an axis.
bool has_axes(const Call& call);

// Another tensor.
bool read_tensor(const Call& call, int parameter, Tensor*& out);

// Integers in a sequence, or a single one; any number of them.
struct Ints {
    int count = 0;
    int64_t* values = few;
    std::vector<int64_t> many;
    int64_t few[kMaxRank];

    Ints() {}  // `few` need not be set
    Ints(const Ints&) = delete;
    void take(Py_ssize_t size);
    std::string text() const { return shown(values, count); }
};
bool read_ints(const Call& call, int parameter, Ints& out);

// Whether an argument is one integer: no bool, and not a sequence. No error is left.
bool is_int(PyObject* object, int64_t& out);

// Sets the error of a call whose arguments do not go together; returns null.
PyObject* refuse(const Call& call, const std::string& what, const std::string& remedy, Wrong kind = Wrong::Value);

template <const Signature& signature, PyObject* (*method)(Call&)>
PyObject* entry(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords) try {
    Call call{reinterpret_cast<Tensor*>(self), signature};
    return bind(call, args, count, keywords) ? method(call) : nullptr;
} catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
}

template <const Signature& signature, PyObject* (*method)(Call&)>
PyMethodDef defined(const char* doc) {
    static const std::string name(signature.method);
    void* function = reinterpret_cast<void*>(entry<signature, method>);
    return {name.c_str(), reinterpret_cast<PyCFunction>(function), METH_FASTCALL | METH_KEYWORDS, doc};
}

}  // namespace tw
