"""A corpus of wrong calls: what is said about each, and a call that does what its remedy says.

A file holds cases::

    === what is wrong
    the call, an expression in the names of this module
    --- says
    the exception and its message
    --- by hand
    the call after doing what the message says

``python -m wrong_calls`` (in ``tests``) writes down what is said now; read the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tilewright as tw
from tilewright.errors import TilewrightError
from tilewright.stdlib import ops

__all__ = ["Case", "cases", "files", "np", "ops", "outcome", "said", "tw"]

FOLDER = Path(__file__).parent

SCALED = (
    "op scaled[T: float](x: T[N], *, k: int = 1, eps: float = 0.5, flag: bool = false, s: scalar i8, q: scalar T)"
    " -> y: T[N]:\n    y[i] = x[i] * q\n"
)
DOT = "op dot(a: f32[K], b: f32[K]) -> y: f32[]:\n    y[] = sum[k](a[k] * b[k])\n"
WINDOW = "op window[T: number](x: T[N], *, w: int = 3) -> y: T[N - w + 1]:\n    y[i] = sum[k: w](x[i + k])\n"
JOIN = "op join[T: any](x: T[A...], z: T[A..., C]) -> y: T[A..., C]:\n    y[a..., c] = z[a..., c]\n"
SHARE = "op share[T: any](x: T[...], z: T[..., C]) -> y: T[..., C]:\n    y[..., c] = z[..., c]\n"


@dataclass(frozen=True)
class Case:
    name: str
    call: str
    says: str = ""
    by_hand: str = ""

    def __str__(self) -> str:
        by_hand = f"--- by hand\n{self.by_hand}\n" if self.by_hand else ""
        return f"=== {self.name}\n{self.call}\n--- says\n{self.says}\n{by_hand}"


def cases(text: str) -> Iterator[Case]:
    for block in text.split("=== ")[1:]:
        name, _, rest = block.partition("\n")
        call, *sections = rest.split("\n--- ")
        parts = {key: value.rstrip("\n") for key, value in (s.split("\n", 1) for s in sections)}
        yield Case(name, call.rstrip("\n"), parts.get("says", ""), parts.get("by hand", ""))


def files() -> list[Path]:
    return sorted(FOLDER.glob("*.txt"))


def outcome(call: str) -> Any:
    """What the call gives or raises."""
    return eval(call, dict(globals()))


def said(call: str) -> str:
    """The exception that a call raises and what it says. AssertionError if it raises none."""
    try:
        outcome(call)
    except (TilewrightError, AttributeError) as e:
        return f"{type(e).__name__}: {e}"
    raise AssertionError(f"nothing is wrong with {call}")


# --- what calls may name ------------------------------------------------------------------------


def f32(*shape: int) -> np.ndarray[Any, Any]:
    return np.ones(shape, np.float32)


def f64(*shape: int) -> np.ndarray[Any, Any]:
    return np.ones(shape)


def i32(*shape: int) -> np.ndarray[Any, Any]:
    return np.zeros(shape, np.int32)


def i64(*shape: int) -> np.ndarray[Any, Any]:
    return np.zeros(shape, np.int64)


def tensor(*shape: int) -> tw.Tensor:
    return tw.as_tensor(f32(*shape))


def x23(locked: bool = False) -> tw.Tensor:
    array = f32(2, 3)
    array.flags.writeable = not locked
    return tw.as_tensor(array)


def image(**attributes: Any) -> Any:
    return ops.conv2d(f32(1, 1, 3, 3), f32(1, 1, 3, 3), **attributes)


def scaled(**keywords: Any) -> Any:
    return tw.op(SCALED)(f32(2), **{"s": 1, "q": 2.0, **keywords})


def traced(function: Callable[..., Any]) -> Any:
    return tw.trace(function, f32(2, 3))
