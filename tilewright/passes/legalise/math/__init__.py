"""The functions of mathematics in plain arithmetic, a file per family. Accuracies: ``ir/functions.py``."""

from functools import partial
from importlib import import_module

from tilewright.passes.legalise.term import Term

FAMILIES = {
    "error_function": ("erf", "erfc", "erfinv"),
    "exponential": ("exp", "exp2", "expm1", "tanh", "sigmoid", "sinh", "cosh"),
    "gamma": ("lgamma", "digamma"),
    "logarithm": ("log", "log2", "log10", "log1p", "asinh", "acosh", "atanh", "logaddexp"),
    "powers": ("pow", "rsqrt", "cbrt", "hypot"),
    "rounding": ("floor", "ceil", "round", "trunc", "copysign", "sign", "nextafter", "fmod", "remainder"),
    "trigonometry": ("sin", "cos", "tan", "asin", "acos", "atan", "atan2"),
}
"""Which file has the ``TABLE`` of which functions; it is imported when one of them is expanded."""


def _expanded(family: str, operation: tuple[str, str], *operands: Term) -> Term:
    made: Term = import_module(f"{__name__}.{family}").TABLE[operation](*operands)
    return made


TABLE = {
    (name, dtype): partial(_expanded, family, (name, dtype))
    for family, names in FAMILIES.items()
    for name in names
    for dtype in ("f32", "f64")
}
