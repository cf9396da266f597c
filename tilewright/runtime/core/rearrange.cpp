#include "rearrange.h"

namespace tw {

Tensor* rearranged(Tensor* tensor, const int* order, int rank) {
    if (rank > kMaxRank) return PyErr_Format(PyExc_ValueError, "more than %d axes", kMaxRank), nullptr;
    Tensor* view = new_tensor(tensor->dtype, rank);
    if (!view) return nullptr;
    int64_t item = info(tensor->dtype).bytes;
    for (int a = 0; a < rank; ++a) {
        view->dims()[a] = order[a] < 0 ? 1 : tensor->dims()[order[a]];
        view->strides()[a] = order[a] < 0 ? item : tensor->strides()[order[a]];
    }
    ++tensor->storage->references;
    give_storage(view, tensor->storage, tensor->data);
    view->readonly = tensor->readonly;
    return view;
}

Tensor* moved_axis(Tensor* tensor, int from, int to) {
    int order[kMaxRank], rank = tensor->rank();
    for (int a = 0, next = 0; a < rank; ++a) {
        next += next == from;
        order[a] = a == to ? from : next++;
    }
    return rearranged(tensor, order, rank);
}

}  // namespace tw
