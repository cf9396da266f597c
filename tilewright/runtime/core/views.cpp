// Methods that give the same elements along other axes.
#include <algorithm>
#include <numeric>

#include "arguments.h"
#include "methods.h"
#include "small_array.h"
#include "tensor_doc.h"
#include "view.h"

namespace tw {

namespace {

PyObject* same(Tensor* tensor) { return Py_NewRef(reinterpret_cast<PyObject*>(tensor)); }

std::string with_elements(Tensor* tensor) {
    return described(tensor) + " has " + counted(count_of(tensor), "element", "elements");
}

std::string with_axes(Tensor* tensor) { return described(tensor) + " has " + counted(tensor->rank(), "axis", "axes"); }

// --- shapes

// Puts an extent in the place of -1. False where the shape does not have so many elements.
bool fill(Ints& shape, int64_t elements) {
    int64_t known = 1;
    int open = -1;
    for (int i = 0; i < shape.count; ++i) {
        int64_t dim = shape.values[i];
        if (dim == -1 && open < 0) open = i;
        else if (dim < 0) return false;
        else known = times(known, dim);
    }
    if (open < 0) return known == elements;
    if (known == 0 || elements % known) return false;
    shape.values[open] = elements / known;
    return true;
}

// Says why a shape does not have the elements of `what`.
bool refuse_shape(const Call& call, const Ints& shape, const std::string& what) {
    const int64_t *first = shape.values, *last = first + shape.count;
    int64_t open = std::count(first, last, -1);
    if (open > 1) return refuse(call, shape.text() + " has -1 twice", "at most one extent can be computed"), false;
    if (std::any_of(first, last, [](int64_t dim) { return dim < -1; }))
        return refuse(call, shape.text() + " has a negative extent", "-1 stands for one that is computed"), false;
    if (open && std::count(first, last, 0))
        return refuse(call, "the extent -1 in " + shape.text() + " could be any: the others have no elements",
                      "say what it is"),
               false;
    return refuse(call, what + ", which do not fill the shape " + shape.text(),
                  "the product of the extents is the number of elements; one may be -1, which is computed"),
           false;
}

bool read_shape(const Call& call, Layout& to) {
    Ints shape;
    if (!read_ints(call, 0, shape)) return false;
    if (!fill(shape, count_of(call.tensor))) return refuse_shape(call, shape, with_elements(call.tensor));
    to.set_dims(shape.values, shape.count);
    return true;
}

PyObject* reshape(Call& call) {
    Layout to;
    return read_shape(call, to) ? reshaped(call.tensor, to) : nullptr;
}

PyObject* no_view(const Call& call, const Layout& to) {
    int64_t strides[kMaxRank];
    for (int a = 0; a < call.tensor->rank(); ++a)
        strides[a] = call.tensor->strides()[a] / info(call.tensor->dtype).bytes;
    std::string whose = described(call.tensor) + ", whose strides are " + shown(strides, call.tensor->rank());
    return refuse(call, whose + ", has no view of shape " + shown(to.dims, to.rank),
                  "reshape(...) copies where it must");
}

PyObject* seen_as(const Call& call, Layout& to) {
    if (to.rank > kMaxRank || set_strides(call.tensor, to))
        return view_of(call.tensor, to);  // which says what is wrong
    return no_view(call, to);
}

PyObject* view(Call& call) {
    DType dtype;
    bool named = call.values[1], sized = call.count || call.values[0];
    PyObject* given = named ? call.values[1] : call.count == 1 ? call.items[0] : nullptr;
    if (given && dtype_of(given, dtype) && !(named && sized)) return viewed_as(call, dtype);
    if (named)
        return refuse(call, "a dtype is needed, alone", "it is called as view(*size) or view(dtype)", Wrong::Type);
    Layout to;
    return read_shape(call, to) ? seen_as(call, to) : nullptr;
}

// The shape of another tensor.
bool shape_of_other(const Call& call, Layout& to) {
    Tensor* other;
    if (!read_tensor(call, 0, other)) return false;
    to.set_dims(other->dims(), other->rank());
    return count_of(other) == count_of(call.tensor) ||
           refuse(call, with_elements(call.tensor) + ", but " + with_elements(other), "both have as many elements");
}

PyObject* view_as(Call& call) {
    Layout to;
    return shape_of_other(call, to) ? seen_as(call, to) : nullptr;
}

PyObject* reshape_as(Call& call) {
    Layout to;
    return shape_of_other(call, to) ? reshaped(call.tensor, to) : nullptr;
}

PyObject* ravel(Call& call) {
    PyObject* whole = contiguous(call.tensor);
    if (!whole) return nullptr;
    Layout to;
    to.add(count_of(call.tensor), 0);
    PyObject* view = reshaped(reinterpret_cast<Tensor*>(whole), to);
    Py_DECREF(whole);
    return view;
}

PyObject* flatten(Call& call) {
    Tensor* x = call.tensor;
    int64_t first = 0, last = -1;
    if (!read_dim(call, 0, x->rank(), first) || !read_dim(call, 1, x->rank(), last)) return nullptr;
    if (first > last) {
        std::string axes = "start_dim=" + std::to_string(first) + " stands after end_dim=" + std::to_string(last);
        return refuse(call, axes, "the axes from start_dim to end_dim become one");
    }
    if (first == last && x->rank()) return same(x);
    const int64_t* dims = x->dims();
    Layout to;
    to.set_dims(dims, first);
    to.add(std::accumulate(dims + first, dims + std::min<int64_t>(last + 1, x->rank()), int64_t{1}, times), 0);
    for (int a = last + 1; a < x->rank(); ++a) to.add(dims[a], 0);
    return reshaped(x, to);
}

PyObject* unflatten(Call& call) {
    Tensor* x = call.tensor;
    int64_t dim;
    Ints sizes;
    if (!has_axes(call) || !read_dim(call, 0, x->rank(), dim) || !read_ints(call, 1, sizes)) return nullptr;
    int64_t extent = x->dims()[dim];
    if (!fill(sizes, extent)) {
        std::string axis = "axis " + std::to_string(dim) + " of " + described(x);
        return refuse_shape(call, sizes, axis + " has " + counted(extent, "element", "elements")), nullptr;
    }
    Layout to;
    to.set_dims(x->dims(), dim);
    to.set_dims(sizes.values, sizes.count);
    to.set_dims(x->dims() + dim + 1, x->rank() - dim - 1);
    return seen_as(call, to);
}

// --- the order of axes

// Reads axes, each at most once.
bool read_dims(const Call& call, int parameter, Ints& dims) {
    if (!read_ints(call, parameter, dims)) return false;
    uint64_t seen = 0;
    for (int i = 0; i < dims.count; ++i) {
        if (!wrap_dim(call, parameter, call.tensor->rank(), dims.values[i])) return false;
        uint64_t bit = uint64_t{1} << dims.values[i];
        if (seen & bit) {
            std::string name(call.signature.names[parameter]);
            return refuse(call, name + " names axis " + std::to_string(dims.values[i]) + " twice",
                          "every axis stands there once"),
                   false;
        }
        seen |= bit;
    }
    return true;
}

PyObject* in_order(Tensor* tensor, const int64_t* axes) {
    Layout layout;
    for (int a = 0; a < tensor->rank(); ++a) layout.add(tensor->dims()[axes[a]], tensor->strides()[axes[a]]);
    return view_of(tensor, layout);
}

PyObject* permute(Call& call) {
    Ints dims;
    if (!read_dims(call, 0, dims)) return nullptr;
    if (dims.count != call.tensor->rank())
        return refuse(call, with_axes(call.tensor) + ", but dims names " + std::to_string(dims.count),
                      "it names every axis once; movedim(source, destination) moves some");
    return in_order(call.tensor, dims.values);
}

PyObject* swapped(Tensor* tensor, int64_t a, int64_t b) {
    Layout layout = layout_of(tensor);
    if (tensor->rank()) std::swap(layout.dims[a], layout.dims[b]), std::swap(layout.strides[a], layout.strides[b]);
    return view_of(tensor, layout);
}

PyObject* transpose(Call& call) {
    int64_t a, b;
    int rank = call.tensor->rank();
    return read_dim(call, 0, rank, a) && read_dim(call, 1, rank, b) ? swapped(call.tensor, a, b) : nullptr;
}

PyObject* t(Call& call) {
    Tensor* x = call.tensor;
    if (x->rank() > 2) return refuse(call, with_axes(x) + ", more than 2", "x.mT swaps the last two, x.T reverses all");
    return swapped(x, 0, x->rank() - 1);
}

PyObject* movedim(Call& call) {
    Tensor* x = call.tensor;
    Ints from, to;
    if (!read_dims(call, 0, from) || !read_dims(call, 1, to)) return nullptr;
    if (from.count != to.count)
        return refuse(
            call, counted(from.count, "axis", "axes") + " to move, " + counted(to.count, "destination", "destinations"),
            "every axis that is moved has one");
    int64_t axes[kMaxRank], rest = 0;
    std::fill_n(axes, x->rank(), -1);
    uint64_t moved = 0;
    for (int i = 0; i < from.count && x->rank(); ++i)
        axes[to.values[i]] = from.values[i], moved |= uint64_t{1} << from.values[i];
    for (int a = 0; a < x->rank(); ++a) {
        if (axes[a] >= 0) continue;
        while (moved >> rest & 1) ++rest;
        axes[a] = rest++;
    }
    return in_order(x, axes);
}

PyObject* get_reversed(PyObject* self, void*) {
    Tensor* x = reinterpret_cast<Tensor*>(self);
    int64_t axes[kMaxRank];
    for (int a = 0; a < x->rank(); ++a) axes[a] = x->rank() - 1 - a;
    return in_order(x, axes);
}

PyObject* get_matrix_transposed(PyObject* self, void*) {
    Tensor* x = reinterpret_cast<Tensor*>(self);
    if (x->rank() >= 2) return swapped(x, x->rank() - 2, x->rank() - 1);
    return fail(Wrong::Value, "mT: " + with_axes(x) + ", fewer than 2", "unsqueeze(dim) adds one");
}

// --- axes of extent 1, and stretched ones

PyObject* squeezed(Tensor* tensor, uint64_t axes) {
    Layout layout;
    for (int a = 0; a < tensor->rank(); ++a)
        if (tensor->dims()[a] != 1 || !(axes >> a & 1)) layout.add(tensor->dims()[a], tensor->strides()[a]);
    return view_of(tensor, layout);
}

PyObject* squeeze(Call& call) {
    PyObject* given = call.values[0];
    if (!given || given == Py_None) return squeezed(call.tensor, ~uint64_t{0});
    Ints dims;
    if (!read_dims(call, 0, dims)) return nullptr;
    uint64_t axes = 0;
    for (int i = 0; i < dims.count; ++i) axes |= uint64_t{1} << dims.values[i];
    return squeezed(call.tensor, axes);
}

PyObject* unsqueeze(Call& call) {
    Tensor* x = call.tensor;
    int64_t dim;
    if (!read_dim(call, 0, x->rank() + 1, dim)) return nullptr;
    Layout layout;
    layout.add_axes(x, 0, dim);
    layout.add(1, unit_stride(x, dim));
    layout.add_axes(x, dim, x->rank());
    return view_of(x, layout);
}

PyObject* no_stretch(const Call& call, const Ints& shape) {
    return refuse(
        call, described(call.tensor) + " does not broadcast to " + shape.text(),
        "counted from the last axis, every extent stays (-1: as it is) unless it is 1; axes are added in front");
}

PyObject* stretched(const Call& call, const Ints& shape) {
    Tensor* x = call.tensor;
    int more = shape.count - x->rank();
    if (more < 0) return no_stretch(call, shape);
    Layout layout;
    for (int a = 0; a < shape.count; ++a) {
        int64_t wanted = shape.values[a], dim = a < more ? 1 : x->dims()[a - more];
        if (a >= more && wanted == -1) wanted = dim;
        if (wanted < 0 || (wanted != dim && dim != 1)) return no_stretch(call, shape);
        layout.add(wanted, wanted == dim && a >= more ? x->strides()[a - more] : 0);
    }
    if (layout.rank <= kMaxRank && x->rank())  // PyTorch's strides of added axes of extent 1
        for (int a = more - 1; a >= 0; --a)
            if (layout.dims[a] == 1) layout.strides[a] = times(layout.dims[a + 1], layout.strides[a + 1]);
    return view_of(x, layout);
}

PyObject* expand(Call& call) {
    Ints shape;
    return read_ints(call, 0, shape) ? stretched(call, shape) : nullptr;
}

PyObject* expand_as(Call& call) {
    Tensor* other;
    if (!read_tensor(call, 0, other)) return nullptr;
    Ints shape;
    shape.take(other->rank());
    copy_few(other->dims(), other->rank(), shape.values);
    return stretched(call, shape);
}

constexpr Signature kReshape("reshape(*shape)"), kView("view(*size, dtype=None)"), kViewAs("view_as(other)"),
    kReshapeAs("reshape_as(other)"), kRavel("ravel()"), kFlatten("flatten(start_dim=0, end_dim=-1)"),
    kUnflatten("unflatten(dim, sizes)"), kPermute("permute(*dims)"), kTranspose("transpose(dim0, dim1)"),
    kSwapaxes("swapaxes(axis0, axis1)"), kSwapdims("swapdims(dim0, dim1)"), kT("t()"),
    kMovedim("movedim(source, destination)"), kMoveaxis("moveaxis(source, destination)"), kSqueeze("squeeze(dim=None)"),
    kUnsqueeze("unsqueeze(dim)"), kExpand("expand(*size)"), kExpandAs("expand_as(other)"),
    kBroadcastTo("broadcast_to(*size)");

}  // namespace

void add_view_methods(Methods& methods, Attributes& attributes) {
    methods.insert(
        methods.end(),
        {defined<kReshape, reshape>(doc::reshape), defined<kView, view>(doc::view),
         defined<kViewAs, view_as>(doc::view_as), defined<kReshapeAs, reshape_as>(doc::reshape_as),
         defined<kRavel, ravel>(doc::ravel), defined<kFlatten, flatten>(doc::flatten),
         defined<kUnflatten, unflatten>(doc::unflatten), defined<kPermute, permute>(doc::permute),
         defined<kTranspose, transpose>(doc::transpose), defined<kSwapaxes, transpose>(doc::swapaxes),
         defined<kSwapdims, transpose>(doc::swapdims), defined<kT, t>(doc::t), defined<kMovedim, movedim>(doc::movedim),
         defined<kMoveaxis, movedim>(doc::moveaxis), defined<kSqueeze, squeeze>(doc::squeeze),
         defined<kUnsqueeze, unsqueeze>(doc::unsqueeze), defined<kExpand, expand>(doc::expand),
         defined<kExpandAs, expand_as>(doc::expand_as), defined<kBroadcastTo, expand>(doc::broadcast_to)});
    attributes.push_back({"T", get_reversed, nullptr, doc::T, nullptr});
    attributes.push_back({"mT", get_matrix_transposed, nullptr, doc::mT, nullptr});
}

}  // namespace tw
