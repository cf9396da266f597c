"""New arrays: the standard's chapter on creation functions."""

from __future__ import annotations

from typing import Any

from tilewright.errors import CallError
from tilewright.runtime import Tensor
from tilewright.runtime import from_dlpack as shared
from tilewright.runtime.dtypes import dtype, int64
from tilewright.stdlib.tensor import creation, functions, sequences, views
from tilewright.stdlib.tensor.arguments import placed
from tilewright.stdlib.tensor.creation import asarray, empty_like, full_like, ones_like, zeros_like

__all__ = [
    "arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "linspace", "meshgrid",
    "ones", "ones_like", "tril", "triu", "zeros", "zeros_like",
]  # fmt: skip


def _shape(shape: Any) -> tuple[int, ...]:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def empty(shape: Any, *, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """See :func:`tilewright.empty`."""
    return creation.empty(_shape(shape), dtype=dtype, device=device)


def zeros(shape: Any, *, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """See :func:`tilewright.zeros`."""
    return creation.zeros(_shape(shape), dtype=dtype, device=device)


def ones(shape: Any, *, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """See :func:`tilewright.ones`."""
    return creation.ones(_shape(shape), dtype=dtype, device=device)


def full(shape: Any, fill_value: Any, *, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """See :func:`tilewright.full`."""
    return creation.full(_shape(shape), fill_value, dtype=dtype, device=device)


def arange(start: Any, /, stop: Any = None, step: Any = 1, *, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """As :func:`tilewright.arange`; where the step leads away from ``stop`` there are no elements."""
    if stop is None:
        start, stop = 0, start
    whole = all(isinstance(v, int) for v in (start, stop, step))
    dtype = dtype or (int64 if whole else creation.get_default_dtype())
    if (stop - start) * step < 0:
        stop = start
    return sequences.arange(start, stop, step, dtype=dtype, device=device)


def linspace(
    start: Any,
    stop: Any,
    /,
    num: int,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    endpoint: bool = True,
) -> Tensor:
    """See :func:`tilewright.linspace`; without ``endpoint`` the last of ``num + 1`` numbers is left out."""
    made = sequences.linspace(start, stop, num if endpoint else num + 1, dtype=dtype, device=device)
    return made if endpoint else made[:num]


def eye(
    n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: dtype | None = None, device: Any = None
) -> Tensor:
    """Zeros, and ones on the diagonal ``k``."""
    columns = n_rows if n_cols is None else n_cols
    made = creation.zeros(n_rows, columns, dtype=dtype, device=device)
    if -n_rows < k < columns:
        made.diagonal(k).fill_(1)  # type: ignore[attr-defined]
    return made


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """An array over the memory of one of another library, or a copy of it: see :func:`tilewright.from_dlpack`."""
    placed(device, False)
    made = shared(x)
    return creation.tensor(made) if copy else made


def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """What is on and below the diagonal ``k`` of matrices, else zeros."""
    return functions.get("tril")(x, k)  # type: ignore[no-any-return]


def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """What is on and above the diagonal ``k`` of matrices, else zeros."""
    return functions.get("triu")(x, k)  # type: ignore[no-any-return]


def meshgrid(*arrays: Tensor, indexing: str = "xy") -> list[Tensor]:
    """Coordinates of a grid, one array per axis."""
    if indexing not in ("xy", "ij"):
        raise CallError(f"meshgrid(): indexing is not {indexing!r}", hint="'xy' or 'ij'")
    return list(views.meshgrid(*arrays, indexing=indexing))  # type: ignore[arg-type]
