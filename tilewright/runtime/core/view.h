// Views: tensors over the memory of another one.
#pragma once
#include "tensor.h"

namespace tw {

// Both wrap around where they overflow: so may strides along which nothing moves.
inline int64_t times(int64_t a, int64_t b) {
    int64_t product;
    (void)__builtin_mul_overflow(a, b, &product);
    return product;
}
inline int64_t plus(int64_t a, int64_t b) {
    int64_t sum;
    (void)__builtin_add_overflow(a, b, &sum);
    return sum;
}

// The axes of a view, and the byte offset of its first element from that of the tensor seen.
struct Layout {
    int rank = 0;  // view_of refuses more than kMaxRank
    int64_t offset = 0;
    int64_t dims[kMaxRank], strides[kMaxRank];

    void add(int64_t dim, int64_t stride) {
        if (rank < kMaxRank) dims[rank] = dim, strides[rank] = stride;
        ++rank;
    }
    // Axes first <= a < last of a tensor.
    void add_axes(Tensor* tensor, int first, int last) {
        for (int a = first; a < last; ++a) add(tensor->dims()[a], tensor->strides()[a]);
    }
    void set_dims(const int64_t* from, int count) {
        for (int i = 0; i < count; ++i) add(from[i], 0);
    }
};

// The axes of a tensor, all or but one.
inline Layout layout_of(Tensor* tensor) {
    Layout layout;
    layout.add_axes(tensor, 0, tensor->rank());
    return layout;
}
inline Layout layout_without(Tensor* tensor, int axis) {
    Layout layout;
    layout.add_axes(tensor, 0, axis);
    layout.add_axes(tensor, axis + 1, tensor->rank());
    return layout;
}

// The stride of an axis of extent 1 put before `axis`, as PyTorch has it.
inline int64_t unit_stride(Tensor* tensor, int axis) {
    return axis < tensor->rank() ? times(tensor->dims()[axis], tensor->strides()[axis]) : info(tensor->dtype).bytes;
}

int64_t count_of(Tensor* tensor);  // the elements

// A new reference; null with an error of the user's where the axes or bytes are more than a tensor has.
PyObject* view_of(Tensor* tensor, const Layout& layout, DType dtype);
inline PyObject* view_of(Tensor* tensor, const Layout& layout) { return view_of(tensor, layout, tensor->dtype); }

// The view of part of one axis.
PyObject* part_of(Tensor* tensor, int axis, int64_t start, int64_t length);

// Sets the strides for the dims in `to`, which have as many elements; false where that needs a copy. PyTorch's rule.
bool set_strides(Tensor* tensor, Layout& to);

// A view with these dims or, where there is none, a copy.
PyObject* reshaped(Tensor* tensor, Layout& to);

// Sets the error for an index along an axis; returns null.
PyObject* out_of_range(Tensor* tensor, int axis, int64_t index);

// The view of the same bytes as another element type.
struct Call;
PyObject* viewed_as(Call& call, DType dtype);

// A row-major tensor of the same elements: itself, or a copy.
PyObject* contiguous(Tensor* tensor);

}  // namespace tw
