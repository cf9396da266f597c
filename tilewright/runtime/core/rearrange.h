// Views with axes in another order or of extent 1 more; the memory is shared.
#pragma once
#include "tensor.h"

namespace tw {

// A view whose axis `a` is axis order[a] of the tensor, or a new one of extent 1 where that is -1.
Tensor* rearranged(Tensor* tensor, const int* order, int rank);

// A view with one axis moved to another place.
Tensor* moved_axis(Tensor* tensor, int from, int to);

}  // namespace tw
