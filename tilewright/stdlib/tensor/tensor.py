"""The class of tensors."""

from __future__ import annotations

from tilewright.runtime import Tensor as CoreTensor
from tilewright.runtime import set_tensor_hooks, set_tensor_type
from tilewright.runtime._core import set_operators, supply
from tilewright.stdlib import ops
from tilewright.stdlib.tensor import conversion, functions, random, views
from tilewright.stdlib.tensor.basics import HOOKS, Basics
from tilewright.stdlib.tensor.methods import Methods


class Tensor(Basics, Methods):
    """An n-dimensional array of one element type: dims and strides over shared storage.

    At most 32 axes; the dtypes are bool, four widths of signed and unsigned integers, and the floats float16, bfloat16,
    float32 and float64. ``tw.tensor`` and its like make tensors.

    >>> import tilewright as tw
    >>> x = tw.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> (x + x.T).tolist(), x.shape, x.dtype
    ([[2.0, 5.0], [5.0, 8.0]], (2, 2), tilewright.float32)
    """

    __slots__ = ()

    __array_priority__ = 1000  # NumPy's arrays leave operators to tensors

    hsplit = views.hsplit
    vsplit = views.vsplit
    dsplit = views.dsplit
    bernoulli = random.bernoulli
    multinomial = random.multinomial


def _copy(source: CoreTensor | tuple[CoreTensor, ...], target: CoreTensor | tuple[CoreTensor | None, ...]) -> None:
    sources = source if isinstance(source, tuple) else (source,)
    targets = target if isinstance(target, tuple) else (target,)
    for one, to in zip(sources, targets, strict=True):
        if to is not None:
            conversion.copy_into(to, one)


set_tensor_type(Tensor)
set_tensor_hooks(copy=_copy, **HOOKS)
supply(functions.get, ops.get, "convert", conversion.coerce)
set_operators(functions.OPERATORS)
