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

bool bind_keywords(const Definition& definition, PyObject* const* args, PyObject* keywords, PyObject** values,
                   PyObject*& out) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(keywords); ++i) {
        PyObject* name = PyTuple_GET_ITEM(keywords, i);
        int place = find(definition, name);
        if (place < 0 && !out && PyUnicode_CompareWithASCIIString(name, "out") == 0) {
            out = args[i];
            continue;
        }
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

namespace {

// The number of a pack, which is noted if it is new; -1 for a plain dim.
int8_t pack_number(PyObject* name, std::vector<PyObject*>& known) {
    if (name == Py_None) return -1;
    for (size_t i = 0; i < known.size(); ++i)
        if (PyUnicode_Compare(known[i], name) == 0) return static_cast<int8_t>(i);
    known.push_back(name);
    return static_cast<int8_t>(known.size() - 1);
}

bool read_patterns(PyObject* tuple, std::vector<Pattern>& patterns, std::vector<PyObject*>& packs) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple); ++i) {
        PyObject* item = PyTuple_GET_ITEM(tuple, i);
        if (!PyTuple_Check(item)) return PyErr_SetString(PyExc_TypeError, "a pattern is a tuple of names and None"), false;
        Pattern pattern;
        for (Py_ssize_t a = 0; a < PyTuple_GET_SIZE(item); ++a)
            pattern.push_back(pack_number(PyTuple_GET_ITEM(item, a), packs));
        patterns.push_back(std::move(pattern));
    }
    return !PyErr_Occurred();
}

// Where the rank of a pack stands in the key, -1 if it is no parameter.
int rank_word(const Definition& definition, PyObject* pack) {
    int word = 0;
    for (const Parameter& parameter : definition.parameters) {
        if (parameter.kind == Kind::Int && PyUnicode_Compare(parameter.name, pack) == 0) return word;
        word += key_words(parameter);
    }
    return -1;
}

}  // namespace

bool read_axes(PyObject* form, Definition& definition) {
    PyObject *operands, *results, *free, *overwritable;
    int mergeable;
    if (form == Py_None) return true;
    if (!PyArg_ParseTuple(form, "O!O!O!pO!", &PyTuple_Type, &operands, &PyTuple_Type, &results, &PyTuple_Type, &free,
                          &mergeable, &PyTuple_Type, &overwritable))
        return false;
    std::vector<PyObject*> packs;
    AxesForm& axes = definition.axes;
    if (!read_patterns(operands, axes.operands, packs) || !read_patterns(results, axes.results, packs)) return false;
    for (PyObject* pack : packs) {
        int loose = PySequence_Contains(free, pack);
        if (loose < 0) return false;
        axes.packs.push_back({loose == 1, rank_word(definition, pack)});
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(overwritable); ++i)
        axes.overwritable.push_back(PyTuple_GET_ITEM(overwritable, i) == Py_True);
    axes.mergeable = mergeable && packs.size() <= kMaxPacks && axes.operands.size() == static_cast<size_t>(definition.operands);
    return true;
}

bool bind(const Definition& definition, PyObject* const* args, Py_ssize_t count, PyObject* keywords, PyObject** values,
          PyObject*& out, bool whole) {
    if (count > definition.positional) {
        const char* message = "%U() takes %d positional arguments, not %zd";
        return raise(definition, "argument",
                     PyUnicode_FromFormat(message, definition.name, definition.positional, count));
    }
    size_t size = definition.parameters.size();
    PyObject** rest = copy_few(args, static_cast<int>(count), values);
    std::fill(rest, values + size, nullptr);
    if (keywords && !bind_keywords(definition, args + count, keywords, values, out)) return false;
    for (size_t i = 0; i < size; ++i) {
        const Parameter& parameter = definition.parameters[i];
        if (!values[i]) values[i] = parameter.fallback;
        if (!values[i] && whole) return wrong(definition, "%U() needs %R", parameter.name);
        if (!values[i] && parameter.kind == Kind::Tensor) return wrong(definition, "%U() needs %R", parameter.name);
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
