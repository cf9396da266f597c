#include "view.h"

#include <algorithm>

#include "errors.h"
#include "hooks.h"
#include "small_array.h"

namespace tw {

namespace {

// Whether a tensor may be that large.
bool fits(const Layout& layout, int64_t item) {
    int64_t bytes = item;
    for (int a = 0; a < layout.rank; ++a)
        if (__builtin_mul_overflow(bytes, std::max<int64_t>(layout.dims[a], 1), &bytes) || bytes > kLargest)
            return false;
    return true;
}

PyObject* too_many_axes(int rank) {
    std::string most = std::to_string(kMaxRank);
    return fail(Wrong::Value, "a tensor has at most " + most + " axes, not " + std::to_string(rank),
                "squeeze() and flatten() make fewer");
}

PyObject* too_large(const Layout& layout) {
    std::string shape = shown(layout.dims, layout.rank);
    return fail(Wrong::Value, "a tensor of shape " + shape + " is too large",
                "a tensor has at most 2^48 bytes, views too");
}

// Without elements all strides are as good: PyTorch keeps those of the same shape, else has row-major ones.
void set_empty_strides(Tensor* tensor, Layout& to) {
    bool same = to.rank == tensor->rank() && few_equal(to.dims, to.rank, tensor->dims());
    if (same) copy_few(tensor->strides(), to.rank, to.strides);
    else row_major(to.dims, to.strides, to.rank, info(tensor->dtype).bytes);
}

}  // namespace

int64_t count_of(Tensor* tensor) { return tensor->bytes / info(tensor->dtype).bytes; }

PyObject* view_of(Tensor* tensor, const Layout& layout, DType dtype) {
    if (layout.rank > kMaxRank) return too_many_axes(layout.rank);
    if (!fits(layout, info(dtype).bytes)) return too_large(layout);
    auto first = reinterpret_cast<uintptr_t>(tensor->data) + layout.offset;  // anywhere, where there are no elements
    Tensor* view = over(tensor->storage, reinterpret_cast<char*>(first), dtype, layout.dims, layout.strides, layout.rank);
    if (!view) return nullptr;
    view->readonly = tensor->readonly;
    return reinterpret_cast<PyObject*>(view);
}

PyObject* part_of(Tensor* tensor, int axis, int64_t start, int64_t length) {
    Layout layout = layout_of(tensor);
    layout.dims[axis] = length;
    layout.offset = times(start, layout.strides[axis]);
    return view_of(tensor, layout);
}

// From the last axis on, runs of axes that move through memory as one axis must be runs of the new ones, too.
bool set_strides(Tensor* tensor, Layout& to) {
    const int64_t *dims = tensor->dims(), *strides = tensor->strides();
    if (is_empty(dims, tensor->rank())) return set_empty_strides(tensor, to), true;
    if (tensor->rank() == 0) return std::fill_n(to.strides, to.rank, info(tensor->dtype).bytes), true;
    int next = to.rank - 1;
    int64_t inner = strides[tensor->rank() - 1], run = 1, covered = 1;
    for (int a = tensor->rank() - 1; a >= 0; --a) {
        run *= dims[a];
        if (a > 0 && (dims[a - 1] == 1 || strides[a - 1] == times(run, inner))) continue;
        for (; next >= 0 && (covered < run || to.dims[next] == 1); --next) {
            to.strides[next] = times(covered, inner);
            covered = times(covered, to.dims[next]);
        }
        if (covered != run) return false;
        if (a > 0) inner = strides[a - 1];
        run = covered = 1;
    }
    return next == -1;
}

PyObject* reshaped(Tensor* tensor, Layout& to) {
    if (to.rank > kMaxRank) return too_many_axes(to.rank);
    if (set_strides(tensor, to)) return view_of(tensor, to);
    PyObject* copy = contiguous(tensor);
    if (!copy) return nullptr;
    Tensor* whole = reinterpret_cast<Tensor*>(copy);
    PyObject* view = set_strides(whole, to) ? view_of(whole, to) : nullptr;
    if (!view && !PyErr_Occurred()) PyErr_SetString(PyExc_RuntimeError, "the copy of a tensor is not row-major");
    Py_DECREF(copy);
    return view;
}

PyObject* contiguous(Tensor* tensor) {
    PyObject* self = reinterpret_cast<PyObject*>(tensor);
    if (is_row_major(tensor)) return Py_NewRef(self);
    Tensor* made = new_tensor(tensor->dtype, tensor->rank());
    if (!made) return nullptr;
    PyObject* copy = reinterpret_cast<PyObject*>(made);
    std::copy_n(tensor->dims(), tensor->rank(), made->dims());
    PyObject* done = give_memory(made) ? call_hook(Hook::Copy, {self, copy}) : nullptr;
    if (!done) return Py_DECREF(copy), nullptr;
    Py_DECREF(done);
    return copy;
}

}  // namespace tw
