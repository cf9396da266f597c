"""Random tensors, drawn from generators (:mod:`tilewright.stdlib.tensor.generators`)."""

from __future__ import annotations

import math
import sys
from functools import reduce
from typing import Any

from tilewright.errors import CallError, CallTypeError
from tilewright.runtime import Tensor, _core, promote_types
from tilewright.runtime.dtypes import dtype, float32, float64, int32, int64
from tilewright.stdlib import ops
from tilewright.stdlib.tensor import table
from tilewright.stdlib.tensor.arguments import dims, extent, flag, placed, real, source, span, wanted, whole
from tilewright.stdlib.tensor.conversion import converted, copy_into
from tilewright.stdlib.tensor.creation import filled, get_default_dtype
from tilewright.stdlib.tensor.generators import Generator, chosen
from tilewright.stdlib.tensor.views import broadcast_shapes

__all__ = [
    "bernoulli", "dropout", "feature_dropout", "multinomial", "normal", "rand", "rand_like", "randint", "randint_like",
    "randn", "randn_like", "randperm",
]  # fmt: skip


def drawn(op: str, target: Tensor, generator: Generator | None, **scalars: float) -> Tensor:
    """Writes numbers that ``op`` draws to all elements of ``target``, which is given back."""
    taken = chosen(generator).take(target.numel())
    return ops.get(op)(target, **scalars, **taken, out=target)  # type: ignore[no-any-return]


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
    *extents: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Numbers of [0, 1), each of the 2^24 multiples of 2^-24 as likely as the others: 2^11 in float16, 2^8 in bfloat16.

    The extents are ints, or one tuple, which may be given as ``size``. Of the default dtype, or of the floats that are
    given. CallTypeError for other dtypes, sizes and generators, CallError for negative extents. The numbers are not
    PyTorch's.

    >>> import tilewright as tw
    >>> tw.rand(2, 3).shape
    (2, 3)
    """
    placed(device, requires_grad)
    shape, to = dims("rand", extents, size), floats("rand", dtype)
    digits = {"f16": 11, "bf16": 8}.get(to.code)
    if digits is None:
        return drawn("uniform", _core.empty(shape, to), generator)
    places: Any = drawn("randint", _core.empty(shape, int32), generator, low=0, high=1 << digits)
    return converted(places, to) * 0.5**digits  # type: ignore[no-any-return]


def randn(
    *extents: Any,
    size: Any = None,
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
    return drawn("normal", _core.empty(dims("randn", extents, size), floats("randn", dtype)), generator)


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
    taken = chosen(generator).take(2 * count)
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
        return ops.get("bernoulli")(chances, **chosen(generator).take(chances.numel()))  # type: ignore[no-any-return]
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


# --- what chance leaves out or chooses ------------------------------------------------------


def dropout(input: Any, p: float = 0.5, training: bool = True, *, generator: Generator | None = None) -> Tensor:
    """Each element 0 with the probability ``p``, else over ``1 - p``; ``input`` itself unless ``training``.

    Floats of any shape, which stay. CallError for a probability outside of 0 to 1, CallTypeError for other dtypes.
    Source: Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov, "Dropout: a simple way to prevent neural networks
    from overfitting", 2014.

    >>> import tilewright as tw
    >>> {*tw.dropout(tw.ones(99)).tolist()} == {0.0, 2.0}, tw.dropout(tw.ones(2), training=False).tolist()
    (True, [1.0, 1.0])
    """
    return _dropped("dropout", input, p, training, generator)


def feature_dropout(input: Any, p: float = 0.5, training: bool = True, *, generator: Generator | None = None) -> Tensor:
    """As :func:`dropout`, of whole channels: ``input`` is [N, C, ...], each ``input[n, c]`` stays or is 0.

    CallError for fewer than two axes, else dtypes and errors of :func:`dropout`. Source: Tompson, Goroshin, Jain,
    LeCun, Bregler, "Efficient object localization using convolutional networks", 2015.

    >>> import tilewright as tw
    >>> y = tw.feature_dropout(tw.ones(2, 9, 4))
    >>> bool((y == y[:, :, :1]).all())
    True
    """
    return _dropped("feature_dropout", input, p, training, generator, axes=2)


def _dropped(
    name: str, input: Any, p: float, training: bool, generator: Generator | None, axes: int | None = None
) -> Tensor:
    """``input`` without what an op of this name leaves out; one number is drawn per element of the first ``axes``."""
    x = source(name, input)
    within(name, "p", real(name, "p", p), 1)
    if not flag("training", training):
        return x
    _weighing(name, x)
    if axes is not None and len(x.shape) < axes:
        raise CallError(f"{name}(): {[*x.shape]} has {len(x.shape)} axes", hint=f"it takes {axes} or more")
    taken = chosen(generator).take(math.prod(x.shape[:axes]))
    return ops.get(name)(x, p=float(p), **taken)  # type: ignore[no-any-return]


def _weighing(name: str, x: Tensor) -> None:
    if not x.dtype.is_floating_point:
        raise CallTypeError(f"{name}() takes floats, not {x.dtype}", hint="x.to(tw.float32) converts a tensor")


def multinomial(
    input: Any, num_samples: int, replacement: bool = False, *, generator: Generator | None = None
) -> Tensor:
    """``num_samples`` places of ``input``, drawn in proportion to the weights there; each once, or with ``replacement``
    any number of times.

    ``input``: floats of the shape [N], or [M, N] for M draws, that need not add up to 1; the result, of int64, has
    ``num_samples`` in place of N. Without replacement the places are in the order in which they were drawn.
    CallTypeError for other dtypes; CallError for other shapes, weights that are negative or not finite, a row of
    zeros, and without replacement for more samples than there are weights above 0. Source, without replacement:
    Efraimidis, Spirakis, "Weighted random sampling with a reservoir", 2006.

    >>> import tilewright as tw
    >>> sorted(tw.multinomial(tw.tensor([0.5, 0.0, 2.0]), 2).tolist())
    [0, 2]
    >>> tw.multinomial(tw.tensor([[0.0, 1.0], [3.0, 0.0]]), 3, replacement=True).tolist()
    [[1, 1, 1], [0, 0, 0]]
    """
    weights = source("multinomial", input)
    count = whole("multinomial(): num_samples", num_samples)
    again = flag("replacement", replacement)
    _check_weights(weights, count, again)
    draw = _with_replacement if again else _without_replacement
    return draw(converted(weights, float64), count, chosen(generator))


def _check_weights(weights: Any, count: int, again: bool) -> None:
    _weighing("multinomial", weights)
    if weights.ndim not in (1, 2):
        raise CallError(f"multinomial(): the weights have {weights.ndim} axes", hint="one, or two: a row per draw")
    if count < 1:
        raise CallError(f"multinomial(): num_samples is {count}", hint="it is 1 or more")
    within("multinomial", "a weight", weights, sys.float_info.max)
    if weights.ndim == 2 and not weights.shape[0]:
        return
    above = int((weights > 0).sum(-1).amin().item())
    if not above:
        raise CallError("multinomial(): all weights of a row are 0", hint="one of them is above 0")
    if not again and above < count:
        hint = "replacement=True draws a place more than once"
        raise CallError(f"multinomial(): {count} samples, and {above} weights above 0", hint=hint)


def _without_replacement(weights: Any, count: int, generator: Generator) -> Tensor:
    """The first to ring of clocks whose times are exponential and whose rates are the weights.

    They are put in order by logarithms, which neither overflow nor vanish.
    """
    times: Any = table.get("neg")(table.get("log")(_between(tuple(weights.shape), generator)))
    rates = table.get("sub")(table.get("log")(weights), table.get("log")(times))
    order: Any = table.get("argsort")(rates, -1, True)
    return order[..., :count].clone()  # type: ignore[no-any-return]


def _with_replacement(weights: Any, count: int, generator: Generator) -> Tensor:
    """How many of the sums up to each place are at most a part of the whole, told by their order."""
    places = weights.shape[-1]
    sums = table.get("cumsum")(weights / weights.amax(-1, keepdim=True), -1)
    parts: Any = _between((*weights.shape[:-1], count), generator)
    order: Any = table.get("argsort")(ops.concat((sums, parts * sums[..., -1:]), -1), -1)
    below = table.get("cumsum")(order < places, -1)
    return order.scatter(-1, order, below)[..., places:].clone()  # type: ignore[no-any-return]


def _between(shape: tuple[int, ...], generator: Generator) -> Tensor:
    """Numbers between 0 and 1, neither of them: the middles of 2^48 equal parts."""
    high, low = (drawn("uniform", _core.empty(shape, float64), generator) for _ in range(2))
    part: Any = low
    return high + part * 0.5**24 + 0.5**49  # type: ignore[no-any-return]
