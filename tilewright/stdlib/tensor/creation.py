"""New tensors, under PyTorch's names."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np

from tilewright.errors import CallError, CallTypeError
from tilewright.runtime import Tensor, _core, to_tensor
from tilewright.runtime.dtypes import bool_, dtype, float32, int64
from tilewright.runtime.safetensors import MOST_AXES
from tilewright.stdlib import ops
from tilewright.stdlib.tensor.arguments import Number, cell, dims, flag, number, placed, source, wanted, whole
from tilewright.stdlib.tensor.conversion import converted

__all__ = [
    "as_tensor", "asarray", "empty", "empty_like", "empty_strided", "from_numpy", "frombuffer", "full", "full_like",
    "get_default_dtype", "ones", "ones_like", "set_default_dtype", "tensor", "zeros", "zeros_like",
]  # fmt: skip

_default: list[dtype] = [float32]


def get_default_dtype() -> dtype:
    """The dtype of floats that are given none: ``tw.float32`` unless it was set.

    >>> import tilewright as tw
    >>> tw.get_default_dtype()
    tilewright.float32
    """
    return _default[0]


def set_default_dtype(d: dtype, /) -> None:
    """Sets what new tensors of Python floats have, one of the four float dtypes. CallTypeError if it is no float.

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


def dtype_of_number(value: object) -> dtype:
    """What a Python number is in a tensor."""
    return bool_ if isinstance(value, bool) else int64 if isinstance(value, int) else _default[0]


def filled(name: str, shape: tuple[int, ...], value: Number, to: dtype) -> Tensor:
    """A new tensor of one value."""
    return fill(_core.empty(shape, to), value, name, "fill_value")


def fill(target: Tensor, value: Any, name: str = "fill", argument: str = "value") -> Tensor:
    """Writes ``value`` to all elements of ``target``, which is given back; errors name the function ``name``."""
    result: Tensor = ops.get("fill")(target, value=cell(name, argument, value, target.dtype), out=target)
    return result


# --- from data ------------------------------------------------------------------------------


