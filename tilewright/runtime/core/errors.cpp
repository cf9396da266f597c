#include "errors.h"

#include "tensor.h"

namespace tw {

namespace {

constexpr int kErrors = 3;
constexpr size_t kLongest = 60;  // of a value in a message

PyObject* errors[kErrors];

}  // namespace

PyObject* fail(Wrong kind, const std::string& message, const std::string& remedy) {
    PyErr_Clear();
    PyObject* type = errors[static_cast<int>(kind)];
    if (!type) return PyErr_SetString(PyExc_RuntimeError, message.c_str()), nullptr;
    PyObject* error =
        PyObject_CallFunction(type, "sOz", message.c_str(), Py_None, remedy.empty() ? nullptr : remedy.c_str());
    if (error) PyErr_SetObject(type, error);
    Py_XDECREF(error);
    return nullptr;
}

bool set_errors(PyObject* classes) {
    PyObject* all = PySequence_Tuple(classes);
    bool good = all && PyTuple_GET_SIZE(all) == kErrors;
    for (int i = 0; good && i < kErrors; ++i) Py_XSETREF(errors[i], Py_NewRef(PyTuple_GET_ITEM(all, i)));
    if (all && !good) PyErr_Format(PyExc_ValueError, "there are %d classes of errors", kErrors);
    Py_XDECREF(all);
    return good;
}

std::string shown(PyObject* value) {
    if (is_tensor(value)) return described(reinterpret_cast<Tensor*>(value));
    PyObject* text = PyObject_Repr(value);
    const char* bytes = text ? PyUnicode_AsUTF8(text) : nullptr;
    std::string result = bytes ? bytes : Py_TYPE(value)->tp_name;
    PyErr_Clear();
    Py_XDECREF(text);
    return result.size() <= kLongest ? result : "a value of type " + std::string(Py_TYPE(value)->tp_name);
}

std::string shown(const int64_t* values, int count) {
    std::string text;
    for (int i = 0; i < count; ++i) text += (i ? ", " : "") + std::to_string(values[i]);
    return "[" + text + "]";
}

std::string counted(int64_t count, const char* one, const char* several) {
    return std::to_string(count) + " " + (count == 1 ? one : several);
}

}  // namespace tw
