// The call path of a function.
#include "function.h"

#include <algorithm>
#include <string>

#include "arrays.h"
#include "errors.h"
#include "hooks.h"
#include "op.h"
#include "small_array.h"
#include "view.h"

namespace tw {

Supplied supplied{};

namespace {

constexpr int kUsual = 16;

uint16_t bit(DType t) { return static_cast<uint16_t>(1u << static_cast<int>(t)); }
constexpr uint16_t kExact = 0x1FF;  // bool and the integers

template <class T>
int size(const std::vector<T>& all) {
    return static_cast<int>(all.size());
}

// A reference to a tensor of what is no tensor and no number; null with an error of the user's.
Tensor* tensor_of(PyObject* value, const FunctionForm& form, int operand) {
    PyObject* tensor = tensor_of_array(value);
    if (!tensor && !PyErr_Occurred()) tensor = PyObject_CallFunction(supplied.coerce, "OOi", value, form.name, operand);
    if (tensor && !is_tensor(tensor)) {
        PyErr_Format(PyExc_TypeError, "coerce returned %R, not a Tensor", tensor);
        Py_CLEAR(tensor);
    }
    return reinterpret_cast<Tensor*>(tensor);
}

PyObject* as_object(Tensor* tensor) { return reinterpret_cast<PyObject*>(tensor); }

// The tensor without axes that stands for a dtype where an op takes one; borrowed.
PyObject* like(DType dtype) {
    static PyObject* known[kDTypeCount];
    PyObject*& tensor = known[static_cast<int>(dtype)];
    if (!tensor) {
        Tensor* made = new_tensor(dtype, 0);
        if (!made || !give_memory(made)) return Py_XDECREF(made), nullptr;
        std::fill_n(made->data, info(dtype).bytes, 0);
        tensor = as_object(made);
    }
    return tensor;
}

Tensor* converted(Tensor* tensor, DType dtype) {
    if (tensor->dtype == dtype) return reinterpret_cast<Tensor*>(Py_NewRef(tensor));
    PyObject* args[] = {as_object(tensor), like(dtype)};
    if (!args[1] || !resolve(supplied.convert, supplied.op)) return nullptr;
    return reinterpret_cast<Tensor*>(PyObject_Vectorcall(supplied.convert, args, 2, nullptr));
}

// Takes the reference, also where it fails.
template <class Make>
bool replace(Tensor*& tensor, Make make) {
    Tensor* made = make(tensor);
    if (made) Py_SETREF(tensor, made);
    return made != nullptr;
}

std::string name_of(const FunctionForm& form) { return std::string(PyUnicode_AsUTF8(form.name)) + "()"; }

// What it is called with: "it takes input, dim, *, dtype".
std::string parameters(const FunctionForm& form) {
    std::string text;
    for (int i = 0; i < static_cast<int>(form.arguments.size()); ++i) {
        if (i == form.positional) text += ", *";
        text += (text.empty() ? "" : ", ") + std::string(PyUnicode_AsUTF8(form.arguments[i].name));
    }
    return "it takes " + text;
}

std::string name_of(DType dtype) { return shown(dtype_object(dtype)); }

bool wrong(Wrong kind, const FunctionForm& form, const std::string& message, const std::string& remedy = {}) {
    return fail(kind, name_of(form) + message, remedy), false;
}

Tensor* as_tensor(PyObject* object) { return reinterpret_cast<Tensor*>(object); }

// A view whose axis `a` is axis order[a] of the tensor, or a new one of extent 1 where that is -1.
Tensor* rearranged(Tensor* tensor, const int* order, int rank) {
    Layout layout;
    for (int a = 0; a < rank; ++a) {
        if (order[a] < 0) layout.add(1, info(tensor->dtype).bytes);
        else layout.add(tensor->dims()[order[a]], tensor->strides()[order[a]]);
    }
    return as_tensor(view_of(tensor, layout));
}

Tensor* moved_axis(Tensor* tensor, int from, int to) {
    int order[kMaxRank], rank = tensor->rank();
    for (int a = 0, next = 0; a < rank; ++a) {
        next += next == from;
        order[a] = a == to ? from : next++;
    }
    return rearranged(tensor, order, rank);
}

bool same_shape(Tensor* a, Tensor* b) {
    return a->rank() == b->rank() && few_equal(a->dims(), a->rank(), b->dims());
}

// One call.
struct Invocation {
    FunctionForm& form;
    SmallArray<PyObject*, kUsual> values;   // one per argument; borrowed
    SmallArray<PyObject*, kUsual> given;    // one per operand: what was given for it; borrowed
    SmallArray<Tensor*, kUsual> operands;   // owned; null: absent, or a number still
    SmallArray<DType, 4> dtypes;            // one per variable
    uint32_t keywords = 0;                  // the arguments given that are keywords
    bool keepdim = false, has_dtype = false, lifted = false;
    DType dtype = DType::Bool;  // asked for by `dtype=`
    int dims[kMaxRank], named = 0, rank = 0;
    PyObject* target = nullptr;  // what the result is written into, or null; borrowed
    bool direct = false;         // whether the op writes it there

