"""The class of tensors."""

from __future__ import annotations

from tilewright.runtime import Tensor as CoreTensor
from tilewright.runtime import set_tensor_type
from tilewright.stdlib.tensor.functions import install


class Tensor(CoreTensor):
    """An n-dimensional array of one element type: dims and strides over shared storage."""

    __slots__ = ()


set_tensor_type(Tensor)
install(Tensor)
