"""New tensors, under PyTorch's names."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from tilewright.errors import CallError, CallTypeError, UnsupportedError
from tilewright.runtime import Tensor, _core, to_tensor
from tilewright.runtime.dtypes import bool_, dtype, float32, float64, int64
from tilewright.stdlib import ops
from tilewright.stdlib.tensor import devices
from tilewright.stdlib.tensor.special import converted

__all__ = [
    "arange", "as_tensor", "asarray", "empty", "empty_like", "empty_strided", "eye", "from_numpy", "frombuffer", "full",
    "full_like", "get_default_dtype", "linspace", "logspace", "ones", "ones_like", "set_default_dtype", "tensor",
    "tril_indices", "triu_indices", "zeros", "zeros_like",
]  # fmt: skip

Number: TypeAlias = bool | int | float

_default: list[dtype] = [float32]


def get_default_dtype() -> dtype:
    """The dtype of floats that are given none: ``tw.float32`` unless it was set.

    >>> import tilewright as tw
    >>> tw.get_default_dtype()
    tilewright.float32
    """
    return _default[0]


def set_default_dtype(d: dtype, /) -> None:
    """Sets what new tensors of Python floats have; CallTypeError if it is no float.

    >>> import tilewright as tw
    >>> tw.set_default_dtype(tw.float64)
    >>> tw.tensor([1.5]).dtype
    tilewright.float64
    >>> tw.set_default_dtype(tw.float32)
    """
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise CallTypeError(f"{d!r} is no default for floats", hint="tw.float32 and tw.float64 are")
    _default[0] = d
    _core.set_default_float(d.code)


# --- arguments ------------------------------------------------------------------------------


def placed(device: Any, requires_grad: bool) -> None:
    """Checks the arguments that all functions share."""
    devices.checked(device)
    if requires_grad:
        raise UnsupportedError("tensors keep no gradients yet", hint="leave requires_grad out")


def wanted(given: dtype | None, otherwise: dtype) -> dtype:
    """The dtype that is given, or ``otherwise``."""
    if given is not None and not isinstance(given, dtype):
        raise CallTypeError(f"dtype={given!r} is no dtype", hint="as in dtype=tw.float32")
    return otherwise if given is None else given


def dims(name: str, size: tuple[Any, ...]) -> tuple[int, ...]:
    """The extents that are given one by one or as a sequence."""
    given = size[0] if len(size) == 1 and isinstance(size[0], (tuple, list)) else size
    for extent in given:
        if isinstance(extent, bool) or not hasattr(extent, "__index__"):
            raise CallTypeError(f"{name}(): the extent {extent!r} is no whole number")
        if extent < 0:
            raise CallError(f"{name}(): the extent {extent} is negative", hint="extents are 0 or more")
    return tuple(map(int, given))


def dtype_of_number(value: object) -> dtype:
    """What a Python number is in a tensor."""
    return bool_ if isinstance(value, bool) else int64 if isinstance(value, int) else _default[0]


def filled(shape: tuple[int, ...], value: Number, to: dtype) -> Tensor:
    """A new tensor of one value."""
    made = _core.empty(shape, to)
    return fill(made, value)


def fill(target: Tensor, value: Number) -> Tensor:
    """Writes ``value`` to all elements of ``target``, which is given back."""
    kind = target.dtype.kind
    cell = builtins.bool(value) if kind == "bool" else value
    if kind in ("signed", "unsigned") and not isinstance(value, int):
        cell = int(value)
    result: Tensor = ops.get("fill")(target, value=cell, out=target)
    return result


# --- from data ------------------------------------------------------------------------------


def tensor(data: Any, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor of numbers, of lists of lists of them, or of an array or a tensor, which is copied.

    Python floats become the default dtype, ints int64, bools bool; arrays keep theirs. CallError where lists differ in
    length, CallTypeError for what is no number.

    >>> import tilewright as tw
    >>> tw.tensor([[1, 2], [3, 4]]).shape, tw.tensor(2.5).dtype
    ((2, 2), tilewright.float32)
    """
    placed(device, requires_grad)
    source = _tensor_of(data, dtype)
    made = converted(source, wanted(dtype, source.dtype))
    if made is not source or not _is_foreign(data):
        result: Tensor = made
        return result
    copy = _core.empty(source.shape, source.dtype)
    return ops.get("clone")(source, out=copy)  # type: ignore[no-any-return]