    explicit Invocation(FunctionForm& f)
        : form(f), values(size(f.arguments)), given(size(f.operands)), operands(size(f.operands)), dtypes(f.variables) {
        std::fill_n(operands.data(), size(f.operands), nullptr);
        std::fill_n(given.data(), size(f.operands), nullptr);
    }
    ~Invocation() {
        for (int i = 0; i < size(form.operands); ++i) Py_XDECREF(operands[i]);
    }

    bool bind(PyObject* const* args, Py_ssize_t count, PyObject* names);
    bool bind_keywords(PyObject* const* args, PyObject* names);
    bool read();
    bool read_operand(int operand, PyObject* value);
    bool promote();
    DType promote_variable(int variable);
    Overload* choose();
    bool fits(const Overload& overload, bool widen);
    bool refuse();
    bool takes_dtypes(const Overload& overload);
    bool convert();
    bool arrange();
    bool read_dims(PyObject* value);
    bool read_dim(PyObject* value);
    bool lift();
    bool move_reduced();
    bool move_last();
    PyObject* run(Overload& overload);
    PyObject* names_of_keywords(PyObject** place);
    PyObject* finish(PyObject* result);
    Tensor* finish_one(Tensor* result, bool kept);
    Tensor* with_dims(Tensor* result);
    bool read_target();
    bool fits_target();
    PyObject* write(PyObject* result);
};

bool Invocation::bind_keywords(PyObject* const* args, PyObject* names) {
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(names); ++k) {
        PyObject* name = PyTuple_GET_ITEM(names, k);
        int at = 0, end = size(form.arguments);
        while (at < end && form.arguments[at].name != name) ++at;
        if (at == end)  // perhaps a name that was made at run time
            for (at = 0; at < end && PyUnicode_Compare(form.arguments[at].name, name) != 0;) ++at;
        if (at == end) return wrong(Wrong::Type, form, " has no parameter " + shown(name), parameters(form));
        if (values[at]) return wrong(Wrong::Type, form, " got " + shown(name) + " twice", parameters(form));
        values[at] = args[k];
    }
    return true;
}

bool Invocation::bind(PyObject* const* args, Py_ssize_t count, PyObject* names) {
    if (count > form.positional)
        return wrong(Wrong::Type, form, " takes at most " + std::to_string(form.positional) + " positional arguments, not " +
                                            std::to_string(count), parameters(form));
    PyObject** rest = copy_few(args, static_cast<int>(count), values.data());
    std::fill(rest, values.data() + size(form.arguments), nullptr);
    if (names && !bind_keywords(args + count, names)) return false;
    for (int i = 0; i < size(form.arguments); ++i) {
        if (!values[i]) values[i] = form.arguments[i].fallback;
        if (!values[i]) return wrong(Wrong::Type, form, " needs " + shown(form.arguments[i].name), parameters(form));
    }
    return true;
}

bool Invocation::read_operand(int operand, PyObject* value) {
    const OperandForm& wanted = form.operands[operand];
    if (value == Py_None && wanted.optional) return true;
    given[operand] = value;
    if (is_number(value)) return true;
    operands[operand] = is_tensor(value) ? reinterpret_cast<Tensor*>(Py_NewRef(value)) : tensor_of(value, form, operand);
    if (!operands[operand]) return false;
    if (wanted.variable >= 0 || operands[operand]->dtype == wanted.dtype) return true;
    return wrong(Wrong::Type, form, ": operand " + std::to_string(operand + 1) + " is " + shown(value) +
                                        ", and must be of " + name_of(wanted.dtype),
                 wanted.dtype == DType::Bool ? "a comparison gives bools, as x > 0 does" : "x.to(dtype) converts a tensor");
}

bool Invocation::read() {
    for (int i = 0; i < size(form.arguments); ++i) {
        const Argument& argument = form.arguments[i];
        PyObject* value = values[i];
        if (argument.role == Role::Operand && !read_operand(argument.operand, value)) return false;
        if (argument.role == Role::Keyword && value != argument.fallback) keywords |= 1u << i;
        if (argument.role == Role::KeepDim) keepdim = PyObject_IsTrue(value);
        if (argument.role == Role::Out && value != Py_None) target = value;
        if (argument.role == Role::DType && value != Py_None) {
            has_dtype = true;
            if (!dtype_of(value, dtype)) return wrong(Wrong::Type, form, ": dtype is not " + shown(value), "as in dtype=tw.float32");
        }
    }
    return true;
}

// --- dtypes -----------------------------------------------------------------------------------

DType Invocation::promote_variable(int variable) {
    Promotion all;
    for (int i = 0; i < size(form.operands); ++i) {
        if (form.operands[i].variable != variable || !given[i]) continue;
        if (operands[i]) all.add_tensor(operands[i]);
        else all.add_number(given[i]);
    }
    return all.empty() ? default_float : all.result();
}

bool Invocation::promote() {
    for (int v = 0; v < form.variables; ++v) dtypes[v] = promote_variable(v);
    if (has_dtype) dtypes[0] = dtype;
    return true;
}

// With `widen`, integers stand for the default float where an op takes floats alone.
bool Invocation::fits(const Overload& overload, bool widen) {
    if ((keywords & ~overload.takes) || (overload.needs & ~keywords)) return false;
    for (int i = 0; i < size(overload.ranks); ++i)
        if (overload.ranks[i] >= 0 && (operands[i] ? operands[i]->rank() : 0) != overload.ranks[i]) return false;
    for (int v = 0; v < form.variables; ++v) {
        if (overload.accepts[v] & bit(dtypes[v])) continue;
        bool widens = widen && (bit(dtypes[v]) & kExact) && !(overload.accepts[v] & kExact) &&
                      (overload.accepts[v] & bit(default_float));
        if (!widens) return false;
    }
    return true;
}

Overload* Invocation::choose() {
    for (Overload& overload : form.overloads)
        if (fits(overload, false)) return &overload;
    for (Overload& overload : form.overloads) {
        if (!form.widens || !fits(overload, true)) continue;
        for (int v = 0; v < form.variables; ++v)
            if (!(overload.accepts[v] & bit(dtypes[v]))) dtypes[v] = default_float;
        return &overload;
    }
    return refuse(), nullptr;
}

// Whether an overload takes these dtypes, whatever it says of ranks and keywords.
bool Invocation::takes_dtypes(const Overload& overload) {
    for (int v = 0; v < form.variables; ++v)
        if (!(overload.accepts[v] & bit(dtypes[v]))) return false;
    return true;
}

// Says which dtypes or ranks there is no op for.
bool Invocation::refuse() {
    std::string has, takes, axes;
    for (int i = 0; i < size(form.operands); ++i)
        if (operands[i]) has += (has.empty() ? "" : " and ") + described(operands[i]);
    for (const Overload& overload : form.overloads) {
        if (!takes_dtypes(overload) || overload.ranks.empty()) continue;
        for (int rank : overload.ranks) axes += (axes.empty() ? "" : " and ") + (rank < 0 ? "any" : std::to_string(rank));
        return wrong(Wrong::Value, form, " is not defined for " + has + ": it takes operands of " + axes + " axes",
                     "matmul and the like take more");
    }
    uint32_t all = 0;
    for (const Overload& overload : form.overloads) all |= form.variables ? overload.accepts[0] : 0;
    for (int t = 0; t < kDTypeCount; ++t)
        if (all >> t & 1 && static_cast<DType>(t) != DType::Field)
            takes += (takes.empty() ? "" : ", ") + name_of(static_cast<DType>(t)).substr(sizeof "tilewright." - 1);
    return wrong(Wrong::Type, form, " is not defined for " + has + "; it takes " + takes, "x.to(dtype) converts a tensor");
}

bool Invocation::convert() {
    for (int i = 0; i < size(form.operands); ++i) {
        if (!given[i]) continue;
        const OperandForm& wanted = form.operands[i];
        DType to = wanted.variable < 0 ? wanted.dtype : dtypes[wanted.variable];
        if (!operands[i]) {
            if ((operands[i] = tensor_of_number(given[i], to))) continue;
            PyErr_Clear();
            return wrong(Wrong::Value, form, ": " + shown(given[i]) + " does not fit into " + name_of(to));
        } else if (operands[i]->dtype != to && !replace(operands[i], [&](Tensor* t) { return converted(t, to); })) {
            return false;
        }
    }
    return true;
}

// --- axes -------------------------------------------------------------------------------------

// One dim, which may count from the end; a tensor without axes is as good as one with an axis of 1.
bool Invocation::read_dim(PyObject* value) {
    Py_ssize_t dim = PyNumber_AsSsize_t(value, nullptr);
    if (dim == -1 && PyErr_Occurred())
        return wrong(Wrong::Type, form, ": dim is a whole number or a tuple of such, not " + shown(value),
                     "the first axis is 0, the last one -1");
    int all = std::max(rank, 1);
    if (dim < -all || dim >= all)
        return wrong(Wrong::Index, form, ": there is no dim " + std::to_string(dim) + " in " + described(operands[0]),
                     "it is from " + std::to_string(-all) + " to " + std::to_string(all - 1));
    int found = static_cast<int>(dim < 0 ? dim + all : dim);
    if (std::find(dims, dims + named, found) != dims + named)
        return wrong(Wrong::Value, form, ": dim " + std::to_string(found) + " is named twice", "every dim stands there once");
    return dims[named++] = found, true;
}

// The dims named; all where None or an empty tuple stands for them.
bool Invocation::read_dims(PyObject* value) {
    bool several = PyTuple_Check(value) || PyList_Check(value);
    if (value == Py_None || (several && PySequence_Size(value) == 0)) {
        for (named = 0; named < rank; ++named) dims[named] = named;
        return true;
    }
    if (!several) return read_dim(value);
    PyObject* all = PySequence_Tuple(value);
    bool good = all != nullptr;
    for (Py_ssize_t i = 0; good && i < PyTuple_GET_SIZE(all); ++i) good = read_dim(PyTuple_GET_ITEM(all, i));
    Py_XDECREF(all);
    return good;
}

// Gives operands without axes one of extent 1.
bool Invocation::lift() {
    static constexpr int kNew[] = {-1};
    lifted = true;
    for (int i = 0; i < size(form.operands); ++i)
        if (operands[i] && form.operands[i].moved && operands[i]->rank() == 0 &&
            !replace(operands[i], [](Tensor* t) { return rearranged(t, kNew, 1); }))
            return false;
    return true;
}

bool Invocation::move_reduced() {
    if (rank == 0) return named = 0, true;
    std::sort(dims, dims + named);
    if (named == 0 || dims[0] == rank - named) return true;
    int order[kMaxRank], *next = order;
    for (int a = 0; a < rank; ++a)
        if (!std::binary_search(dims, dims + named, a)) *next++ = a;
    std::copy_n(dims, named, next);
    return replace(operands[0], [&](Tensor* t) { return rearranged(t, order, rank); });
}

bool Invocation::move_last() {
    if (dims[0] == std::max(rank, 1) - 1) return true;
    for (int i = 0; i < size(form.operands); ++i) {
        if (!operands[i] || !form.operands[i].moved || operands[i]->rank() <= dims[0]) continue;
        int last = operands[i]->rank() - 1;
        if (!replace(operands[i], [&](Tensor* t) { return moved_axis(t, dims[0], last); })) return false;
    }
    return true;
}

bool Invocation::arrange() {
    if (form.axes == Axes::None) return true;
    rank = operands[0]->rank();
    for (int i = 0; i < size(form.arguments); ++i)
        if (form.arguments[i].role == Role::Dim && !read_dims(values[i])) return false;
    if (form.axes == Axes::Reduced) return move_reduced();
    if (rank == 0 && !lift()) return false;
    if (named != 1 && !(named == 0 && rank == 0))
        return wrong(Wrong::Value, form, " takes one dim");
    if (rank == 0) dims[0] = 0, named = 1;
    return form.axes == Axes::Between || move_last();
}

Tensor* Invocation::with_dims(Tensor* result) {
    int order[kMaxRank], old = 0;
    for (int a = 0; a < rank; ++a) order[a] = std::find(dims, dims + named, a) != dims + named ? -1 : old++;
    return rearranged(result, order, rank);
}

Tensor* Invocation::finish_one(Tensor* result, bool kept) {
    if (!kept) return keepdim && rank ? with_dims(result) : reinterpret_cast<Tensor*>(Py_NewRef(result));
    if (lifted && result->rank() == 1 && result->dims()[0] == 1) return rearranged(result, nullptr, 0);
    if (form.axes != Axes::Last || dims[0] == result->rank() - 1) return reinterpret_cast<Tensor*>(Py_NewRef(result));
    return moved_axis(result, result->rank() - 1, dims[0]);
}

// --- the run ----------------------------------------------------------------------------------

// The keywords of the op's call as a tuple of names, their values from `place` on; null without an error if none.
PyObject* Invocation::names_of_keywords(PyObject** place) {
    static PyObject* out = PyUnicode_InternFromString("out");
    if (form.rank && !keywords) return Py_NewRef(form.rank_only);
    if (!keywords && !direct) return nullptr;
    static PyObject* out_only = PyTuple_Pack(1, out);
    if (!keywords && !form.rank) return place[0] = target, Py_NewRef(out_only);
    int count = __builtin_popcount(keywords), next = 0;
    PyObject* names = PyTuple_New(count + (form.rank != nullptr) + direct);
    if (!names) return nullptr;
    if (form.rank) PyTuple_SET_ITEM(names, next++, Py_NewRef(form.rank));
    if (direct) place[next] = target, PyTuple_SET_ITEM(names, next++, Py_NewRef(out));
    for (int i = 0; i < size(form.arguments); ++i) {
        if (!(keywords >> i & 1)) continue;
        place[next] = values[i];
        PyTuple_SET_ITEM(names, next++, Py_NewRef(form.arguments[i].keyword));
    }
    return names;
}

PyObject* Invocation::run(Overload& overload) {
    int count = size(form.operands);
    if (!resolve(overload.op, supplied.op)) return nullptr;
    SmallArray<PyObject*, 2 * kUsual> args(count + size(form.arguments) + 2);
    for (int i = 0; i < count; ++i) args[i] = operands[i] ? as_object(operands[i]) : Py_None;
    PyObject* number = form.rank ? PyLong_FromLong(form.axes == Axes::Between ? dims[0] : named) : nullptr;
    args[count] = number;
    PyObject* names = names_of_keywords(args.data() + count);
    PyObject* result = PyErr_Occurred() ? nullptr : PyObject_Vectorcall(overload.op, args.data(), count, names);
    Py_XDECREF(names), Py_XDECREF(number);
    return result;
}

// Takes the reference to the result of the op.
PyObject* Invocation::finish(PyObject* result) {
    if (form.axes == Axes::None && !has_dtype) return result;
    int made = PyTuple_Check(result) ? static_cast<int>(PyTuple_GET_SIZE(result)) : 1;
    PyObject* all = PyTuple_New(made);
    for (int i = 0; all && i < made; ++i) {
        auto* one = reinterpret_cast<Tensor*>(PyTuple_Check(result) ? PyTuple_GET_ITEM(result, i) : result);
        Tensor* finished = finish_one(one, form.kept[i]);
        if (finished && has_dtype && i == 0 && finished->dtype != dtype && !form.operands.empty())
            if (!replace(finished, [&](Tensor* t) { return converted(t, dtype); })) Py_CLEAR(finished);
        if (!finished) Py_CLEAR(all);
        else PyTuple_SET_ITEM(all, i, as_object(finished));
    }
    Py_DECREF(result);
    if (!all || made > 1) return all;
    PyObject* one = Py_NewRef(PyTuple_GET_ITEM(all, 0));
    Py_DECREF(all);
    return one;
}

bool Invocation::read_target() {
    if (form.in_place) target = given[0];
    if (target && !is_tensor(target)) return wrong(Wrong::Type, form, ": " + shown(target) + " is no tensor to write into",
                                                   "tw.empty(...) makes one");
    direct = target && fits_target();
    return true;
}

// Whether the op itself can write the result into the target: it has the dtype, and the shape that the operands take.
bool Invocation::fits_target() {
    Tensor* to = as_tensor(target);
    if (!form.alike || to->dtype != dtypes[0]) return false;
    bool whole = false;
    for (int i = 0; i < size(form.operands); ++i) {
        Tensor* from = operands[i];
        if (!from) continue;
        if (from->rank() > to->rank()) return false;
        int more = to->rank() - from->rank();
        for (int a = 0; a < from->rank(); ++a)
            if (from->dims()[a] != 1 && from->dims()[a] != to->dims()[a + more]) return false;
        whole = whole || same_shape(from, to);
    }
    return whole;
}

// Writes the result into the target, and returns that. Takes the reference to the result.
PyObject* Invocation::write(PyObject* result) {
    if (result == target) return result;
    auto *to = reinterpret_cast<Tensor*>(target), *from = reinterpret_cast<Tensor*>(result);
    std::string what = ": the result, " + described(from) + ", cannot be written into " + described(to);
    PyObject* done = nullptr;
    if (category(from->dtype) > category(to->dtype)) wrong(Wrong::Type, form, what, "assign it instead: x = x + y");
    else if (!same_shape(to, from)) wrong(Wrong::Value, form, what, "assign it instead: x = x + y");
    else done = call_hook(Hook::Copy, {result, target});
    Py_DECREF(result);
    if (!done) return nullptr;
    Py_DECREF(done);
    return Py_NewRef(target);
}

PyObject* typed(const FunctionForm& form, PyObject* result) {
    if (!result || !form.result_type || !PyTuple_CheckExact(result)) return result;
    PyObject* made = PyObject_CallMethod(form.result_type, "_make", "(O)", result);
    Py_DECREF(result);
    return made;
}

// The overload for nothing but tensors of one dtype, which most calls are of: they go to the op as they are.
Overload* plain_overload(FunctionForm& form, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    if (!form.plain || keywords || count != size(form.operands)) return nullptr;
    for (Py_ssize_t i = 0; i < count; ++i)
        if (Py_TYPE(args[i]) != TensorType || as_tensor(args[i])->dtype != as_tensor(args[0])->dtype) return nullptr;
    for (Overload& overload : form.overloads) {
        bool fits = overload.needs == 0 && overload.accepts[0] & bit(as_tensor(args[0])->dtype);
        for (int i = 0; fits && i < size(overload.ranks); ++i)
            fits = overload.ranks[i] < 0 || as_tensor(args[i])->rank() == overload.ranks[i];
        if (fits) return &overload;
    }
    return nullptr;
}

}  // namespace

bool resolve(PyObject*& place, PyObject* find) {
    if (!PyUnicode_Check(place)) return true;
    PyObject* found = PyObject_CallOneArg(find, place);
    if (found) Py_SETREF(place, found);
    return found != nullptr;
}

PyObject* call_function(FunctionForm& form, PyObject* const* args, Py_ssize_t count, PyObject* keywords) {
    if (!form.name || !supplied.op) return PyErr_SetString(PyExc_RuntimeError, "the function was not initialised"), nullptr;
    if (Overload* overload = plain_overload(form, args, count, keywords))
        return resolve(overload->op, supplied.op) ? PyObject_Vectorcall(overload->op, args, count, nullptr) : nullptr;
    Invocation call(form);
    if (!call.bind(args, count, keywords) || !call.read() || !call.promote()) return nullptr;
    Overload* overload = call.choose();
    if (!overload || !call.convert() || !call.read_target() || !call.arrange()) return nullptr;
    PyObject* result = call.run(*overload);
    if (result) result = call.finish(result);
    if (!result || !call.target) return typed(form, result);
    return call.write(result);
}

}  // namespace tw
