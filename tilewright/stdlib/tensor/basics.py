"""What every tensor can do besides computing: be written, copied, stored and moved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tilewright.errors import CallError, UnsupportedError
from tilewright.runtime import Tensor as CoreTensor
from tilewright.runtime.arrays import cells
from tilewright.runtime.dtypes import dtype
from tilewright.stdlib import ops
from tilewright.stdlib.tensor import creation, devices, indexing, printing, random
from tilewright.stdlib.tensor.arguments import real, source, wanted
from tilewright.stdlib.tensor.conversion import converted
from tilewright.stdlib.tensor.generators import Generator


class Basics(CoreTensor):
    """The methods of tensors that are no ops."""

    __slots__ = ()

    # --- texts ------------------------------------------------------------------------------

    def __repr__(self) -> str:
        return printing.text(self)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and self.dim() == 0 else format(repr(self), spec)

    def _repr_html_(self) -> str:
        return printing.as_html(self)

    # --- copies -----------------------------------------------------------------------------

    def clone(self) -> Any:
        """A copy, of the same shape and dtype, that lies in memory in the same order of axes.

        >>> import tilewright as tw
        >>> x = tw.zeros(2)
        >>> x.clone().fill_(1).tolist(), x.tolist()
        ([1.0, 1.0], [0.0, 0.0])
        """
        return ops.get("clone")(self)

    def __copy__(self) -> Any:
        return self.as_strided(self.shape, self.stride())

    def __deepcopy__(self, memo: Any) -> Any:
        made = self.clone()
        memo[id(self)] = made
        return made

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        """The elements, row by row: a view is stored without what else its memory holds."""
        data = np.ascontiguousarray(cells(self))
        return _restored, (data, self.dtype)

    def copy_(self, src: Any, non_blocking: bool = False) -> Any:
        """Writes ``src``, a tensor, an array or a number, broadcast and converted, into this tensor, which is returned.

        CallError for shapes that do not broadcast and for a number that does not fit into an integer dtype;
        CallTypeError for what is no tensor or number, and where this tensor cannot be written to.

        >>> import tilewright as tw
        >>> tw.zeros(2, 2).copy_(tw.tensor([1, 2])).tolist()
        [[1.0, 2.0], [1.0, 2.0]]
        """
        indexing.assign(self, src)
        return self

    def fill_(self, value: Any) -> Any:
        """Writes one number to all elements, truncated in integers; returns itself.

        CallTypeError for what is no number, CallError for one that does not fit into an integer dtype.

        >>> import tilewright as tw
        >>> tw.zeros(2, dtype=tw.int32).fill_(7.5).tolist()
        [7, 7]
        """
        return creation.fill(self, value, "fill_")

    def zero_(self) -> Any:
        """Writes 0 to all elements, of any dtype; returns itself. CallTypeError where they cannot be written to.

        >>> import tilewright as tw
        >>> tw.ones(2).zero_().tolist()
        [0.0, 0.0]
        """
        return creation.fill(self, 0)

    def index_put_(self, indices: Any, values: Any, accumulate: bool = False) -> Any:
        """``self[indices] = values``, or ``+=`` with ``accumulate``, where each of equal places counts; returns itself.

        ``indices``: one array of integers or mask per axis; ``values`` broadcast and are converted to this dtype.
        CallTypeError for other indices and for bools that are to add up, CallError for shapes that do not broadcast,
        KernelIndexError for an element that there is not.

        >>> import tilewright as tw
        >>> tw.zeros(3).index_put_((tw.tensor([0, 0]),), tw.ones(2), accumulate=True).tolist()
        [2.0, 0.0, 0.0]
        """
        return indexing.index_put_(self, indices, values, accumulate)

    # --- places and dtypes ------------------------------------------------------------------

    @property
    def device(self) -> devices.device:
        """Where it is: ``tw.device("cpu")``.

        >>> import tilewright as tw
        >>> tw.zeros(1).device
        device(type='cpu')
        """
        return devices.CPU

    @property
    def layout(self) -> str:
        """``"strided"``: there are no others.

        >>> import tilewright as tw
        >>> tw.zeros(1).layout
        'strided'
        """
        return "strided"

    @property
    def is_cuda(self) -> bool:
        """False: there is no such device.

        >>> import tilewright as tw
        >>> tw.zeros(1).is_cuda
        False
        """
        return False

    def to(
        self, *args: Any, dtype: dtype | None = None, device: Any = None, copy: bool = False, non_blocking: bool = False
    ) -> Any:
        """This tensor with a dtype, on a device, or with those of another tensor; itself if it has them, unless copied.

        The shape stays. Floats to integers are truncated, outside of the range the nearest, NaN is 0; integers to
        narrower ones wrap around; what is not 0 is True. CallTypeError for what is no dtype, CallError and
        UnsupportedError for devices.

        >>> import tilewright as tw
        >>> tw.tensor([1.7, -1.7]).to(tw.int32).tolist()
        [1, -1]
        """
        for given in args:
            if isinstance(given, CoreTensor):
                dtype = given.dtype
            elif isinstance(given, type(self.dtype)):
                dtype = given
            elif isinstance(given, bool):
                continue
            else:
                device = given
        devices.checked(device)
        made = converted(self, wanted(dtype, self.dtype))
        return self.clone() if copy and made is self else made

    def to_device(self, device: Any, /, *, stream: Any = None) -> Any:
        """Itself, on the one device that there is. CallError and UnsupportedError for others.

        >>> import tilewright as tw
        >>> x = tw.zeros(1)
        >>> x.to_device("cpu") is x
        True
        """
        devices.checked(device)
        return self

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        """The array API standard's namespace; CallError for a version that it is not of."""
        from tilewright.stdlib import array_api

        if api_version not in (None, "2021.12", "2022.12", "2023.12", "2024.12"):
            raise CallError(f"there is no version {api_version!r} of the array API", hint="2024.12 is there")
        return array_api

    def cpu(self) -> Any:
        """Itself: it is there.

        >>> import tilewright as tw
        >>> x = tw.zeros(1)
        >>> x.cpu() is x
        True
        """
        return self

    def type(self, dtype: dtype | None = None) -> Any:
        """The name of the dtype, or this tensor in another one: see :meth:`to`, also for errors.

        >>> import tilewright as tw
        >>> tw.zeros(1).type(), tw.zeros(1).type(tw.int8).dtype
        ('tilewright.float32', tilewright.int8)
        """
        return repr(self.dtype) if dtype is None else self.to(dtype)

    def type_as(self, other: CoreTensor) -> Any:
        """This tensor in the dtype of another: see :meth:`to`. CallTypeError for what is no tensor.

        >>> import tilewright as tw
        >>> tw.tensor([1.5]).type_as(tw.tensor([1])).tolist()
        [1]
        """
        return self.to(source("type_as", other, "other").dtype)

    def is_floating_point(self) -> bool:
        """Whether the dtype is a float.

        >>> import tilewright as tw
        >>> tw.zeros(1).is_floating_point()
        True
        """
        return self.dtype.is_floating_point

    # --- gradients: none yet ----------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """False: tensors keep no gradients yet.

        >>> import tilewright as tw
        >>> tw.zeros(1).requires_grad
        False
        """
        return False

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Itself, for False. UnsupportedError for True: tensors keep no gradients yet.

        >>> import tilewright as tw
        >>> x = tw.zeros(1)
        >>> x.requires_grad_(False) is x
        True
        """
        if requires_grad:
            raise UnsupportedError("tensors keep no gradients yet")
        return self

    def detach(self) -> Any:
        """A view of all of it, of the same shape and dtype.

        >>> import tilewright as tw
        >>> x = tw.zeros(1)
        >>> x.detach().data_ptr() == x.data_ptr()
        True
        """
        return self.__copy__()

    # --- new tensors ------------------------------------------------------------------------

    def _own(self, keywords: Mapping[str, Any]) -> dict[str, Any]:
        return {"dtype": self.dtype, **{k: v for k, v in keywords.items() if v is not None}}

    def new_tensor(self, data: Any, **keywords: Any) -> Any:
        """:func:`tilewright.tensor` in this dtype, unless one is given; shapes and errors are the same.

        >>> import tilewright as tw
        >>> tw.zeros(1).new_tensor([1, 2]).tolist()
        [1.0, 2.0]
        """
        return creation.tensor(data, **self._own(keywords))

    def new_empty(self, *size: Any, **keywords: Any) -> Any:
        """:func:`tilewright.empty` in this dtype, unless one is given; shapes and errors are the same.

        >>> import tilewright as tw
        >>> tw.zeros(1, dtype=tw.int8).new_empty(2, 3).dtype
        tilewright.int8
        """
        return creation.empty(*size, **self._own(keywords))

    def new_zeros(self, *size: Any, **keywords: Any) -> Any:
        """:func:`tilewright.zeros` in this dtype, unless one is given; shapes and errors are the same.

        >>> import tilewright as tw
        >>> tw.zeros(1, dtype=tw.int8).new_zeros(2).tolist()
        [0, 0]
        """
        return creation.zeros(*size, **self._own(keywords))

    def new_ones(self, *size: Any, **keywords: Any) -> Any:
        """:func:`tilewright.ones` in this dtype, unless one is given; shapes and errors are the same.

        >>> import tilewright as tw
        >>> tw.zeros(1, dtype=tw.int8).new_ones(2).tolist()
        [1, 1]
        """
        return creation.ones(*size, **self._own(keywords))

    def new_full(self, size: Any, fill_value: Any, **keywords: Any) -> Any:
        """:func:`tilewright.full` in this dtype, unless one is given; shapes and errors are the same.

        >>> import tilewright as tw
        >>> tw.zeros(1).new_full((2,), 7).tolist()
        [7.0, 7.0]
        """
        return creation.full(size, fill_value, **self._own(keywords))

    # --- random numbers ---------------------------------------------------------------------

    def uniform_(self, a: float = 0.0, b: float = 1.0, *, generator: Generator | None = None) -> Any:
        """Writes random numbers from a to b, b left out, into this tensor of floats, which is returned.

        CallTypeError for other dtypes, CallError where a is above b.

        >>> import tilewright as tw
        >>> tw.zeros(2).uniform_(3.0, 3.0).tolist()
        [3.0, 3.0]
        """
        random.floats("uniform_", self.dtype)
        low, high = real("uniform_", "a", a), real("uniform_", "b", b)
        if not 0 <= high - low < math.inf:
            raise CallError(f"uniform_(): there are no numbers from {low} to {high}", hint="the lower one comes first")
        return random.drawn("uniform", self, generator, low=low, high=high)

    def normal_(self, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None) -> Any:
        """Writes random numbers of a normal distribution into this tensor of floats, which is returned.

        CallTypeError for other dtypes, CallError for a negative deviation.

        >>> import tilewright as tw
        >>> tw.zeros(2).normal_(5.0, 0.0).tolist()
        [5.0, 5.0]
        """
        random.floats("normal_", self.dtype)
        random.within("normal_", "std", real("normal_", "std", std))
        return random.drawn("normal", self, generator, mean=real("normal_", "mean", mean), std=float(std))

    def bernoulli_(self, p: Any = 0.5, *, generator: Generator | None = None) -> Any:
        """Writes 1 with the probability ``p``, a number or a tensor of floats that broadcasts, else 0; returns itself.

        Any dtype. CallError for probabilities outside of 0 to 1 and a shape that does not broadcast.

        >>> import tilewright as tw
        >>> tw.zeros(2, dtype=tw.int32).bernoulli_(tw.tensor([0.0, 1.0])).tolist()
        [0, 1]
        """
        if isinstance(p, CoreTensor):
            return self.copy_(random.bernoulli(p.expand(self.shape), generator=generator))
        return self.copy_(random.bernoulli(self, p, generator=generator))

    def random_(self, low: int | None = None, high: int | None = None, *, generator: Generator | None = None) -> Any:
        """Writes random whole numbers from ``low`` to ``high - 1``, or from 0 to ``low - 1``; returns itself.

        Without both, from 0 to the greatest of the dtype; of floats, below 2 to the bits of their precision. Errors as
        in :func:`tilewright.randint`.

        >>> import tilewright as tw
        >>> tw.zeros(2, dtype=tw.int8).random_(5, 6).tolist()
        [5, 5]
        """
        if low is None:
            return random.any_integers(self, generator)
        low, high = (0, low) if high is None else (low, high)
        return random.integers("random_", self, low, high, generator)

    def exponential_(self, lambd: float = 1.0, *, generator: Generator | None = None) -> Any:
        """Writes random numbers of the exponential distribution of rate ``lambd`` into this tensor of floats, which is
        returned.

        CallTypeError for other dtypes, CallError for a rate that is not above 0.

        >>> import tilewright as tw
        >>> bool((tw.zeros(9).exponential_() >= 0).all())
        True
        """
        random.floats("exponential_", self.dtype)
        rate = real("exponential_", "lambd", lambd)
        if not rate > 0:
            raise CallError(f"exponential_(): lambd is {rate}", hint="it is above 0")
        made: Any = random.rand(tuple(self.shape), generator=generator)
        return self.copy_((1 - made).log() / -rate)


def _restored(data: Any, to: dtype) -> CoreTensor:
    """The tensor that was stored."""
    return CoreTensor.from_buffer(data if data.flags.writeable else data.copy(), to.code)


HOOKS: Mapping[str, Any] = {
    "advanced_getitem": indexing.getitem,
    "advanced_setitem": indexing.setitem,
    "assign": indexing.assign,
}
"""What the core leaves to Python."""

__all__ = ["HOOKS", "Basics"]
