"""Eager tensors: PyTorch's names and semantics over compiled ops."""

from tilewright.stdlib.tensor import views
from tilewright.stdlib.tensor.tensor import Tensor

__all__ = ["Tensor", "views"]
