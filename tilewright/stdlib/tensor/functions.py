"""The functions of tensors under PyTorch's names, which are the methods too."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from tilewright.runtime import Tensor
from tilewright.stdlib.tensor import forms, indexing, joining, special, statistics, table
from tilewright.stdlib.tensor.conversion import assign

_SYMBOLS = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "true_divide", "floordiv": "floor_divide", "mod": "remainder",
    "pow": "pow", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor", "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift",
}  # fmt: skip

OPERATORS = {
    **{f"__{symbol}__": name for symbol, name in _SYMBOLS.items()},
    **{f"__i{symbol}__": f"{name}_" for symbol, name in _SYMBOLS.items()},
    **{f"__{name}__": name for name in ("matmul", "neg", "abs", "lt", "le", "eq", "ne", "gt", "ge")},
    "__pos__": "positive",
    "__invert__": "bitwise_not",
}
"""The functions of Python's operators."""

BY_HAND: dict[str, Any] = {n: getattr(room, n) for room in (special, statistics, joining) for n in room.__all__}
"""The functions that are more than a choice among ops."""


@cache
def names() -> tuple[str, ...]:
    """The names of all functions, those that write into an operand left out."""
    return tuple(dict.fromkeys([*BY_HAND, *table.names(), *table.ALIASES]))


@cache
def get(name: str) -> Any:
    """The function called ``name``; AttributeError if there is none."""
    plain = table.ALIASES.get(name, name)
    if plain in BY_HAND:
        return BY_HAND[plain]
    if plain in table.names():
        return table.get(plain)
    if name.endswith("_") and name[:-1] in names():
        return _writing(name)
    raise AttributeError(f"there is no function {name!r}")


def _writing(name: str) -> Any:
    plain = table.ALIASES.get(name[:-1], name[:-1])
    if plain not in BY_HAND and table.writes(plain):
        return table.get(plain + "_")
    if plain in special.IN_PLACE:
        return _written(BY_HAND[plain], name)
    raise AttributeError(f"there is no function {name!r}")


def _written(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    @wraps(function)
    def call(input: Tensor, *args: Any, **keywords: Any) -> Any:
        return assign(name, input, function(input, *args, **keywords))

    call.__name__ = call.__qualname__ = name
    return call


def methods() -> dict[str, Any]:
    """The methods of tensors by name."""
    made = {name: get(name) for name in names() if name not in special.NO_METHODS and _is_method(name)}
    counted = {name: getattr(indexing, name) for name in indexing.__all__}
    return {**made, **special.METHODS, **counted, **{f"{n}_": get(f"{n}_") for n in names() if _writes(n)}}


def _is_method(name: str) -> bool:
    plain = table.ALIASES.get(name, name)
    return plain in BY_HAND or forms.is_method(table.form(plain))


def _writes(name: str) -> bool:
    plain = table.ALIASES.get(name, name)
    return plain in special.IN_PLACE or (plain not in BY_HAND and table.writes(plain))