def as_tensor(data: Any, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """As :func:`tensor`, over the memory of an array or tensor where its dtype is the one wanted: nothing is copied.

    >>> import tilewright as tw
    >>> tw.as_tensor([1, 2]).tolist()
    [1, 2]
    """
    placed(device, False)
    source = _tensor_of(data, dtype)
    result: Tensor = converted(source, wanted(dtype, source.dtype))
    return result


def asarray(obj: Any, *, dtype: dtype | None = None, device: Any = None, copy: bool | None = None) -> Tensor:
    """As :func:`as_tensor`; with ``copy=True`` as :func:`tensor`, with ``copy=False`` CallError where it must copy.

    >>> import tilewright as tw
    >>> tw.asarray([1.5]).dtype
    tilewright.float32
    """
    if copy:
        return tensor(obj, dtype=dtype, device=device)
    made = as_tensor(obj, dtype, device)
    if copy is False and not (_is_foreign(obj) and made.data_ptr() == to_tensor(obj).data_ptr()):
        raise CallError("asarray(): this cannot be a tensor without a copy", hint="leave copy=False out")
    return made


def from_numpy(array: np.ndarray[Any, Any], /) -> Tensor:
    """A tensor over the memory of a NumPy array, of its shape, strides and dtype. CallTypeError for anything else.

    >>> import numpy as np, tilewright as tw
    >>> a = np.zeros(2)
    >>> t = tw.from_numpy(a)
    >>> a[0] = 5
    >>> t.tolist()
    [5.0, 0.0]
    """
    if not isinstance(array, np.ndarray):
        raise CallTypeError(f"from_numpy() takes an array, not {type(array).__name__}", hint="tw.tensor(x) takes more")
    return to_tensor(array)


def frombuffer(buffer: Any, *, dtype: dtype, count: int = -1, offset: int = 0) -> Tensor:
    """A tensor of one axis over the bytes of a buffer from ``offset`` on; ``count`` elements, or all (-1).

    >>> import tilewright as tw
    >>> tw.frombuffer(bytes([1, 2]), dtype=tw.uint8).tolist()
    [1, 2]
    """
    if offset < 0 or count < -1:
        raise CallError(f"frombuffer(): offset={offset} or count={count} is negative", hint="count=-1 takes all")
    data = memoryview(buffer).cast("B")[offset:]
    size = wanted(dtype, float32).itemsize
    elements = len(data) // size if count == -1 else count
    if elements * size > len(data) or (count == -1 and len(data) % size):
        hint = f"count={len(data) // size} is the most from offset={offset} on"
        raise CallError(f"frombuffer(): {len(data)} bytes are not {elements} elements of {dtype}", hint=hint)
    return Tensor.from_buffer(np.frombuffer(data, _CELLS[size], elements), dtype.code)


_CELLS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def _is_foreign(data: Any) -> bool:
    return isinstance(data, Tensor) or any(hasattr(data, f) for f in ("__dlpack__", "__array__", "__array_interface__"))


def _tensor_of(data: Any, to: dtype | None) -> Any:
    """A tensor of the data; of numbers in the dtype that they have, or in ``to`` where it holds more."""
    if _is_foreign(data):
        return to_tensor(data)
    found: list[Any] = []
    shape = _walk(data, found)
    kinds = {bool if isinstance(v, bool) else float if isinstance(v, float) else int for v in found}
    kind = dtype_of_number(0.0 if float in kinds or not found else 0 if int in kinds else False)
    if not found:
        kind = wanted(to, kind)
    elif to is not None and kind is int64 and to.kind in ("signed", "unsigned"):
        kind = to
    elif to is not None and to.is_floating_point and kind.is_floating_point:
        kind = float64
    return Tensor.from_buffer(_array(found, kind).reshape(shape))


def _array(found: list[Any], to: dtype) -> np.ndarray[Any, Any]:
    try:
        return np.array(found, to.name)
    except (OverflowError, ValueError) as error:
        raise CallError(f"tensor(): {error}", hint=f"these numbers do not fit into {to}") from None
    except TypeError:
        return np.array(found, np.float32)


def _walk(data: Any, found: list[Any]) -> tuple[int, ...]:
    """The shape of nested lists; their numbers are added to ``found``."""
    if isinstance(data, (bool, int, float)):
        found.append(data)
        return ()
    if _is_foreign(data):
        array = np.asarray(to_tensor(data))
        found += array.reshape(-1).tolist()
        return tuple(array.shape)
    if not isinstance(data, Sequence) or isinstance(data, (str, bytes)):
        raise CallTypeError(f"tensor(): {data!r} is no number", hint="numbers, lists of them and arrays are taken")
    shapes = [_walk(item, found) for item in data]
    for n, shape in enumerate(shapes):
        if shape != shapes[0]:
            message = f"tensor(): element {n} of a list has the shape {[*shape]}, those before {[*shapes[0]]}"
            raise CallError(message, hint="lists side by side have one length")
    return (len(shapes), *(shapes[0] if shapes else ()))


# --- of one value ---------------------------------------------------------------------------


def empty(*size: Any, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor whose elements are whatever was in memory.

    >>> import tilewright as tw
    >>> tw.empty(2, 3).shape
    (2, 3)
    """
    placed(device, requires_grad)
    return _core.empty(dims("empty", size), wanted(dtype, _default[0]))


def zeros(*size: Any, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor of zeros, of the default dtype unless one is given.

    >>> import tilewright as tw
    >>> tw.zeros(2, 3).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    placed(device, requires_grad)
    return filled(dims("zeros", size), 0, wanted(dtype, _default[0]))


def ones(*size: Any, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor of ones, of the default dtype unless one is given.

    >>> import tilewright as tw
    >>> tw.ones(2).tolist()
    [1.0, 1.0]
    """
    placed(device, requires_grad)
    return filled(dims("ones", size), 1, wanted(dtype, _default[0]))


def full(
    size: Any, fill_value: Number, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A new tensor of one value, in the dtype that the value has in :func:`tensor` unless one is given.

    >>> import tilewright as tw
    >>> tw.full((2,), 7).tolist()
    [7, 7]
    """
    placed(device, requires_grad)
    return filled(dims("full", (size,)), fill_value, wanted(dtype, dtype_of_number(fill_value)))


def empty_strided(size: Any, stride: Any, *, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """A new tensor of these strides, in elements, whose elements are whatever was in memory.

    >>> import tilewright as tw
    >>> tw.empty_strided((2, 3), (1, 2)).stride()
    (1, 2)
    """
    placed(device, False)
    shape, steps = dims("empty_strided", (size,)), dims("empty_strided", (stride,))
    if len(shape) != len(steps):
        raise CallError(f"empty_strided(): the shape {[*shape]} has {len(shape)} axes, the strides {len(steps)}")
    cells = 0 if 0 in shape else 1 + sum((n - 1) * s for n, s in zip(shape, steps, strict=True))
    return _core.empty((cells,), wanted(dtype, _default[0])).as_strided(shape, steps)


def _like(name: str, input: Any, to: dtype | None, device: Any, requires_grad: bool) -> Any:
    placed(device, requires_grad)
    source = to_tensor(input)
    return _core.empty(tuple(source.shape), wanted(to, source.dtype))


def empty_like(input: Any, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """:func:`empty` of the shape and dtype of ``input``; row-major.

    >>> import tilewright as tw
    >>> tw.empty_like(tw.zeros(2)).shape
    (2,)
    """
    result: Tensor = _like("empty_like", input, dtype, device, requires_grad)
    return result


def zeros_like(input: Any, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """:func:`zeros` of the shape and dtype of ``input``.

    >>> import tilewright as tw
    >>> tw.zeros_like(tw.ones(2)).tolist()
    [0.0, 0.0]
    """
    return fill(_like("zeros_like", input, dtype, device, requires_grad), 0)


def ones_like(input: Any, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """:func:`ones` of the shape and dtype of ``input``.

    >>> import tilewright as tw
    >>> tw.ones_like(tw.zeros(2)).tolist()
    [1.0, 1.0]
    """
    return fill(_like("ones_like", input, dtype, device, requires_grad), 1)


def full_like(
    input: Any, fill_value: Number, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """:func:`full` of the shape and dtype of ``input``.

    >>> import tilewright as tw
    >>> tw.full_like(tw.zeros(2), 3).tolist()
    [3.0, 3.0]
    """
    return fill(_like("full_like", input, dtype, device, requires_grad), fill_value)


# --- sequences ------------------------------------------------------------------------------


def arange(
    start: Number,
    end: Number | None = None,
    step: Number = 1,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``start, start + step, ...`` below ``end`` (above it for a negative step); ``arange(end)`` starts from 0.

    int64 if all is whole, else the default dtype; computed in float64 or int64.

    >>> import tilewright as tw
    >>> tw.arange(1, 2, 0.25).tolist(), tw.arange(3).tolist()
    ([1.0, 1.25, 1.5, 1.75], [0, 1, 2])
    """
    placed(device, requires_grad)
    if end is None:
        start, end = 0, start
    if step == 0:
        raise CallError("arange(): the step is 0", hint="it is above or below 0")
    if (end - start) * step < 0:
        raise CallError(f"arange(): a step of {step} does not lead from {start} to {end}", hint="turn its sign")
    whole = all(hasattr(v, "__index__") and not isinstance(v, Tensor) for v in (start, end, step))
    count = -(-(end - start) // step) if whole else math.ceil((end - start) / step)
    made = _core.empty((int(count),), wanted(dtype, int64 if whole else _default[0]))
    if made.dtype.is_floating_point:
        return ops.get("arange")(made, start=start, step=step, out=made)  # type: ignore[no-any-return]
    if made.dtype.kind == "bool":
        raise CallTypeError("arange() has no bools", hint="tw.arange(n) % 2 == 1 makes some")
    return ops.get("arange_whole")(made, start=int(start), step=int(step), out=made)  # type: ignore[no-any-return]


def linspace(
    start: Number,
    end: Number,
    steps: int,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``steps`` numbers evenly from ``start`` to ``end``, both included; computed in float64.

    >>> import tilewright as tw
    >>> tw.linspace(0, 1, 5).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    placed(device, requires_grad)
    made = _core.empty(dims("linspace", (steps,)), wanted(dtype, _default[0]))
    return ops.get("linspace")(made, start=start, end=end, out=made)  # type: ignore[no-any-return]


def logspace(
    start: Number,
    end: Number,
    steps: int,
    base: float = 10.0,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``base`` to the powers of :func:`linspace`.

    >>> import tilewright as tw
    >>> tw.logspace(0, 2, 3, base=2.0).tolist()
    [1.0, 2.0, 4.0]
    """
    placed(device, requires_grad)
    made = _core.empty(dims("logspace", (steps,)), wanted(dtype, _default[0]))
    return ops.get("logspace")(made, start=start, end=end, base=base, out=made)  # type: ignore[no-any-return]


def eye(
    n: int, m: int | None = None, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The matrix of ``n`` rows and ``m`` (``n``) columns with ones where row and column are equal, else zeros.

    >>> import tilewright as tw
    >>> tw.eye(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    placed(device, requires_grad)
    made = _core.empty(dims("eye", (n, n if m is None else m)), wanted(dtype, _default[0]))
    return ops.get("eye")(made, out=made)  # type: ignore[no-any-return]


def _triangle(name: str, row: int, col: int, keep: Any, to: dtype | None, device: Any) -> Tensor:
    placed(device, False)
    shape = dims(name, (row, col))
    pairs = [(i, j) for i in range(shape[0]) for j in range(shape[1]) if keep(j - i)]
    found = np.array(pairs, np.int64).reshape(-1, 2).T.copy()
    result: Tensor = converted(to_tensor(found), wanted(to, int64))
    return result


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """The places of a matrix on and below its diagonal ``offset``, row by row: an int64 tensor ``[2, n]``.

    >>> import tilewright as tw
    >>> tw.tril_indices(2, 2).tolist()
    [[0, 1, 1], [0, 0, 1]]
    """
    return _triangle("tril_indices", row, col, lambda d: d <= offset, dtype, device)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """The places of a matrix on and above its diagonal ``offset``, row by row: an int64 tensor ``[2, n]``.

    >>> import tilewright as tw
    >>> tw.triu_indices(2, 2).tolist()
    [[0, 0, 1], [0, 1, 1]]
    """
    return _triangle("triu_indices", row, col, lambda d: d >= offset, dtype, device)
