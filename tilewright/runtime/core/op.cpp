// The call path of an op.
#include "op.h"

#include <algorithm>

#include "arrays.h"
#include "small_array.h"

namespace tw {

namespace {

constexpr char kRecord[] = "__tilewright_record__";
constexpr int kUsual = 16;  // as many of anything as usual calls have

// One call. The inputs are the operands that are present, in order; they are owned.
struct Call {
    Definition& op;
    SmallArray<PyObject*, kUsual> values;
    SmallArray<uint64_t, kUsual> key;
    SmallArray<Tensor*, kUsual> inputs;
    int count = 0;
    bool tensors = false, others = false;  // what the operands came as
    PyObject* recorder = nullptr;          // an operand that records the call instead of running it; borrowed

    explicit Call(Definition& definition)
        : op(definition), values(size(definition.parameters)), key(definition.key_words), inputs(definition.operands) {}
    ~Call() {
        for (int i = 0; i < count; ++i) Py_DECREF(inputs[i]);
    }
    template <class T>
    static int size(const std::vector<T>& all) {
        return static_cast<int>(all.size());
    }

    bool read();
    bool take_attribute(PyObject* value, const Parameter& parameter, uint64_t* words);
    bool stretch();
    bool take_operand(PyObject* value, const Parameter& parameter, uint64_t& word);
    PyObject* convert(PyObject* value, const Parameter& parameter);
    PyObject* record(PyObject* self);
    const Program* find();
    const Program* miss(std::string_view bytes);
    PyObject* describe();
    bool pack(const Program& program, uint64_t* cells);
    PyObject* run(const Program& program);
    bool fail(const Failure& failure);
    PyObject* all_operands();
    PyObject* deliver(Tensor** results, int made);
    PyObject* deliver_one(Tensor* result);
};

bool is_usage_error() {
    return PyErr_ExceptionMatches(PyExc_TypeError) || PyErr_ExceptionMatches(PyExc_OverflowError) ||
           PyErr_ExceptionMatches(PyExc_ValueError);
}

// Takes the pending error and returns what it says.
PyObject* pending_message() {
    PyObject *type, *value, *trace;
    PyErr_Fetch(&type, &value, &trace);
    PyErr_NormalizeException(&type, &value, &trace);
    PyObject* message = PyObject_GetAttrString(value, "message");
    if (!message) {
        PyErr_Clear();
        message = PyObject_Str(value);
    }
    Py_XDECREF(type), Py_XDECREF(value), Py_XDECREF(trace);
    return message;
}

// Replaces the pending error, if it is about a value, by one that names the parameter.
bool name_parameter(const Definition& op, const Parameter& parameter) {
    if (!is_usage_error()) return false;
    PyObject* message = pending_message();
    if (!message) return false;
    PyObject* info = PyUnicode_FromFormat("%U(): %R: %S", op.name, parameter.name, message);
    Py_DECREF(message);
    return raise(op, "argument", info);
}

bool reject(const Definition& op, const Parameter& parameter, const char* wanted, PyObject* value) {
    if (!is_usage_error()) return false;
    PyErr_Clear();
    return raise(op, "argument",
                 PyUnicode_FromFormat("%U(): %R takes a value of type %s, not %R", op.name, parameter.name, wanted, value));
}

uint64_t key_word(Tensor* tensor) {
    return (static_cast<uint64_t>(tensor->dtype) + 1) | static_cast<uint64_t>(tensor->rank()) << 8 |
           static_cast<uint64_t>(tensor->unit + 1) << 16;
}

bool Call::read() {
    uint64_t* word = key.data();
    for (int i = 0; i < size(op.parameters); ++i) {
        const Parameter& parameter = op.parameters[i];
        if (is_operand(parameter.kind)) {
            if (!take_operand(values[i], parameter, *word++)) return false;
        } else if (is_attribute(parameter.kind)) {
            if (!take_attribute(values[i], parameter, word))
                return reject(op, parameter, parameter.type.c_str(), values[i]);
            word += key_words(parameter);
        }
    }
    return !op.shares || stretch();
}

// A default is not read again.
bool Call::take_attribute(PyObject* value, const Parameter& parameter, uint64_t* words) {
    const std::vector<uint64_t>& known = parameter.fallback_words;
    if (value != parameter.fallback || known.empty()) return attribute_words(value, parameter, words);
    return copy_few(known.data(), size(known), words), true;
}

// Operands that share a pack take one shape.
bool Call::stretch() {
    if (count == op.operands && !broadcasts(op, inputs.data())) return true;
    SmallArray<Tensor*, kUsual> all(op.operands);
    int present = 0;
    for (int i = 0; i < op.operands; ++i) all[i] = key[i] ? inputs[present++] : nullptr;
    bool good = broadcast(op, all.data());
    present = 0;
    for (int i = 0; i < op.operands; ++i)
        if (all[i]) key[i] = key_word(inputs[present++] = all[i]);
    return good;
}

// The key word of an operand: 0 when it is absent.
bool Call::take_operand(PyObject* value, const Parameter& parameter, uint64_t& word) {
    word = 0;
    if (value == Py_None && parameter.kind == Kind::Optional) return true;
    PyObject* object = is_tensor(value) ? Py_NewRef(value) : convert(value, parameter);
    if (!object) return false;
    (object == value ? tensors : others) = true;
    Tensor* tensor = inputs[count++] = reinterpret_cast<Tensor*>(object);
    word = key_word(tensor);
    return true;
}

// An array or a buffer as it is; anything else, and those that cannot be tensors, as Python converts them.
PyObject* Call::convert(PyObject* value, const Parameter& parameter) {
    if (PyObject* tensor = tensor_of_array(value)) return tensor;
    if (PyObject_CheckBuffer(value)) {
        PyObject* tensor = tensor_from_buffer(value, nullptr);
        if (tensor) return tensor;
        PyErr_Clear();
    }
    if (PyObject_HasAttrString(reinterpret_cast<PyObject*>(Py_TYPE(value)), kRecord)) return recorder = value, nullptr;
    PyObject* tensor = PyObject_CallOneArg(op.coerce, value);
    if (!tensor) return name_parameter(op, parameter), nullptr;
    if (is_tensor(tensor)) return tensor;
    PyErr_Format(PyExc_TypeError, "coerce returned %R, not a Tensor", tensor);
    Py_DECREF(tensor);
    return nullptr;
}

// What `operand.__tilewright_record__(op, values)` gives; the values are in the order of the parameters.
PyObject* Call::record(PyObject* self) {
    PyObject* all = PyTuple_New(size(op.parameters));
    if (!all) return nullptr;
    for (int i = 0; i < size(op.parameters); ++i) PyTuple_SET_ITEM(all, i, Py_NewRef(values[i]));
    PyObject* result = PyObject_CallMethod(recorder, kRecord, "OO", self, all);
    Py_DECREF(all);
    return result;
}

const Program* Call::find() {
    if (op.last && few_equal(key.data(), op.key_words, op.last_key.data())) return op.last;
    std::string_view bytes(reinterpret_cast<char*>(key.data()), op.key_words * sizeof(uint64_t));
    auto found = op.programs.find(bytes);
    const Program* program = found != op.programs.end() ? found->second.program : miss(bytes);
    if (!program) return nullptr;
    op.last_key.assign(key.data(), key.data() + op.key_words);
    return op.last = program;
}

// Another thread, or on_miss itself, may have added the key meanwhile: then the first program stays.
const Program* Call::miss(std::string_view bytes) {
    PyObject* question = describe();
    if (!question) return nullptr;
    ++op.misses;
    PyObject* object = PyObject_CallOneArg(op.on_miss, question);
    Py_DECREF(question);
    if (!object) return nullptr;
    const Program* program = program_of(object);
    int head = 0;
    for (int i = 0; i < count; ++i) head += 2 * inputs[i]->rank();
    if (!program || program->head != head || static_cast<int>(program->scalars.size()) != op.scalars) {
        PyErr_Format(PyExc_TypeError, "%U(): on_miss returned %R, not a Program for these operands", op.name, object);
        Py_DECREF(object);
        return nullptr;
    }
    auto [place, added] = op.programs.try_emplace(std::string(bytes), Entry{object, program});
    if (!added) Py_DECREF(object);
    return place->second.program;
}

// What on_miss is told: (one (dtype, rank, unit axis) or None per operand, the attributes' values).
PyObject* Call::describe() {
    PyObject* operands = PyTuple_New(op.operands);
    PyObject* attributes = PyTuple_New(size(op.parameters) - op.operands - op.scalars);
    Py_ssize_t operand = 0, attribute = 0;
    const uint64_t* word = key.data();
    for (const Parameter& parameter : op.parameters) {
        if (!operands || !attributes || PyErr_Occurred()) break;
        if (is_operand(parameter.kind)) {
            uint64_t code = *word++;
            int rank = code >> 8 & 0xFF, unit = static_cast<int>(code >> 16) - 1;
            PyTuple_SET_ITEM(operands, operand++,
                             code ? Py_BuildValue("(Oii)", dtype_name(static_cast<DType>((code & 0xFF) - 1)), rank, unit)
                                  : Py_NewRef(Py_None));
        } else if (is_attribute(parameter.kind)) {
            PyTuple_SET_ITEM(attributes, attribute++, attribute_value(word, parameter));
            word += key_words(parameter);
        }
    }
    if (!PyErr_Occurred()) return Py_BuildValue("(NN)", operands, attributes);
    Py_XDECREF(operands), Py_XDECREF(attributes);
    return nullptr;
}

bool Call::pack(const Program& program, uint64_t* cells) {
    int scalar = 0;
    for (int i = 0; i < size(op.parameters) && scalar < op.scalars; ++i) {
        const Parameter& parameter = op.parameters[i];
        if (parameter.kind != Kind::Scalar) continue;
        DType dtype = program.scalars[scalar];
        if (!scalar_cell(values[i], dtype, cells[scalar++])) return reject(op, parameter, info(dtype).name, values[i]);
    }
    return true;
}

PyObject* Call::run(const Program& program) {
    int made = static_cast<int>(program.outputs.size());
    SmallArray<uint64_t, kUsual> cells(op.scalars);
    SmallArray<Tensor*, kUsual> results(made);
    Failure failure;
    if (!pack(program, cells.data())) return nullptr;
    if (program.run(inputs.data(), count, cells.data(), results.data(), failure)) return deliver(results.data(), made);
    fail(failure);
    return nullptr;
}

// A tuple of all operands as tensors, None for an absent one.
PyObject* Call::all_operands() {
    PyObject* all = PyTuple_New(op.operands);
    Py_ssize_t operand = 0;
    int present = 0;
    for (int i = 0; all && i < size(op.parameters); ++i) {
        if (!is_operand(op.parameters[i].kind)) continue;
        PyObject* object = values[i] == Py_None ? Py_None : reinterpret_cast<PyObject*>(inputs[present++]);
        PyTuple_SET_ITEM(all, operand++, Py_NewRef(object));
    }
    return all;
}

// A failed check is told with the operands. The kernel numbers the operands that are present; on_error is told the
// number among all.
bool Call::fail(const Failure& failure) {
    if (!failure.kind) return false;
    if (!PyTuple_Check(failure.info))
        return raise(op, failure.kind, Py_BuildValue("(NN)", failure.info, all_operands()));
    int64_t present = PyLong_AsLongLong(PyTuple_GET_ITEM(failure.info, 1));
    int operand = 0;
    for (int i = 0; i < size(op.parameters); ++i) {
        if (!is_operand(op.parameters[i].kind)) continue;
        if (values[i] != Py_None && present-- == 0) break;
        ++operand;
    }
    PyTuple_SetItem(failure.info, 1, PyLong_FromLong(operand));
    return raise(op, failure.kind, failure.info);
}

// NumPy out if all that came in was NumPy's. Takes the references.
PyObject* Call::deliver_one(Tensor* result) {
    PyObject* tensor = reinterpret_cast<PyObject*>(result);
    if (tensors || !others) return tensor;
    PyObject* array = array_of_tensor(tensor);
    if (!array && !PyErr_Occurred()) array = PyObject_CallOneArg(op.to_numpy, tensor);
    Py_DECREF(tensor);
    return array;
}

PyObject* Call::deliver(Tensor** results, int made) {
    if (made == 1) return deliver_one(results[0]);
    PyObject* all = PyTuple_New(made);
    for (int i = 0; i < made; ++i) {
        PyObject* result = all ? deliver_one(results[i]) : nullptr;
        if (result) PyTuple_SET_ITEM(all, i, result);
        else Py_CLEAR(all);
    }
    return all;
}

}  // namespace

PyObject* call(PyObject* self, Definition& definition, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    if (!definition.name) return PyErr_SetString(PyExc_RuntimeError, "the op was not initialised"), nullptr;
    Call call(definition);
    if (!bind(definition, args, count, keywords, call.values.data())) return nullptr;
    if (!call.read()) return call.recorder ? call.record(self) : nullptr;
    const Program* program = call.find();
    return program ? call.run(*program) : nullptr;
}

}  // namespace tw
