"""The class of tensors."""

from __future__ import annotations

from tilewright.runtime import Tensor as CoreTensor
from tilewright.runtime import set_tensor_hooks, set_tensor_type
from tilewright.stdlib import ops
from tilewright.stdlib.tensor import views


class Tensor(CoreTensor):
    """An n-dimensional array of one element type: dims and strides over shared storage."""

    __slots__ = ()

    hsplit = views.hsplit
    vsplit = views.vsplit
    dsplit = views.dsplit


def _contiguous(tensor: CoreTensor) -> CoreTensor:
    copy: CoreTensor = ops.clone(tensor)
    return copy


set_tensor_type(Tensor)
set_tensor_hooks(contiguous=_contiguous)
