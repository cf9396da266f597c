// The parameters of an op and the binding of arguments to them.
#include <algorithm>

#include "op.h"
#include "small_array.h"

namespace tw {

namespace {

bool kind_named(std::string_view name, Kind& kind) {
    static constexpr const char* names[] = {"tensor",    "optional",    "attr_int", "attr_float",
                                            "attr_bool", "attr_choice", "scalar"};
    for (int i = 0; i < 7; ++i)
        if (name == names[i]) return kind = static_cast<Kind>(i), true;
    return PyErr_Format(PyExc_ValueError, "unknown parameter kind '%s'", name.data()), false;
}

// An attribute's choices or length, and what it takes, in words.
bool read_type(PyObject* detail, Parameter& parameter) {
    if (parameter.kind == Kind::Choice) {
        if (!PyTuple_Check(detail)) return PyErr_SetString(PyExc_TypeError, "choices are a tuple of texts"), false;
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(detail); ++i) {
            const char* text = PyUnicode_AsUTF8(PyTuple_GET_ITEM(detail, i));
            if (!text) return false;
            parameter.type += (i ? " | \"" : "\"") + std::string(text) + "\"";
        }
        return parameter.choices = Py_NewRef(detail), true;
    }
    parameter.type = parameter.kind == Kind::Int ? "int" : parameter.kind == Kind::Float ? "float" : "bool";
    if (detail == Py_None) return true;
    parameter.length = PyLong_AsLong(detail);
    parameter.type += "[" + std::to_string(parameter.length) + "]";
    if (parameter.length < 1 && !PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "a tuple has a length above 0");
    return !PyErr_Occurred();
}

bool read_parameter(PyObject* item, Parameter& parameter) {
    PyObject *name, *fallback, *detail;
    const char* kind;
    int has_fallback, keyword_only;
    if (!PyTuple_Check(item)) return PyErr_SetString(PyExc_TypeError, "a parameter is a tuple"), false;
    if (!PyArg_ParseTuple(item, "UsOpOp", &name, &kind, &detail, &has_fallback, &fallback, &keyword_only)) return false;
    if (!kind_named(kind, parameter.kind)) return false;
    if (is_attribute(parameter.kind) && !read_type(detail, parameter)) return false;
    parameter.keyword_only = keyword_only;
    if (parameter.kind == Kind::Optional) fallback = has_fallback ? fallback : Py_None;
    parameter.fallback = has_fallback || parameter.kind == Kind::Optional ? Py_NewRef(fallback) : nullptr;
    parameter.name = Py_NewRef(name);
    PyUnicode_InternInPlace(&parameter.name);
    return true;
}

// A default that is no value of the attribute's type is refused by the calls that use it.
void read_fallback(Parameter& parameter) {
    if (!is_attribute(parameter.kind) || !parameter.fallback) return;
    parameter.fallback_words.resize(key_words(parameter));
    if (attribute_words(parameter.fallback, parameter, parameter.fallback_words.data())) return;
    parameter.fallback_words.clear();
    PyErr_Clear();
}

int find(const Definition& definition, PyObject* name) {
    int count = static_cast<int>(definition.parameters.size());
    for (int i = 0; i < count; ++i)
        if (definition.parameters[i].name == name) return i;
    for (int i = 0; i < count; ++i)  // a name that was made at run time
        if (PyUnicode_Compare(definition.parameters[i].name, name) == 0) return i;
    return -1;
}

bool wrong(const Definition& definition, const char* message, PyObject* name) {
    return raise(definition, "argument", PyUnicode_FromFormat(message, definition.name, name));
}

bool bind_keywords(const Definition& definition, PyObject* const* args, PyObject* keywords, PyObject** values) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(keywords); ++i) {
        PyObject* name = PyTuple_GET_ITEM(keywords, i);
        int place = find(definition, name);
        if (place < 0) return wrong(definition, "%U() has no parameter %R", name);
        if (values[place]) return wrong(definition, "%U() got %R twice", name);
        values[place] = args[i];
    }
    return true;
}

}  // namespace

bool read_parameters(PyObject* list, Definition& definition) {
    PyObject* items = PySequence_Fast(list, "the parameters are a list of tuples");
    if (!items) return false;
    bool good = true;
    for (Py_ssize_t i = 0; good && i < PySequence_Fast_GET_SIZE(items); ++i) {
        Parameter parameter{};
        if (!(good = read_parameter(PySequence_Fast_GET_ITEM(items, i), parameter))) break;
        read_fallback(parameter);
        definition.parameters.push_back(parameter);
        definition.operands += is_operand(parameter.kind);
        definition.scalars += parameter.kind == Kind::Scalar;
        definition.key_words += key_words(parameter);
        if (parameter.keyword_only) continue;
        if (++definition.positional <= i) {
            PyErr_SetString(PyExc_ValueError, "a positional parameter follows a keyword-only one");
            good = false;
        }
    }
    Py_DECREF(items);
    return good;
}

bool read_packs(PyObject* list, Definition& definition) {
    if (list == Py_None) return true;
    PyObject* items = PySequence_Fast(list, "the packs are a list");
    if (!items) return false;
    bool good = PySequence_Fast_GET_SIZE(items) == definition.operands;
    for (int i = 0; good && i < definition.operands; ++i) {
        Parameter& parameter = definition.parameters[i];
        PyObject* item = PySequence_Fast_GET_ITEM(items, i);
        good = is_operand(parameter.kind) &&
               (item == Py_None || (PyTuple_Check(item) && PyArg_ParseTuple(item, "ii", &parameter.lead, &parameter.trail)));
    }
    Py_DECREF(items);
    definition.shares = good;
    if (!good && !PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "one pack, (lead, trail) or None, per operand");
    return good;
}

bool bind(const Definition& definition, PyObject* const* args, Py_ssize_t count, PyObject* keywords, PyObject** values) {
    if (count > definition.positional) {
        const char* message = "%U() takes %d positional arguments, not %zd";
        return raise(definition, "argument",
                     PyUnicode_FromFormat(message, definition.name, definition.positional, count));
    }
    size_t size = definition.parameters.size();
    PyObject** rest = copy_few(args, static_cast<int>(count), values);
    std::fill(rest, values + size, nullptr);
    if (keywords && !bind_keywords(definition, args + count, keywords, values)) return false;
    for (size_t i = 0; i < size; ++i) {
        const Parameter& parameter = definition.parameters[i];
        if (!values[i]) values[i] = parameter.fallback;
        if (!values[i]) return wrong(definition, "%U() needs %R", parameter.name);
    }
    return true;
}

bool raise(const Definition& definition, const char* kind, PyObject* info) {
    if (!info) return false;
    PyObject* returned = PyObject_CallFunction(definition.on_error, "sO", kind, info);
    if (returned) {
        PyErr_Format(PyExc_RuntimeError, "%U(): on_error did not raise for %s: %S", definition.name, kind, info);
        Py_DECREF(returned);
    }
    Py_DECREF(info);
    return false;
}

}  // namespace tw
