// Methods that give some of the elements.
#include <algorithm>
#include <vector>

#include "arguments.h"
#include "methods.h"
#include "tensor_doc.h"
#include "view.h"

namespace tw {

namespace {

struct Part {
    int64_t start, length;
};

std::string axis_of(int64_t dim, Tensor* tensor) { return "axis " + std::to_string(dim) + " of " + described(tensor); }

// An axis of a tensor that has some.
bool read_axis(const Call& call, int parameter, int64_t& dim) {
    return has_axes(call) && read_dim(call, parameter, call.tensor->rank(), dim);
}

PyObject* narrow(Call& call) {
    Tensor* x = call.tensor;
    int64_t dim, start, length;
    if (!read_axis(call, 0, dim) || !read_int(call, 1, start) || !read_int(call, 2, length)) return nullptr;
    int64_t extent = x->dims()[dim], first = start < 0 ? start + extent : start;
    if (first < 0 || first > extent || length < 0 || length > extent - first) {
        std::string asked = "start=" + std::to_string(start) + ", length=" + std::to_string(length);
        std::string whole = axis_of(dim, x) + ", whose extent is " + std::to_string(extent);
        return refuse(call, asked + " leaves " + whole, "length is 0 or more, start + length at most the extent");
    }
    return part_of(x, dim, first, length);
}

PyObject* chosen(Tensor* tensor, int64_t axis, int64_t index) {
    Layout layout = layout_without(tensor, axis);
    layout.offset = times(index, tensor->strides()[axis]);
    return view_of(tensor, layout);
}

PyObject* select(Call& call) {
    Tensor* x = call.tensor;
    int64_t dim, index;
    if (!read_axis(call, 0, dim) || !read_int(call, 1, index)) return nullptr;
    int64_t extent = x->dims()[dim];
    if (index < -extent || index >= extent) return out_of_range(x, dim, index);
    return chosen(x, dim, index < 0 ? index + extent : index);
}

// A tuple of `count` tensors that make(i) makes.
template <class Make>
PyObject* tuple_of(Py_ssize_t count, Make make) {
    PyObject* tuple = PyTuple_New(count);
    for (Py_ssize_t i = 0; tuple && i < count; ++i) {
        PyObject* item = make(i);
        if (!item) Py_CLEAR(tuple);
        else PyTuple_SET_ITEM(tuple, i, item);
    }
    return tuple;
}

PyObject* cut(Tensor* tensor, int64_t dim, const std::vector<Part>& parts) {
    return tuple_of(parts.size(), [&](Py_ssize_t i) { return part_of(tensor, dim, parts[i].start, parts[i].length); });
}

std::vector<Part> equal_parts(int64_t extent, int64_t length) {
    std::vector<Part> parts{{0, std::min(length, extent)}};
    for (int64_t start = length; start < extent; start += length)
        parts.push_back({start, std::min(length, extent - start)});
    return parts;
}

PyObject* split_in_lengths(const Call& call, int64_t dim, const Ints& lengths) {
    std::vector<Part> parts;
    int64_t start = 0, extent = call.tensor->dims()[dim];
    bool good = true;
    for (int i = 0; good && i < lengths.count; ++i) {
        parts.push_back({start, lengths.values[i]});
        good = lengths.values[i] >= 0 && lengths.values[i] <= extent - start;
        if (good) start += lengths.values[i];
    }
    if (good && start == extent) return cut(call.tensor, dim, parts);
    return refuse(call,
                  "lengths " + lengths.text() + " do not make up " + axis_of(dim, call.tensor) + ", whose extent is " +
                      std::to_string(extent),
                  "their sum is the extent; chunk(n) makes equal parts");
}

PyObject* split(Call& call) {
    Tensor* x = call.tensor;
    int64_t dim = 0, length;
    if (!read_axis(call, 1, dim)) return nullptr;
    if (Ints lengths; !is_int(call.values[0], length))
        return read_ints(call, 0, lengths) ? split_in_lengths(call, dim, lengths) : nullptr;
    int64_t extent = x->dims()[dim];
    if (length < 0 || (length == 0 && extent))
        return refuse(call, "split_size=" + std::to_string(length) + " divides no axis",
                      "parts have 1 or more elements");
    return cut(x, dim, equal_parts(extent, std::max<int64_t>(length, 1)));
}

bool read_sections(const Call& call, int64_t& sections) {
    if (!read_int(call, 0, sections)) return false;
    if (sections > 0 && sections <= INT32_MAX) return true;
    std::string name(call.signature.names[0]);
    return refuse(call, name + "=" + std::to_string(sections) + " makes no parts", "there are 1 or more"), false;
}

PyObject* chunk(Call& call) {
    Tensor* x = call.tensor;
    int64_t chunks, dim = 0;
    if (!read_sections(call, chunks) || !read_axis(call, 1, dim)) return nullptr;
    int64_t extent = x->dims()[dim];
    if (extent == 0) return cut(x, dim, std::vector<Part>(chunks, Part{0, 0}));
    return cut(x, dim, equal_parts(extent, (extent + chunks - 1) / chunks));
}

// Between indices, as slices have it: those before 0 count from the end, those outside are moved to it.
std::vector<Part> parts_between(const Ints& indices, int64_t extent) {
    std::vector<Part> parts;
    int64_t from = 0;
    for (int i = 0; i <= indices.count; ++i) {
        int64_t to = i < indices.count ? indices.values[i] : extent;
        int64_t start = std::clamp<int64_t>(from < 0 ? from + extent : from, 0, extent);
        int64_t stop = std::clamp<int64_t>(to < 0 ? to + extent : to, 0, extent);
        parts.push_back({start, std::max<int64_t>(stop - start, 0)});
        from = to;
    }
    return parts;
}

PyObject* tensor_split(Call& call) {
    Tensor* x = call.tensor;
    int64_t dim = 0, sections;
    if (!read_axis(call, 1, dim)) return nullptr;
    int64_t extent = x->dims()[dim];
    if (Ints indices; !is_int(call.values[0], sections))
        return read_ints(call, 0, indices) ? cut(x, dim, parts_between(indices, extent)) : nullptr;
    if (!read_sections(call, sections)) return nullptr;
    std::vector<Part> parts;
    for (int64_t i = 0, start = 0; i < sections; start += parts[i++].length)
        parts.push_back({start, extent / sections + (i < extent % sections)});
    return cut(x, dim, parts);
}

PyObject* unbind(Call& call) {
    int64_t dim = 0;
    if (!read_axis(call, 0, dim)) return nullptr;
    return tuple_of(call.tensor->dims()[dim], [&](Py_ssize_t i) { return chosen(call.tensor, dim, i); });
}

PyObject* diagonal(Call& call) {
    Tensor* x = call.tensor;
    int64_t offset = 0, a = 0, b = 1;
    if (!read_int(call, 0, offset) || !read_dim(call, 1, x->rank(), a) || !read_dim(call, 2, x->rank(), b))
        return nullptr;
    if (a == b)
        return refuse(call, "dim1 and dim2 are both axis " + std::to_string(a), "a diagonal runs through two axes");
    Layout layout;
    for (int i = 0; i < x->rank(); ++i)
        if (i != a && i != b) layout.add(x->dims()[i], x->strides()[i]);
    int64_t right = std::clamp<int64_t>(offset, 0, x->dims()[b]), down = std::clamp<int64_t>(offset, -x->dims()[a], 0);
    int64_t length = std::min(x->dims()[a] + down, x->dims()[b] - right);
    layout.add(length, plus(x->strides()[a], x->strides()[b]));
    if (length) layout.offset = plus(times(right, x->strides()[b]), times(-down, x->strides()[a]));
    return view_of(x, layout);
}

constexpr Signature kNarrow("narrow(dim, start, length)"), kSelect("select(dim, index)"),
    kSplit("split(split_size, dim=0)"), kChunk("chunk(chunks, dim=0)"),
    kTensorSplit("tensor_split(indices_or_sections, dim=0)"), kUnbind("unbind(dim=0)"),
    kDiagonal("diagonal(offset=0, dim1=0, dim2=1)");

}  // namespace

PyObject* tensor_iterator(PyObject* self) {
    Tensor* x = reinterpret_cast<Tensor*>(self);
    if (!x->rank()) return fail(Wrong::Type, described(x) + " has no axes to iterate over", "x.item() is its number");
    PyObject* all = tuple_of(x->dims()[0], [&](Py_ssize_t i) { return chosen(x, 0, i); });
    PyObject* iterator = all ? PyObject_GetIter(all) : nullptr;
    Py_XDECREF(all);
    return iterator;
}

Py_ssize_t tensor_length(PyObject* self) {
    Tensor* x = reinterpret_cast<Tensor*>(self);
    if (x->rank()) return x->dims()[0];
    fail(Wrong::Type, described(x) + " has no axes, and so no len()", "x.numel() counts its elements");
    return -1;
}

void add_part_methods(Methods& methods, Attributes&) {
    methods.insert(methods.end(), {defined<kNarrow, narrow>(doc::narrow), defined<kSelect, select>(doc::select),
                                   defined<kSplit, split>(doc::split), defined<kChunk, chunk>(doc::chunk),
                                   defined<kTensorSplit, tensor_split>(doc::tensor_split),
                                   defined<kUnbind, unbind>(doc::unbind), defined<kDiagonal, diagonal>(doc::diagonal)});
}

}  // namespace tw
