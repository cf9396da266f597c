// What tensors say of their memory, and views that give strides or an element type anew.
#include <algorithm>

#include "arguments.h"
#include "methods.h"
#include "small_array.h"
#include "tensor_doc.h"
#include "view.h"

namespace tw {

namespace {

Tensor* as_tensor(PyObject* self) { return reinterpret_cast<Tensor*>(self); }

int64_t item_of(Tensor* tensor) { return info(tensor->dtype).bytes; }

// --- facts

bool is_given(const Call& call, int parameter) { return call.values[parameter] && call.values[parameter] != Py_None; }

// All of the values, or that of one axis.
PyObject* by_axis(const Call& call, const int64_t* values) {
    int64_t dim;
    if (!is_given(call, 0)) return int_tuple(values, call.tensor->rank());
    return has_axes(call) && read_dim(call, 0, call.tensor->rank(), dim) ? PyLong_FromLongLong(values[dim]) : nullptr;
}

PyObject* size(Call& call) { return by_axis(call, call.tensor->dims()); }

PyObject* stride(Call& call) {
    int64_t strides[kMaxRank];
    for (int a = 0; a < call.tensor->rank(); ++a) strides[a] = call.tensor->strides()[a] / item_of(call.tensor);
    return by_axis(call, strides);
}

PyObject* numel(Call& call) { return PyLong_FromLongLong(count_of(call.tensor)); }
PyObject* dim(Call& call) { return PyLong_FromLong(call.tensor->rank()); }
PyObject* element_size(Call& call) { return PyLong_FromLongLong(item_of(call.tensor)); }
PyObject* is_contiguous(Call& call) { return PyBool_FromLong(is_row_major(call.tensor)); }
PyObject* get_ndim(PyObject* self, void*) { return PyLong_FromLong(as_tensor(self)->rank()); }
PyObject* get_itemsize(PyObject* self, void*) { return PyLong_FromLongLong(item_of(as_tensor(self))); }
PyObject* get_version(PyObject* self, void*) { return PyLong_FromLongLong(as_tensor(self)->storage->version); }

int64_t offset_of(Tensor* tensor) {
    return reinterpret_cast<intptr_t>(tensor->data) - reinterpret_cast<intptr_t>(tensor->storage->data);
}

PyObject* storage_offset(Call& call) { return PyLong_FromLongLong(offset_of(call.tensor) / item_of(call.tensor)); }

PyObject* to_contiguous(Call& call) { return contiguous(call.tensor); }

// --- strides

PyObject* unfold(Call& call) {
    Tensor* x = call.tensor;
    int64_t dim, size, step;
    if (!read_dim(call, 0, x->rank(), dim) || !read_int(call, 1, size) || !read_int(call, 2, step)) return nullptr;
    int64_t extent = x->rank() ? x->dims()[dim] : 1;
    if (size < 0 || size > extent)
        return refuse(call, "windows of " + std::to_string(size) + " do not fit " + described(x),
                      "size is at most the extent of the axis, " + std::to_string(extent));
    if (step <= 0) return refuse(call, "step=" + std::to_string(step) + " moves no window", "it is 1 or more");
    Layout layout = layout_of(x);
    int64_t along = x->rank() ? x->strides()[dim] : item_of(x);
    if (x->rank()) layout.dims[dim] = (extent - size) / step + 1, layout.strides[dim] = times(along, step);
    layout.add(size, along);
    return view_of(x, layout);
}

bool is_negative(int64_t dim) { return dim < 0; }

// Reads the dims and strides, in elements, of as_strided.
bool read_layout(const Call& call, Layout& layout) {
    Ints size, stride;
    if (!read_ints(call, 0, size) || !read_ints(call, 1, stride)) return false;
    std::string both = "size " + size.text() + " and stride " + stride.text();
    if (size.count != stride.count) return refuse(call, both + " are of two lengths", "every axis has both"), false;
    if (std::any_of(size.values, size.values + size.count, is_negative))
        return refuse(call, both + " have a negative extent", "extents are 0 or more"), false;
    for (int i = 0; i < size.count; ++i) {
        if (stride.values[i] < -kLargest || stride.values[i] > kLargest)
            return refuse(call, both + " reach too far", "at most 2^48 bytes"), false;
        layout.add(size.values[i], stride.values[i] * item_of(call.tensor));
    }
    return true;
}

// Whether all elements, the first at a byte offset in the storage, are inside of it.
bool lies_inside(const Layout& layout, int64_t start, Tensor* tensor) {
    if (is_empty(layout.dims, layout.rank)) return true;
    int64_t low = start, high = start + item_of(tensor), reach;
    for (int a = 0; a < layout.rank; ++a) {
        int64_t& end = layout.strides[a] < 0 ? low : high;
        if (__builtin_mul_overflow(layout.dims[a] - 1, layout.strides[a], &reach) ||
            __builtin_add_overflow(end, reach, &end))
            return false;
    }
    return low >= 0 && high <= tensor->storage->bytes;
}

PyObject* as_strided(Call& call) {
    Tensor* x = call.tensor;
    Layout layout;
    int64_t own = offset_of(x) / item_of(x), offset = own;  // the storage need not be aligned, elements are
    if (!read_layout(call, layout) || !read_int(call, 2, offset)) return nullptr;
    bool near = offset >= 0 && offset <= kLargest;
    if (near) layout.offset = times(offset - own, item_of(x));
    if (layout.rank <= kMaxRank && (!near || !lies_inside(layout, offset_of(x) + layout.offset, x))) {
        std::string holds = "its storage has " + std::to_string(x->storage->bytes / item_of(x)) +
                            " elements, which size, stride and storage_offset count";
        return refuse(call,
                      "size " + shown(layout.dims, layout.rank) + " from storage_offset=" + std::to_string(offset) +
                          " reaches outside of the memory of " + described(x),
                      holds);
    }
    return view_of(x, layout);
}

PyObject* no_reading(const Call& call, DType dtype, const char* why, const char* remedy) {
    std::string what = described(call.tensor) + " cannot be seen as " + info(dtype).name + ": ";
    return refuse(call, what + why, remedy);
}

constexpr const char* kPacked = "contiguous() packs the elements";

// The last axis holds as many bytes in elements of another size.
PyObject* resized(const Call& call, DType dtype) {
    Tensor* x = call.tensor;
    int64_t old = item_of(x), item = info(dtype).bytes;
    int last = x->rank() - 1;
    if (last < 0) return no_reading(call, dtype, "its size changes, and there is no axis", "unsqueeze(0) gives it one");
    if (x->dims()[last] > 1 && x->strides()[last] != old) return no_reading(call, dtype, "the last axis has gaps", kPacked);
    if (x->dims()[last] * old % item)
        return no_reading(call, dtype, "the last axis ends within an element", "make its extent a multiple");
    Layout layout = layout_of(x);
    for (int a = 0; a < last; ++a)
        if (layout.strides[a] % item) return no_reading(call, dtype, "a stride ends within an element", kPacked);
    layout.dims[last] = x->dims()[last] * old / item;
    layout.strides[last] = item;
    return view_of(x, layout, dtype);
}

constexpr Signature kSize("size(dim=None)"), kStride("stride(dim=None)"), kNumel("numel()"), kNelement("nelement()"),
    kDim("dim()"), kNdimension("ndimension()"), kElementSize("element_size()"), kIsContiguous("is_contiguous()"),
    kStorageOffset("storage_offset()"), kContiguous("contiguous()"), kUnfold("unfold(dimension, size, step)"),
    kAsStrided("as_strided(size, stride, storage_offset=None)");

}  // namespace

PyObject* viewed_as(Call& call, DType dtype) {
    Tensor* x = call.tensor;
    if (dtype == DType::Bool && x->dtype != DType::Bool)
        return no_reading(call, dtype, "its bytes need not be 0 or 1", "compare: x != 0");
    if (reinterpret_cast<uintptr_t>(x->data) % info(dtype).bytes && x->bytes)
        return no_reading(call, dtype, "its memory is not aligned to such elements", "clone() is");
    return item_of(x) == info(dtype).bytes ? view_of(x, layout_of(x), dtype) : resized(call, dtype);
}

void add_layout_methods(Methods& methods, Attributes& attributes) {
    methods.insert(
        methods.end(),
        {defined<kSize, size>(doc::size), defined<kStride, stride>(doc::stride), defined<kNumel, numel>(doc::numel),
         defined<kNelement, numel>(doc::nelement), defined<kDim, dim>(doc::dim),
         defined<kNdimension, dim>(doc::ndimension), defined<kElementSize, element_size>(doc::element_size),
         defined<kIsContiguous, is_contiguous>(doc::is_contiguous),
         defined<kStorageOffset, storage_offset>(doc::storage_offset),
         defined<kContiguous, to_contiguous>(doc::contiguous), defined<kUnfold, unfold>(doc::unfold),
         defined<kAsStrided, as_strided>(doc::as_strided)});
    attributes.push_back({"ndim", get_ndim, nullptr, doc::ndim, nullptr});
    attributes.push_back({"itemsize", get_itemsize, nullptr, doc::itemsize, nullptr});
    attributes.push_back({"_version", get_version, nullptr, doc::version, nullptr});
}

}  // namespace tw
