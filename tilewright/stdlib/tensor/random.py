"""Random tensors: a generator counts how many numbers of one endless sequence were drawn.

The sequence is Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011),
keyed by the seed: number i is the same whatever the threads, the target and the layout of the tensor.
"""

from __future__ import annotations

import math
import os
from functools import reduce
from typing import Any

import numpy as np

from tilewright.errors import CallError, CallTypeError
from tilewright.runtime import Tensor, _core, promote_types, to_tensor
from tilewright.runtime.dtypes import dtype, float32, int32, int64, uint8
from tilewright.stdlib import ops
from tilewright.stdlib.tensor.arguments import dims, extent, integer, placed, real, source, span, wanted, whole
from tilewright.stdlib.tensor.conversion import converted, copy_into
from tilewright.stdlib.tensor.creation import filled, get_default_dtype
from tilewright.stdlib.tensor.views import broadcast_shapes

__all__ = [
    "Generator", "bernoulli", "default_generator", "get_rng_state", "initial_seed", "manual_seed", "normal", "rand",
    "rand_like", "randint", "randint_like", "randn", "randn_like", "randperm", "seed", "set_rng_state",
]  # fmt: skip

_FULL = 1 << 64


class Generator:
    """A source of random numbers: a seed, and how many blocks of four were drawn. Not safe for several threads at once.

    It starts with the seed 67280421310721. The numbers are those of Philox4x32-10, keyed by the seed.

    >>> import tilewright as tw
    >>> g = tw.Generator().manual_seed(3)
    >>> a = tw.rand(4, generator=g)
    >>> a.tolist() == tw.rand(4, generator=tw.Generator().manual_seed(3)).tolist()
    True
    """

    def __init__(self, device: Any = "cpu") -> None:
        placed(device, False)
        self._seed, self._drawn = 67280421310721, 0

    def manual_seed(self, seed: int) -> Generator:
        """Starts the sequence of ``seed``, a whole number of 64 bits, negative ones from the end; returns itself.

        CallTypeError for what is no int, CallError for more bits.

        >>> import tilewright as tw
        >>> tw.Generator().manual_seed(-1).initial_seed() == 2**64 - 1
        True
        """
        number = integer("manual_seed(): the seed", seed)
        if not -_FULL // 2 <= number < _FULL:
            raise CallError(f"manual_seed(): the seed {number} has more than 64 bits", hint="as in manual_seed(0)")
        self._seed, self._drawn = number % _FULL, 0
        return self

    def seed(self) -> int:
        """Starts the sequence of a seed that the system draws, which is returned.

        >>> import tilewright as tw
        >>> g = tw.Generator()
        >>> g.seed() == g.initial_seed()
        True
        """
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """The seed.

        >>> import tilewright as tw
        >>> tw.Generator().manual_seed(3).initial_seed()
        3
        """
        return self._seed

    def get_state(self) -> Tensor:
        """Seed and number of blocks drawn as a uint8 tensor of 16 elements, for :meth:`set_state`.

        >>> import tilewright as tw
        >>> tw.Generator().manual_seed(3).get_state()[:2].tolist()
        [3, 0]
        """
        state = self._seed.to_bytes(8, "little") + self._drawn.to_bytes(8, "little")
        return to_tensor(np.frombuffer(bytearray(state), np.uint8))

    def set_state(self, state: Any) -> Generator:
        """Goes on where the generator was that gave ``state``, a uint8 tensor of 16 elements; returns itself.

        Any 16 bytes are a state: a seed, then how many blocks were drawn, little end first. CallTypeError for another
        dtype, CallError for another shape.

        >>> import tilewright as tw
        >>> g, other = tw.Generator().manual_seed(3), tw.Generator()
        >>> a = tw.rand(4, generator=g)
        >>> tw.rand(4, generator=other.set_state(g.get_state())).tolist() == tw.rand(4, generator=g).tolist()
        True
        """
        given = source("set_state", state, "state")
        if given.dtype is not uint8:
            raise CallTypeError(f"a state is of tilewright.uint8, not {given.dtype}", hint="get_state() gives one")
        if tuple(given.shape) != (16,):
            raise CallError(f"a state has the shape [16], not {[*given.shape]}", hint="get_state() gives one")
        raw = bytes(np.asarray(given))
        self._seed, self._drawn = int.from_bytes(raw[:8], "little"), int.from_bytes(raw[8:], "little")
        return self

    def take(self, count: int) -> dict[str, int]:
        """The seed and the offset, in blocks of four, of the next ``count`` numbers, which count as drawn: keywords of
        ops.

        >>> import tilewright as tw
        >>> g = tw.Generator().manual_seed(3)
        >>> g.take(5), g.take(1)
        ({'seed': 3, 'offset': 0}, {'seed': 3, 'offset': 2})
        """
        offset = self._drawn
        self._drawn = (self._drawn + -(-count // 4)) % _FULL
        return {"seed": self._seed, "offset": offset}


default_generator = Generator()
"""What draws where no generator is given."""


def manual_seed(seed: int) -> Generator:
    """Starts the default generator, which is returned, anew with ``seed``: see :meth:`Generator.manual_seed` for
    errors.

    >>> import tilewright as tw
    >>> g = tw.manual_seed(0)
    >>> a = tw.randn(3)
    >>> g = tw.manual_seed(0)
    >>> a.tolist() == tw.randn(3).tolist()
    True
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Starts the default generator anew with a seed that the system draws, which is returned.

    >>> import tilewright as tw
    >>> tw.seed() == tw.initial_seed()
    True
    """
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator.

    >>> import tilewright as tw
    >>> tw.manual_seed(3).initial_seed() == tw.initial_seed()
    True
    """
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator, a uint8 tensor of 16 elements.

    >>> import tilewright as tw
    >>> tw.get_rng_state().shape
    (16,)
    """
    return default_generator.get_state()


def set_rng_state(new_state: Any) -> None:
    """Sets the state of the default generator: see :meth:`Generator.set_state`.

    >>> import tilewright as tw
    >>> state = tw.get_rng_state()
    >>> a = tw.rand(2)
    >>> tw.set_rng_state(state)
    >>> a.tolist() == tw.rand(2).tolist()
    True
    """
    default_generator.set_state(new_state)


# --- tensors --------------------------------------------------------------------------------


def drawn(op: str, target: Tensor, generator: Generator | None, **scalars: float) -> Tensor:
    """Writes numbers that ``op`` draws to all elements of ``target``, which is given back."""
    taken = _own(generator).take(target.numel())
    return ops.get(op)(target, **scalars, **taken, out=target)  # type: ignore[no-any-return]


def _own(generator: Generator | None) -> Generator:
    own = default_generator if generator is None else generator
    if not isinstance(own, Generator):
        raise CallTypeError(f"generator={own!r} is no tw.Generator", hint="tw.Generator() makes one")
    return own


def floats(name: str, given: dtype | None) -> dtype:
    """The dtype of floats that is given, or the default one. CallTypeError for others."""
    to = wanted(given, get_default_dtype())
    if not to.is_floating_point:
        raise CallTypeError(f"{name}() draws floats, not {to}", hint="tw.randint draws whole numbers")
    return to


def within(name: str, argument: str, value: Any, most: float = math.inf) -> None:
    """CallError unless a number, or all elements of a tensor, are between 0 and ``most``."""
    if isinstance(value, Tensor):
        any_value: Any = value
        ends = [any_value.amin().item(), any_value.amax().item()] if value.numel() else []
    else:
        ends = [value]
    for end in ends:
        if not 0 <= end <= most:
            hint = "it is 0 or more" if most == math.inf else f"it is from 0 to {most}"
            raise CallError(f"{name}(): {argument} is {end}", hint=hint)


def rand(
    *size: Any,
    generator: Generator | None = None,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers of [0, 1), each of the 2^24 multiples of 2^-24 as likely as the others: 2^11 in float16, 2^8 in bfloat16.

    ``size``: the extents, as ints or one tuple. Of the default dtype, or of the floats that are given. CallTypeError
    for other dtypes, sizes and generators, CallError for negative extents. The numbers are not PyTorch's.

    >>> import tilewright as tw
    >>> tw.rand(2, 3).shape
    (2, 3)
    """
    placed(device, requires_grad)
    shape, to = dims("rand", size), floats("rand", dtype)
    digits = {"f16": 11, "bf16": 8}.get(to.code)
    if digits is None:
        return drawn("uniform", _core.empty(shape, to), generator)
    places: Any = drawn("randint", _core.empty(shape, int32), generator, low=0, high=1 << digits)
    return converted(places, to) * 0.5**digits  # type: ignore[no-any-return]


def randn(
    *size: Any,
    generator: Generator | None = None,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers of the normal distribution of mean 0 and deviation 1: its inverse at the middles of 2^24 equal parts.

    Sizes, dtypes and errors as in :func:`rand`.

    >>> import tilewright as tw
    >>> tw.randn(2, dtype=tw.float64).dtype
    tilewright.float64
    """
    placed(device, requires_grad)
    return drawn("normal", _core.empty(dims("randn", size), floats("randn", dtype)), generator)


def randint(
    low: Any = 0,
    high: Any = None,
    size: Any = None,
    *,
    generator: Generator | None = None,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Whole numbers from ``low`` (0) to ``high - 1``; int64 unless a dtype is given. ``randint(high, size)`` too.

    ``size``: the extents. CallError where there is no such number, more than 2^32, or one that does not fit into the
    dtype (of floats: where not all whole numbers are there); CallTypeError for ends and sizes that are no ints.

    >>> import tilewright as tw
    >>> tw.randint(5, 6, (3,)).tolist()
    [5, 5, 5]
    """
    placed(device, requires_grad)
    if size is None:
        low, high, size = 0, low, high if isinstance(high, (tuple, list)) else None
    if size is None:
        raise CallError("randint(): no size is given", hint="as in tw.randint(0, 10, (2, 3))")
    return integers("randint", _core.empty(dims("randint", (size,)), wanted(dtype, int64)), low, high, generator)


def integers(name: str, made: Tensor, low: Any, high: Any, generator: Generator | None) -> Tensor:
    """Writes whole numbers from ``low`` to ``high - 1`` to all elements of ``made``, which is given back."""
    low, high = whole(f"{name}(): low", low), whole(f"{name}(): high", high)
    if not low < high <= low + 2**32:
        raise CallError(f"{name}(): there are {high - low} numbers from {low} to {high} - 1", hint="1 to 2**32 may be")
    _fit(name, low, high, made.dtype)
    if made.dtype.kind in ("signed", "unsigned"):
        return drawn("randint", made, generator, low=low, high=high)
    copy_into(made, drawn("randint", _core.empty(made.shape, int64), generator, low=low, high=high))
    return made


def any_integers(made: Tensor, generator: Generator | None) -> Tensor:
    """Writes whole numbers from 0 to the greatest of the dtype of ``made``; of floats, below which all are."""
    bits = (span(made.dtype)[1] - made.dtype.is_floating_point).bit_length()
    if bits <= 32:
        return integers("random_", made, 0, 1 << bits, generator)
    upper, lower = (
        drawn("randint", _core.empty(made.shape, int64), generator, low=0, high=1 << n) for n in (bits - 32, 32)
    )
    both: Any = upper
    copy_into(made, (both << 32) + lower)
    return made


def _fit(name: str, low: int, high: int, to: dtype) -> None:
    least, most = span(to)
    if low < least or high - 1 > most:
        raise CallError(f"{name}(): {low} to {high} - 1 do not fit into {to}", hint="choose a wider dtype")


def rand_like(input: Any, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """:func:`rand` of the shape and dtype (unless one is given) of ``input``. CallTypeError if that is no tensor of
    floats.

    >>> import tilewright as tw
    >>> tw.rand_like(tw.zeros(2)).shape
    (2,)
    """
    given = source("rand_like", input)
    return rand(tuple(given.shape), dtype=wanted(dtype, given.dtype), device=device, requires_grad=requires_grad)


def randn_like(input: Any, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """:func:`randn` of the shape and dtype (unless one is given) of ``input``. CallTypeError if that is no tensor of
    floats.

    >>> import tilewright as tw
    >>> tw.randn_like(tw.zeros(2)).shape
    (2,)
    """
    given = source("randn_like", input)
    return randn(tuple(given.shape), dtype=wanted(dtype, given.dtype), device=device, requires_grad=requires_grad)


def randint_like(
    input: Any, low: int, high: int | None = None, *, dtype: dtype | None = None, device: Any = None
) -> Tensor:
    """:func:`randint` of the shape and dtype (unless one is given) of ``input``. CallTypeError if that is no tensor.

    >>> import tilewright as tw
    >>> tw.randint_like(tw.zeros(2), 1).tolist()
    [0.0, 0.0]
    """
    placed(device, False)
    given = source("randint_like", input)
    if high is None:
        low, high = 0, low
    return integers("randint_like", _core.empty(tuple(given.shape), wanted(dtype, given.dtype)), low, high, None)


def randperm(n: int, *, generator: Generator | None = None, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """The numbers from 0 to n - 1 in a random order: one axis; int64 unless a dtype is given.

    CallError for a negative n and where the numbers do not fit into the dtype, CallTypeError for what is no int.

    >>> import tilewright as tw
    >>> sorted(tw.randperm(4).tolist())
    [0, 1, 2, 3]
    """
    placed(device, False)
    count, to = extent("randperm", n), wanted(dtype, int64)
    _fit("randperm", 0, count, to)
    taken = _own(generator).take(2 * count)
    return converted(ops.get("randperm")(_core.empty((count,), int32), **taken), to)  # type: ignore[no-any-return]


def bernoulli(input: Any, p: float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that ``input`` says (or ``p``), else 0, in its shape and dtype.

    Probabilities are floats; with ``p`` any dtype goes. CallError for those outside of 0 to 1, CallTypeError for other
    dtypes.

    >>> import tilewright as tw
    >>> tw.bernoulli(tw.tensor([0.0, 1.0])).tolist()
    [0.0, 1.0]
    """
    chances = source("bernoulli", input)
    if p is None:
        floats("bernoulli", chances.dtype)
        within("bernoulli", "a probability", chances, 1)
        return ops.get("bernoulli")(chances, **_own(generator).take(chances.numel()))  # type: ignore[no-any-return]
    within("bernoulli", "p", real("bernoulli", "p", p), 1)
    kind = chances.dtype if chances.dtype.is_floating_point else float32
    made = drawn("bernoulli", filled("bernoulli", tuple(chances.shape), p, kind), generator)
    return converted(made, chances.dtype)  # type: ignore[no-any-return]


def normal(
    mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Generator | None = None, dtype: dtype | None = None
) -> Tensor:
    """Numbers of normal distributions; mean and deviation are numbers, with a size, or tensors, which broadcast.

    Of the default dtype, or that of the tensors, or of the floats that are given. CallError for a negative deviation,
    shapes that do not broadcast, and numbers without a size; CallTypeError for other dtypes.

    >>> import tilewright as tw
    >>> tw.normal(0.0, 1.0, (2, 3)).shape
    (2, 3)
    """
    if size is not None:
        made = _core.empty(dims("normal", (size,)), floats("normal", dtype))
        within("normal", "std", real("normal", "std", std))
        return drawn("normal", made, generator, mean=real("normal", "mean", mean), std=float(std))
    operands: list[Any] = [
        v if isinstance(v, (int, float)) else source("normal", v, n) for n, v in (("mean", mean), ("std", std))
    ]
    tensors = [v for v in operands if isinstance(v, Tensor)]
    if not tensors:
        raise CallError("normal(): no size is given", hint="as in tw.normal(0.0, 1.0, (2, 3))")
    to = floats("normal", wanted(dtype, reduce(promote_types, [t.dtype for t in tensors])))
    within("normal", "std", operands[1])
    drawn_ones: Any = randn(broadcast_shapes(*(tuple(t.shape) for t in tensors)), generator=generator, dtype=to)
    return converted(operands[0] + drawn_ones * operands[1], to)  # type: ignore[no-any-return]