def tensor(data: Any, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A new tensor of numbers, of lists of lists of them, or of an array or a tensor, which is copied.

    Its shape is that of the lists, at most 32 deep. Python floats become the default dtype, ints int64, bools bool;
    arrays keep theirs. ``dtype`` converts: floats to integers are truncated. CallError where lists differ in length or
    a number does not fit into an integer dtype (NaN and infinities do not), CallTypeError for what is no number.

    >>> import tilewright as tw
    >>> tw.tensor([[1, 2], [3, 4]]).shape, tw.tensor(2.5).dtype
    ((2, 2), tilewright.float32)
    """
    placed(device, requires_grad)
    made = _tensor_of(data, dtype)
    if not _shares(made, data):
        return made
    copy = _core.empty(made.shape, made.dtype)
    return ops.get("clone")(made, out=copy)  # type: ignore[no-any-return]


def as_tensor(data: Any, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """As :func:`tensor`, over the memory of an array or tensor where its dtype is the one wanted: nothing is copied.

    Shapes, dtypes and errors are those of :func:`tensor`.

    >>> import tilewright as tw
    >>> tw.as_tensor([1, 2]).tolist()
    [1, 2]
    """
    placed(device, False)
    return _tensor_of(data, dtype)


def asarray(obj: Any, *, dtype: dtype | None = None, device: Any = None, copy: bool | None = None) -> Tensor:
    """As :func:`as_tensor`; with ``copy=True`` as :func:`tensor`, with ``copy=False`` CallError where it must copy.

    Shapes and dtypes are those of :func:`tensor`.

    >>> import tilewright as tw
    >>> tw.asarray([1.5]).dtype
    tilewright.float32
    """
    if copy is not None and flag("copy", copy):
        return tensor(obj, dtype=dtype, device=device)
    made = as_tensor(obj, dtype, device)
    if copy is False and not _shares(made, obj):
        raise CallError("asarray(): this cannot be a tensor without a copy", hint="leave copy=False out")
    return made


def from_numpy(array: np.ndarray[Any, Any], /) -> Tensor:
    """A tensor over the memory of a NumPy array, of its shape, strides and dtype.

    CallTypeError for anything else and for dtypes that there are no tensors of, CallError for elements of the other
    byte order or that are not aligned.

    >>> import numpy as np, tilewright as tw
    >>> a = np.zeros(2)
    >>> t = tw.from_numpy(a)
    >>> a[0] = 5
    >>> t.tolist()
    [5.0, 0.0]
    """
    if not isinstance(array, np.ndarray):
        raise CallTypeError(f"from_numpy() takes an array, not {type(array).__name__}", hint="tw.tensor(x) takes more")
    if not (array.dtype.isnative and array.flags.aligned):
        raise CallError("from_numpy(): the elements are swapped or not aligned", hint="tw.tensor(x) copies them")
    return to_tensor(array)


def frombuffer(buffer: Any, *, dtype: dtype, count: int = -1, offset: int = 0) -> Tensor:
    """A tensor of one axis over the bytes of a buffer from byte ``offset`` on; ``count`` elements of ``dtype``, or all
    (-1).

    CallTypeError for what is no buffer, CallError for bytes that do not make up the elements, are not aligned, have
    gaps, or are no bools where bools are wanted.

    >>> import tilewright as tw
    >>> tw.frombuffer(bytes([1, 2]), dtype=tw.uint8).tolist()
    [1, 2]
    """
    start, most = whole("frombuffer(): offset", offset), whole("frombuffer(): count", count)
    if start < 0 or most < -1:
        raise CallError(f"frombuffer(): offset={offset} or count={count} is negative", hint="count=-1 takes all")
    if dtype is None:
        raise CallTypeError("frombuffer(): dtype=None is no dtype", hint="as in dtype=tw.float32")
    to, data = wanted(dtype, dtype), _bytes(buffer)
    size, left = to.itemsize, len(data) - start
    elements = left // size if most == -1 else most
    if left < 0:
        raise CallError(f"frombuffer(): offset={start} is behind the end", hint=f"there are {len(data)} bytes")
    if elements * size > left or (most == -1 and left % size):
        hint = f"count={left // size} is the most from offset={start} on"
        raise CallError(f"frombuffer(): {left} bytes are not {elements} elements of {to}", hint=hint)
    cells = np.frombuffer(data[start:], _CELLS[size], elements)
    if not cells.flags.aligned:
        raise CallError(f"frombuffer(): the bytes do not begin where a {to} may", hint=f"{size} divides the address")
    if to is bool_ and elements and cells.max() > 1:
        raise CallError("frombuffer(): a byte of a bool is neither 0 nor 1", hint="x != 0 makes bools of a tw.uint8")
    return Tensor.from_buffer(cells, to.code)


def _bytes(buffer: Any) -> memoryview:
    try:
        view = memoryview(buffer)
    except (TypeError, ValueError, BufferError):
        view = None
    if view is None or "O" in view.format:
        raise CallTypeError(
            f"frombuffer(): {type(buffer).__name__} is no buffer of bytes", hint="bytes and arrays of numbers are"
        )
    if not view.c_contiguous:
        raise CallError("frombuffer(): the bytes do not lie side by side", hint="tw.from_numpy(x) keeps strides")
    return view.cast("B")


_CELLS = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def _is_foreign(data: Any) -> bool:
    return isinstance(data, Tensor) or any(hasattr(data, f) for f in ("__dlpack__", "__array__", "__array_interface__"))


def _shares(made: Tensor, data: Any) -> bool:
    """Whether a tensor stands in the memory of what it was made of."""
    return _is_foreign(data) and made.data_ptr() == to_tensor(data).data_ptr()


def _tensor_of(data: Any, to: dtype | None) -> Tensor:
    """A tensor of the data in the dtype that it has, or in ``to``."""
    if _is_foreign(data):
        given = to_tensor(data)
        return converted(given, wanted(to, given.dtype))  # type: ignore[no-any-return]
    found: list[Any] = []
    shape = _walk(data, found, MOST_AXES)
    kinds = {bool if isinstance(v, bool) else float if isinstance(v, float) else int for v in found}
    usual = dtype_of_number(0.0 if float in kinds or not found else 0 if int in kinds else False)
    wish = wanted(to, usual)
    return converted(Tensor.from_buffer(_array(found, wish).reshape(shape)), wish)  # type: ignore[no-any-return]


def _array(found: list[Any], to: dtype) -> np.ndarray[Any, Any]:
    """The numbers in ``to``; in float64 for the floats that are narrower than float32."""
    try:
        if to.is_floating_point:
            return np.array(array("f" if to is float32 else "d", found))
        return np.array(found if to is bool_ else [int(v) for v in found], to.name)
    except (OverflowError, ValueError) as error:
        raise CallError(f"tensor(): {error}", hint=f"these numbers do not fit into {to}") from None


def _walk(data: Any, found: list[Any], axes: int) -> tuple[int, ...]:
    """The shape of nested lists, of at most so many axes; their numbers are added to ``found``."""
    if isinstance(data, (bool, int, float)):
        found.append(data)
        return ()
    if _is_foreign(data):
        array = np.asarray(to_tensor(data))
        found += array.reshape(-1).tolist()
        return tuple(array.shape)
    if not isinstance(data, Sequence) or isinstance(data, (str, bytes)):
        raise CallTypeError(f"tensor(): {data!r} is no number", hint="numbers, lists of them and arrays are taken")
    if not axes:
        raise CallError(f"tensor(): the lists are nested more than {MOST_AXES} deep", hint="a tensor has no more axes")
    shapes = [_walk(item, found, axes - 1) for item in data]
    for n, shape in enumerate(shapes):
        if shape != shapes[0]:
            message = f"tensor(): element {n} of a list has the shape {[*shape]}, those before {[*shapes[0]]}"
            raise CallError(message, hint="lists side by side have one length")
    return (len(shapes), *(shapes[0] if shapes else ()))


# --- of one value ---------------------------------------------------------------------------


def empty(
    *extents: Any, size: Any = None, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A new tensor whose elements are whatever was in memory, of the default dtype unless one is given.

    The extents are ints, or one tuple, which may be given as ``size``. CallError for negative ones, CallTypeError for
    what is no int, MemoryError for more than there is.

    >>> import tilewright as tw
    >>> tw.empty(2, 3).shape
    (2, 3)
    """
    placed(device, requires_grad)
    return _core.empty(dims("empty", extents, size), wanted(dtype, _default[0]))


def zeros(
    *extents: Any, size: Any = None, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A new tensor of zeros, of the default dtype unless one is given. Sizes and errors as in :func:`empty`.

    >>> import tilewright as tw
    >>> tw.zeros(2, 3).tolist()
    [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    placed(device, requires_grad)
    return filled("zeros", dims("zeros", extents, size), 0, wanted(dtype, _default[0]))


def ones(
    *extents: Any, size: Any = None, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A new tensor of ones, of the default dtype unless one is given. Sizes and errors as in :func:`empty`.

    >>> import tilewright as tw
    >>> tw.ones(2).tolist()
    [1.0, 1.0]
    """
    placed(device, requires_grad)
    return filled("ones", dims("ones", extents, size), 1, wanted(dtype, _default[0]))


def full(
    size: Any, fill_value: Number, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A new tensor of the shape ``size``, all of one value, in the dtype that the value has in :func:`tensor` or in
    ``dtype``.

    CallTypeError for what is no number, CallError for one that does not fit into an integer dtype; else as
    :func:`empty`.

    >>> import tilewright as tw
    >>> tw.full((2,), 7).tolist()
    [7, 7]
    """
    placed(device, requires_grad)
    value = number("full", "fill_value", fill_value)
    return filled("full", dims("full", (size,)), value, wanted(dtype, dtype_of_number(value)))


def empty_strided(size: Any, stride: Any, *, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """A new tensor of the shape ``size`` and these strides, in elements, whose elements are whatever was in memory.

    Of the default dtype unless one is given. CallError for negative strides, and unless there is one per axis; else as
    :func:`empty`.

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


def _like(name: str, input: Any, to: dtype | None, device: Any, requires_grad: bool) -> Tensor:
    placed(device, requires_grad)
    given = source(name, input)
    return _core.empty(tuple(given.shape), wanted(to, given.dtype))


def empty_like(input: Any, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """:func:`empty` of the shape and dtype (unless one is given) of ``input``; row-major. CallTypeError if that is no
    tensor.

    >>> import tilewright as tw
    >>> tw.empty_like(tw.zeros(2)).shape
    (2,)
    """
    return _like("empty_like", input, dtype, device, requires_grad)


def zeros_like(input: Any, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """:func:`zeros` of the shape and dtype (unless one is given) of ``input``. CallTypeError if that is no tensor.

    >>> import tilewright as tw
    >>> tw.zeros_like(tw.ones(2)).tolist()
    [0.0, 0.0]
    """
    return fill(_like("zeros_like", input, dtype, device, requires_grad), 0)


def ones_like(input: Any, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """:func:`ones` of the shape and dtype (unless one is given) of ``input``. CallTypeError if that is no tensor.

    >>> import tilewright as tw
    >>> tw.ones_like(tw.zeros(2)).tolist()
    [1.0, 1.0]
    """
    return fill(_like("ones_like", input, dtype, device, requires_grad), 1)


def full_like(
    input: Any, fill_value: Number, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """:func:`full` of the shape and dtype (unless one is given) of ``input``. CallTypeError if that is no tensor.

    >>> import tilewright as tw
    >>> tw.full_like(tw.zeros(2), 3).tolist()
    [3.0, 3.0]
    """
    return fill(_like("full_like", input, dtype, device, requires_grad), fill_value, "full_like", "fill_value")
