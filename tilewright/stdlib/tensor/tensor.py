"""The class of tensors."""

from __future__ import annotations

from tilewright.runtime import Tensor as CoreTensor
from tilewright.runtime import set_tensor_hooks, set_tensor_type
from tilewright.runtime._core import set_operators, supply
from tilewright.stdlib import ops
from tilewright.stdlib.tensor import functions, special
from tilewright.stdlib.tensor.methods import Methods


class Tensor(Methods, CoreTensor):
    """An n-dimensional array of one element type: dims and strides over shared storage."""

    __slots__ = ()

    __array_priority__ = 1000  # NumPy's arrays leave operators to tensors


def _contiguous(tensor: CoreTensor) -> CoreTensor:
    copy: CoreTensor = ops.clone(tensor)
    return copy


set_tensor_type(Tensor)
set_tensor_hooks(contiguous=_contiguous)
supply(functions.get, ops.get, special.coerce, special.copy_into)
set_operators(functions.OPERATORS)
