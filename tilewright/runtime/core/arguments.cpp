#include "arguments.h"

#include <algorithm>

namespace tw {

namespace {

std::string quoted(std::string_view name) { return "'" + std::string(name) + "'"; }

std::string said(const Call& call) { return std::string(call.signature.method) + "(): "; }

std::string called_as(const Call& call) { return "it is called as " + std::string(call.signature.text); }

bool wrong_call(const Call& call, const std::string& what) {
    return fail(Wrong::Type, std::string(call.signature.method) + "() " + what, called_as(call)), false;
}

bool wrong_type(const Call& call, int parameter, const char* wanted, PyObject* given) {
    std::string what = quoted(call.signature.names[parameter]) + " takes " + wanted + ", not " + shown(given);
    return refuse(call, what, called_as(call), Wrong::Type), false;
}

int position_of(const Signature& signature, PyObject* name) {
    Py_ssize_t size;
    const char* text = PyUnicode_AsUTF8AndSize(name, &size);
    std::string_view wanted(text ? text : "", text ? size : 0);
    return static_cast<int>(std::find(signature.names, signature.names + signature.count, wanted) - signature.names);
}

bool bind_keywords(Call& call, PyObject* const* values, PyObject* keywords) {
    const Signature& signature = call.signature;
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(keywords); ++k) {
        PyObject* name = PyTuple_GET_ITEM(keywords, k);
        int i = position_of(signature, name);
        if (i == signature.count) return wrong_call(call, "has no parameter " + shown(name));
        if (call.values[i] || (i == 0 && call.count)) return wrong_call(call, "got " + shown(name) + " twice");
        call.values[i] = values[k];
    }
    return true;
}

// Reads the items of anything that is iterated over.
bool read_sequence(const Call& call, int parameter, PyObject* given, Ints& out) {
    PyObject* all = PyUnicode_Check(given) ? nullptr : PySequence_Tuple(given);  // a list could change while it is read
    if (!all && PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_TypeError)) return false;
    if (!all) return wrong_type(call, parameter, "ints", given);
    out.take(PyTuple_GET_SIZE(all));
    bool good = true;
    for (int i = 0; good && i < out.count; ++i) {
        PyObject* item = PyTuple_GET_ITEM(all, i);
        good = is_int(item, out.values[i]) || wrong_type(call, parameter, "ints", item);
    }
    Py_DECREF(all);
    return good;
}

bool read_items(const Call& call, int parameter, Ints& out) {
    out.take(call.count);
    for (int i = 0; i < out.count; ++i)
        if (!is_int(call.items[i], out.values[i])) return wrong_type(call, parameter, "ints", call.items[i]);
    return true;
}

}  // namespace

PyObject* refuse(const Call& call, const std::string& what, const std::string& remedy, Wrong kind) {
    return fail(kind, said(call) + what, remedy);
}

bool bind(Call& call, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    const Signature& signature = call.signature;
    if (signature.variadic) {
        call.items = args;
        call.count = static_cast<int>(count);
    } else {
        if (count > signature.count)
            return wrong_call(call,
                              "takes " + std::to_string(signature.count) + " arguments, not " + std::to_string(count));
        std::copy_n(args, count, call.values);
    }
    if (keywords && !bind_keywords(call, args + count, keywords)) return false;
    for (int i = 0; i < signature.required; ++i)
        if (!call.values[i]) return wrong_call(call, "needs " + quoted(signature.names[i]));
    return true;
}

bool is_int(PyObject* object, int64_t& out) {
    int overflow = 0;
    if (PyLong_CheckExact(object)) return out = PyLong_AsLongLongAndOverflow(object, &overflow), !overflow;
    if (PyBool_Check(object) || !PyIndex_Check(object)) return false;
    if (is_tensor(object) && reinterpret_cast<Tensor*>(object)->rank()) return false;
    PyObject* number = PyNumber_Index(object);  // arrays have __index__ even where they refuse
    if (!number) return PyErr_Clear(), false;
    out = PyLong_AsLongLongAndOverflow(number, &overflow);
    Py_DECREF(number);
    return !overflow;
}

bool read_int(const Call& call, int parameter, int64_t& out) {
    PyObject* given = call.values[parameter];
    bool left_out = !given || (given == Py_None && parameter >= call.signature.required);
    return left_out || is_int(given, out) || wrong_type(call, parameter, "an int of 64 bits", given);
}

bool wrap_dim(const Call& call, int parameter, int rank, int64_t& dim) {
    int64_t most = std::max(rank, 1);
    if (dim < -most || dim >= most) {
        std::string given = std::string(call.signature.names[parameter]) + "=" + std::to_string(dim);
        refuse(call, given + " is out of range for " + described(call.tensor),
               "it takes " + std::to_string(-most) + " to " + std::to_string(most - 1), Wrong::Index);
        return false;
    }
    if (dim < 0) dim += most;
    return true;
}

bool read_dim(const Call& call, int parameter, int rank, int64_t& out) {
    return read_int(call, parameter, out) && wrap_dim(call, parameter, rank, out);
}

bool has_axes(const Call& call) {
    if (call.tensor->rank()) return true;
    return refuse(call, described(call.tensor) + " has no axes", "unsqueeze(0) gives it one", Wrong::Index), false;
}

bool read_tensor(const Call& call, int parameter, Tensor*& out) {
    PyObject* given = call.values[parameter];
    if (!is_tensor(given)) return wrong_type(call, parameter, "a Tensor", given);
    out = reinterpret_cast<Tensor*>(given);
    return true;
}

void Ints::take(Py_ssize_t size) {
    count = static_cast<int>(size);
    if (count <= kMaxRank) return;
    many.resize(count);
    values = many.data();
}

bool read_ints(const Call& call, int parameter, Ints& out) {
    bool spread = parameter == 0 && call.signature.variadic;
    PyObject* given = spread && call.count == 1 ? call.items[0] : call.values[parameter];
    if (spread && call.count > 1) return read_items(call, parameter, out);
    if (!given) return wrong_call(call, "needs " + quoted(call.signature.names[parameter]));
    out.count = 1;
    return is_int(given, out.few[0]) || read_sequence(call, parameter, given, out);
}

}  // namespace tw
