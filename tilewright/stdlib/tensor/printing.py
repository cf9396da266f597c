"""The texts of tensors, as PyTorch writes them."""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tilewright.errors import CallError
from tilewright.records import dataclass
from tilewright.runtime import Tensor
from tilewright.runtime.dtypes import bool_, float32, int64
from tilewright.stdlib.tensor.arguments import flag, number, whole

__all__ = ["set_printoptions"]


@dataclass(frozen=True)
class Options:
    """How tensors are written: digits behind the point, how many elements are written in full, how many of each axis
    otherwise, the width of lines, and whether floats have exponents (None: as they need)."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": Options(),
    "short": Options(precision=2, edgeitems=2),
    "full": Options(threshold=math.inf),
}
_options = [Options()]


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Sets how tensors are written, as PyTorch's function of that name does.

    ``profile`` is "default", "short" or "full"; what else is given changes it. CallError for another profile.

    >>> import tilewright as tw
    >>> tw.set_printoptions(precision=2)
    >>> tw.tensor([0.125])
    tensor([0.12])
    >>> tw.set_printoptions(profile="default")
    """
    if profile is not None and (not isinstance(profile, str) or profile not in _PROFILES):
        raise CallError(f"there is no profile {profile!r}", hint=f"one of {', '.join(_PROFILES)}")
    if sci_mode is not None:
        flag("sci_mode", sci_mode)
    counts = {"precision": precision, "edgeitems": edgeitems, "linewidth": linewidth}
    given: dict[str, Any] = {k: _count(k, v) for k, v in counts.items() if v is not None}
    if threshold is not None:
        given["threshold"] = number("set_printoptions", "threshold", threshold)
    options = _options[0] if profile is None else _PROFILES[profile]
    _options[0] = replace(options, **given, sci_mode=sci_mode)


def _count(name: str, value: int) -> int:
    found = whole(f"set_printoptions(): {name}", value)
    if found < 0:
        raise CallError(f"set_printoptions(): {name}={found} is negative", hint="it is 0 or more")
    return found


# --- numbers --------------------------------------------------------------------------------


def _float_writer(values: Sequence[float], options: Options) -> Callable[[float], str]:
    """How each of ``values`` is written: whole numbers with a point, others with digits or exponents, in one width."""
    sizes = [abs(v) for v in values if math.isfinite(v) and v != 0]
    whole = all(math.ceil(v) == v for v in sizes)
    wide = bool(sizes) and (max(sizes) / min(sizes) > 1000 or max(sizes) > 1e8 or (not whole and min(sizes) < 1e-4))
    if options.sci_mode if options.sci_mode is not None else wide:
        return _exponents(options.precision)
    return _pointed if whole else _digits(options.precision)


def _exponents(precision: int) -> Callable[[float], str]:
    return lambda v: f"{v:.{precision}e}"


def _digits(precision: int) -> Callable[[float], str]:
    return lambda v: f"{v:.{precision}f}"


def _pointed(value: float) -> str:
    return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"


@dataclass(frozen=True)
class Writer:
    """How elements are written, at least ``width`` wide: zeros, NaN and infinities of floats do not widen it."""

    write: Callable[[Any], str]
    width: int

    def __call__(self, value: Any) -> str:
        return self.write(value).rjust(self.width)


def _writer(values: Sequence[Any], x: Any, options: Options) -> Writer:
    write = _float_writer(values, options) if x.dtype.is_floating_point else str
    widening = [v for v in values if math.isfinite(v) and v != 0] if x.dtype.is_floating_point else values
    return Writer(write, max((len(write(v)) for v in widening), default=1))


# --- layout ---------------------------------------------------------------------------------


def _shortened(x: Any, options: Options) -> Any:
    """The elements that are written as lists of lists, None where some are left out."""
    return x.tolist() if x.numel() <= options.threshold else _edges(x, options.edgeitems)


def _edges(x: Any, edge: int) -> Any:
    if x.dim() == 0:
        return x.item()
    size = x.shape[0]
    if size <= 2 * edge:
        return [_edges(x[i], edge) for i in range(size)]
    first, last = ([_edges(x[i], edge) for i in r] for r in (range(edge), range(size - edge, size)))
    return [*first, None, *last]


def _flat(data: Any) -> list[Any]:
    if not isinstance(data, list):
        return [] if data is None else [data]
    return [v for item in data for v in _flat(item)]


def _text(data: Any, rank: int, indent: int, write: Writer, options: Options) -> str:
    if rank == 0:
        return write(data)
    if rank == 1:
        return _row(data, indent, write, options)
    between = "," + "\n" * (rank - 1) + " " * (indent + 1)
    parts = ["..." if d is None else _text(d, rank - 1, indent + 1, write, options) for d in data]
    return f"[{between.join(parts)}]"


def _row(data: list[Any], indent: int, write: Writer, options: Options) -> str:
    per_line = max(1, (options.linewidth - indent) // (write.width + 2))
    items = [" ..." if d is None else write(d) for d in data]
    lines = [", ".join(items[n : n + per_line]) for n in range(0, len(items), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _notes(x: Any) -> list[str]:
    """What the elements do not tell."""
    notes = [f"size={(*x.shape,)}"] if x.numel() == 0 and x.dim() != 1 else []
    plain = x.dtype is float32 or (x.dtype in (int64, bool_) and x.numel())
    return notes if plain else [*notes, f"dtype={x.dtype!r}"]


def text(x: Tensor, prefix: str = "tensor(") -> str:
    """The tensor as PyTorch writes it."""
    options = _options[0]
    any_x: Any = x
    data = _shortened(any_x, options) if any_x.numel() else []
    write = _writer(_flat(data), any_x, options)
    body = _text(data, any_x.dim(), len(prefix), write, options) if any_x.numel() else "[]"
    return prefix + _noted(body, _notes(any_x), len(prefix), options.linewidth) + ")"


def _noted(body: str, notes: Sequence[str], indent: int, linewidth: int) -> str:
    last = len(body) - body.rfind("\n") + 1 if "\n" in body else len(body) + indent + 2
    for note in notes:
        if last + len(note) + 2 > linewidth:
            body, last = f"{body},\n{' ' * indent}{note}", indent + len(note)
        else:
            body, last = f"{body}, {note}", last + len(note) + 2
    return body


def as_html(x: Tensor) -> str:
    """A table: the shape and the dtype above, the elements as text below."""
    any_x: Any = x
    head = f"tensor {' × '.join(map(str, any_x.shape)) or 'of one number'}, {any_x.dtype.name}"
    return f"<table><tr><th>{head}</th></tr><tr><td><pre>{html.escape(text(x))}</pre></td></tr></table>"
