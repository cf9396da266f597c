// The call path of an op.
#include <algorithm>
#include <utility>

#include "arrays.h"
#include "hooks.h"
#include "op_call.h"
#include "recording.h"

namespace tw {

namespace {

// Whether two operands of one data pointer have their elements at the same places.
bool same_places(const Operand& a, const Operand& b) {
    return a.dtype == b.dtype && a.rank == b.rank && few_equal(a.extents, 2 * a.rank, b.extents);
}

bool overlap(const Operand& a, const Operand& b) {
    Span x = span(a.dims(), a.strides(), a.rank, info(a.dtype).bytes);
    Span y = span(b.dims(), b.strides(), b.rank, info(b.dtype).bytes);
    return a.data + x.low < b.data + y.high && b.data + y.low < a.data + x.high;
}

constexpr char kRecord[] = "__tilewright_record__";

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

uint64_t key_word(const Operand& seen) {
    return (static_cast<uint64_t>(seen.dtype) + 1) | static_cast<uint64_t>(seen.rank) << 8 |
           static_cast<uint64_t>(seen.unit + 1) << 16 | static_cast<uint64_t>(seen.still) << 32;
}

// (dtype, rank, unit axis, axes along which all elements are one) as a key says them, or None.
PyObject* operand_class(uint64_t word) {
    if (!word) return Py_NewRef(Py_None);
    int rank = word >> 8 & 0xFF, unit = static_cast<int>(word >> 16 & 0xFFFF) - 1;
    auto still = static_cast<unsigned long>(word >> 32);
    return Py_BuildValue("(Oiik)", dtype_name(static_cast<DType>((word & 0xFF) - 1)), rank, unit, still);
}

}  // namespace

bool OpCall::read() {
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
    return (!op.shares || stretch()) && (!out || take_out()) && look();
}

// The tensors that results are written to.
bool OpCall::take_out() {
    int wanted = results(op);
    bool several = PyTuple_Check(out);
    PyObject* const* items = several ? &PyTuple_GET_ITEM(out, 0) : &out;
    bool good = wanted > 0 && (several ? PyTuple_GET_SIZE(out) == wanted : wanted == 1);
    for (int i = 0; good && i < wanted; ++i) {
        if (items[i] == Py_None) continue;
        given[i] = reinterpret_cast<Tensor*>(is_tensor(items[i]) ? Py_NewRef(items[i]) : tensor_of_array(items[i]));
        good = given[i] != nullptr;
    }
    if (good) return true;
    const char* message = wanted ? "%U(): out= takes a tensor or array per result, not %R" : "%U() takes no out=, not %R";
    return raise(op, "argument", PyUnicode_FromFormat(message, op.name, out));
}

// What kernels see of the operands, and the key that follows.
bool OpCall::look() {
    int wanted = results(op), most = 0;
    for (int i = 0; i < count; ++i) {
        views[i] = seen(inputs[i]);
        most = std::max(most, views[i].rank);
    }
    for (int i = 0; i < wanted; ++i) {
        if (given[i]) most = std::max(most, (views[count + i] = seen(given[i])).rank);
    }
    if (most >= 2 && may_merge && op.axes.mergeable) merge();
    for (int i = 0, present = 0; i < op.operands; ++i)
        if (key[i]) key[i] = key_word(views[present++]);
    for (int i = 0; i < wanted; ++i) {
        bool strided = given[i] && !is_row_major(views[count + i]);
        key[op.key_words + i] = strided ? key_word(views[count + i]) : 0;
    }
    return true;
}

// Whether what a result is written to is also read, other than element by element at the same places.
bool OpCall::clashes() {
    for (int i = 0; out && i < results(op); ++i) {
        if (!given[i]) continue;
        const Operand& to = views[count + i];
        for (int operand = 0, present = 0; operand < op.operands; ++operand) {
            if (!key[operand]) continue;
            const Operand& from = views[present++];
            if (from.data == to.data && op.axes.overwritable[operand] && same_places(from, to)) continue;
            if (overlap(from, to)) return true;
        }
        for (int other = 0; other < i; ++other)
            if (given[other] && overlap(views[count + other], to)) return true;
    }
    return false;
}

void OpCall::merge() {
    SmallArray<Part, kUsual> parts(count + results(op));
    int all = 0, room = 0, present = 0;
    for (int i = 0; i < results(op); ++i)
        if (given[i]) parts[all++] = {&views[count + i], &op.axes.results[i]};
    for (int i = 0; i < op.operands; ++i)
        if (key[i]) parts[all++] = {&views[present++], &op.axes.operands[i]};
    for (int i = 0; i < all; ++i) room += 2 * parts[i].operand->rank;
    if (room > kExtents || !merging.choose(op.axes, parts.data(), all, key.data())) return;
    merged = true;
    int64_t* free = extents;
    for (int i = 0; i < all; ++i) free = merging.merge(parts[i], free);
    for (size_t p = 0; p < op.axes.packs.size(); ++p) {
        int word = op.axes.packs[p].rank_word;
        if (word >= 0 && static_cast<int64_t>(key[word]) >= 0) key[word] = merging.rank(static_cast<int>(p));
    }
}

// A default is not read again.
bool OpCall::take_attribute(PyObject* value, const Parameter& parameter, uint64_t* words) {
    const std::vector<uint64_t>& known = parameter.fallback_words;
    if (value != parameter.fallback || known.empty()) return attribute_words(value, parameter, words);
    return copy_few(known.data(), size(known), words), true;
}

// Operands that share a pack take one shape.
bool OpCall::stretch() {
    if (count == op.operands && !broadcasts(op, inputs.data())) return true;
    SmallArray<Tensor*, kUsual> all(op.operands);
    int present = 0;
    for (int i = 0; i < op.operands; ++i) all[i] = key[i] ? inputs[present++] : nullptr;
    bool good = broadcast(op, all.data());
    present = 0;
    for (int i = 0; i < op.operands; ++i)
        if (all[i]) inputs[present++] = all[i];
    return good;
}

// The key word of an operand: 0 when it is absent.
bool OpCall::take_operand(PyObject* value, const Parameter& parameter, uint64_t& word) {
    word = 0;
    if (value == Py_None && parameter.kind == Kind::Optional) return true;
    PyObject* object = is_tensor(value) ? Py_NewRef(value) : convert(value, parameter);
    if (!object) return false;
    (object == value ? tensors : others) = true;
    inputs[count++] = reinterpret_cast<Tensor*>(object);
    return word = 1, true;
}

// An array or a buffer as it is; anything else, and those that cannot be tensors, as Python converts them.
PyObject* OpCall::convert(PyObject* value, const Parameter& parameter) {
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
PyObject* OpCall::record(PyObject* self) {
    PyObject* all = PyTuple_New(size(op.parameters));
    if (!all) return nullptr;
    for (int i = 0; i < size(op.parameters); ++i) PyTuple_SET_ITEM(all, i, Py_NewRef(values[i]));
    PyObject* result = PyObject_CallMethod(recorder, kRecord, "OO", self, all);
    Py_DECREF(all);
    return result;
}

const Program* OpCall::find() {
    if (op.last && few_equal(key.data(), words(op), op.last_key.data())) return op.last;
    std::string_view bytes(reinterpret_cast<char*>(key.data()), words(op) * sizeof(uint64_t));
    auto found = op.programs.find(bytes);
    const Program* program = found != op.programs.end() ? found->second.program : miss(bytes);
    if (!program) return nullptr;
    op.last_key.assign(key.data(), key.data() + words(op));
    return op.last = program;
}

// Another thread, or on_miss itself, may have added the key meanwhile: then the first program stays.
const Program* OpCall::miss(std::string_view bytes) {
    PyObject* question = describe();
    if (!question) return nullptr;
    ++op.misses;
    Mode before = std::exchange(mode, {});  // what the compiler itself calls is run
    PyObject* object = PyObject_CallOneArg(op.on_miss, question);
    mode = before;
    Py_DECREF(question);
    if (!object) return nullptr;
    const Program* program = program_of(object);
    int head = 0;
    for (int i = 0; i < count; ++i) head += 2 * views[i].rank;
    for (int i = 0; i < results(op); ++i) head += key[op.key_words + i] ? views[count + i].rank : 0;
    if (!program || program->head != head || static_cast<int>(program->scalars.size()) != op.scalars) {
        PyErr_Format(PyExc_TypeError, "%U(): on_miss returned %R, not a Program for these operands", op.name, object);
        Py_DECREF(object);
        return nullptr;
    }
    auto [place, added] = op.programs.try_emplace(std::string(bytes), Entry{object, program});
    if (!added) Py_DECREF(object);
    return place->second.program;
}

// What on_miss is told: (a class or None per operand, the attributes' values), and if results are written to memory of
// other strides than row-major ones, a class or None per result.
PyObject* OpCall::describe() {
    PyObject* operands = PyTuple_New(op.operands);
    PyObject* attributes = PyTuple_New(size(op.parameters) - op.operands - op.scalars);
    Py_ssize_t operand = 0, attribute = 0;
    const uint64_t* word = key.data();
    for (const Parameter& parameter : op.parameters) {
        if (!operands || !attributes || PyErr_Occurred()) break;
        if (is_operand(parameter.kind)) {
            PyTuple_SET_ITEM(operands, operand++, operand_class(*word++));
        } else if (is_attribute(parameter.kind)) {
            PyTuple_SET_ITEM(attributes, attribute++, attribute_value(word, parameter));
            word += key_words(parameter);
        }
    }
    bool strided = false;
    for (int i = 0; i < results(op); ++i) strided |= key[op.key_words + i] != 0;
    PyObject* outputs = strided && !PyErr_Occurred() ? PyTuple_New(results(op)) : nullptr;
    for (int i = 0; outputs && i < results(op); ++i) PyTuple_SET_ITEM(outputs, i, operand_class(key[op.key_words + i]));
    if (outputs) return Py_BuildValue("(NNN)", operands, attributes, outputs);
    if (!PyErr_Occurred()) return Py_BuildValue("(NN)", operands, attributes);
    Py_XDECREF(operands), Py_XDECREF(attributes);
    return nullptr;
}

bool OpCall::pack(const Program& program, uint64_t* cells) {
    int scalar = 0;
    for (int i = 0; i < size(op.parameters) && scalar < op.scalars; ++i) {
        const Parameter& parameter = op.parameters[i];
        if (parameter.kind != Kind::Scalar) continue;
        DType dtype = program.scalars[scalar];
        if (!scalar_cell(values[i], dtype, cells[scalar++])) return reject(op, parameter, info(dtype).name, values[i]);
    }
    return true;
}

PyObject* OpCall::run(const Program& program, PyObject* self) {
    int made = static_cast<int>(program.outputs.size());
    SmallArray<uint64_t, kUsual> cells(op.scalars);
    SmallArray<Tensor*, kUsual> made_tensors(made);
    SmallArray<int64_t, 128> table(program.head + program.tail);
    Failure failure;
    if (!pack(program, cells.data())) return nullptr;
    Destination to{op.axes, merged ? &merging : nullptr, out ? given.data() : nullptr, views.data() + count};
    bool good = program.prepare(views.data(), count, to, table.data(), made_tensors.data(), failure);
    if (good && noted) good = note(program, self, table.data(), made_tensors.data());
    else if (good) good = program.compute(views.data(), count, table.data(), cells.data(), made_tensors.data(), failure);
    for (int i = 0; out && good && !mode.settling && i < made; ++i)
        if (given[i]) bump_version(given[i]);
    if (good) return out ? deliver_out(made_tensors.data(), made) : deliver(made_tensors.data(), made);
    again = failure.kind && merged;
    if (again) Py_DECREF(failure.info);
    else fail(failure);
    return nullptr;
}

// A tuple of all operands as tensors, None for an absent one.
PyObject* OpCall::all_operands() {
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
bool OpCall::fail(const Failure& failure) {
    if (!failure.kind) return false;
    if (std::string_view(failure.kind) == "out") {
        PyObject* text = PyUnicode_FromFormat("%U(): %S", op.name, failure.info);
        Py_DECREF(failure.info);
        return raise(op, "argument", text);
    }
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
PyObject* OpCall::deliver_one(Tensor* result) {
    PyObject* tensor = reinterpret_cast<PyObject*>(result);
    if (tensors || !others) return tensor;
    PyObject* array = array_of_tensor(tensor);
    if (!array && !PyErr_Occurred()) array = PyObject_CallOneArg(op.to_numpy, tensor);
    Py_DECREF(tensor);
    return array;
}

// What was given for results is what is returned.
PyObject* OpCall::deliver_out(Tensor** results, int made) {
    if (!PyTuple_Check(out)) return Py_DECREF(results[0]), Py_NewRef(out);
    PyObject* all = PyTuple_New(made);
    for (int i = 0; i < made; ++i) {
        bool own = given[i] != nullptr;
        PyObject* result = own ? Py_NewRef(PyTuple_GET_ITEM(out, i)) : deliver_one(results[i]);
        if (own) Py_DECREF(results[i]);
        if (all && result) {
            PyTuple_SET_ITEM(all, i, result);
        } else {
            Py_XDECREF(result);
            Py_CLEAR(all);
        }
    }
    return all;
}

PyObject* OpCall::deliver(Tensor** results, int made) {
    if (made == 1) return deliver_one(results[0]);
    PyObject* all = PyTuple_New(made);
    for (int i = 0; i < made; ++i) {
        PyObject* result = all ? deliver_one(results[i]) : nullptr;
        if (result) PyTuple_SET_ITEM(all, i, result);
        else Py_CLEAR(all);
    }
    return all;
}

namespace {

// The same call without out=, and its results copied there.
PyObject* by_way_of_new(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords, PyObject* out) {
    Py_ssize_t named = PyTuple_GET_SIZE(keywords), kept = 0;
    std::vector<PyObject*> values(args, args + count);
    PyObject* names = PyTuple_New(named - 1);
    for (Py_ssize_t i = 0; names && i < named; ++i) {
        PyObject* name = PyTuple_GET_ITEM(keywords, i);
        if (PyUnicode_CompareWithASCIIString(name, "out") == 0) continue;
        PyTuple_SET_ITEM(names, kept++, Py_NewRef(name));
        values.push_back(args[count + i]);
    }
    PyObject* made = names ? PyObject_Vectorcall(self, values.data(), count, names) : nullptr;
    Py_XDECREF(names);
    PyObject* copied = made ? call_hook(Hook::Copy, {made, out}) : nullptr;
    Py_XDECREF(made);
    Py_XDECREF(copied);
    return copied ? Py_NewRef(out) : nullptr;
}

// The call; `notes`: it may be noted by the recorder of this thread.
PyObject* attempt(PyObject* self, Definition& definition, PyObject* const* args, Py_ssize_t count, PyObject* keywords,
                  bool notes) {
    for (bool merge : {true, false}) {
        OpCall call(definition, merge);
        if (!bind(definition, args, count, keywords, call.values.data(), call.out)) return nullptr;
        if (!call.read()) return call.recorder ? call.record(self) : nullptr;
        call.noted = mode.recorder && notes && call.may_note();
        if (watched && !call.ready()) return nullptr;
        if (call.out && !call.noted && call.clashes()) return by_way_of_new(self, args, count, keywords, call.out);
        const Program* program = call.find();
        PyObject* result = program ? call.run(*program, self) : nullptr;
        if (!program && call.merged && is_usage_error()) PyErr_Clear(), call.again = true;
        if (!call.again) return result;
    }
    return nullptr;
}

}  // namespace

PyObject* call(PyObject* self, Definition& definition, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    if (!definition.name) return PyErr_SetString(PyExc_RuntimeError, "the op was not initialised"), nullptr;
    PyObject* result = attempt(self, definition, args, count, keywords, true);
    if (result || !mode.recorder || !PyErr_ExceptionMatches(PyExc_MemoryError)) return result;
    PyErr_Clear();  // what is pending holds memory
    PyObject* settled = PyObject_CallMethod(mode.recorder, "settle", nullptr);
    Py_XDECREF(settled);
    return settled ? attempt(self, definition, args, count, keywords, false) : nullptr;
}

PyObject* key_of(Definition& definition, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    OpCall call(definition, true);
    if (!bind(definition, args, count, keywords, call.values.data(), call.out, false) || !call.read()) return nullptr;
    return call.describe();
}

}  // namespace tw
