"""The schedule primitives that exist: their names and the kinds of their arguments, in one table.

A primitive is a function ``Kernel -> Kernel``; :mod:`tilewright.passes.loops` holds one per file. What a
person writes in a schedule, what the default scheduler decides and what a tuner searches is checked
against this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tilewright.errors import ScheduleError
from tilewright.ir.index import Condition
from tilewright.records import dataclass


@dataclass(frozen=True)
class Kind:
    """What an argument may be: ``text`` says it to people, ``accepts`` decides."""

    text: str
    accepts: Callable[[Any], bool]


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _tuple_of(accepts: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, tuple) and all(map(accepts, value))


def _choice(*words: str) -> Kind:
    return Kind(f"one of {', '.join(words)}", words.__contains__)


TAILS = ("guard", "cut", "perfect", "mask")

LOOP = Kind("the name of a loop", _is_name)
LOOPS = Kind("two or more different names of loops", lambda v: _tuple_of(_is_name)(v) and len(set(v)) == len(v) > 1)
BLOCK = Kind("the name of a block", _is_name)
FACTOR = Kind("an integer above 1", lambda v: _is_int(v) and v > 1)
TAIL = _choice(*TAILS)
FLAG = Kind("true or false", lambda v: isinstance(v, bool))
NAME = Kind("a name", lambda v: isinstance(v, str))
NAMES = Kind("a tuple of names", _tuple_of(_is_name))
CONDITIONS = Kind("a tuple of conditions", _tuple_of(lambda v: isinstance(v, Condition)))


NO_LOOPS = (0, 0)


@dataclass(frozen=True)
class Argument:
    name: str
    kind: Kind
    optional: bool = False


@dataclass(frozen=True)
class Signature:
    """A primitive: its arguments in order, and what it does in one line.

    ``makes`` is how many loops it puts in the place of those that it is given, without and with a remainder; where it
    makes none, they stay.
    ``becomes`` is the kind that its loop gets.
    """

    name: str
    arguments: tuple[Argument, ...]
    doc: str
    makes: tuple[int, int] = NO_LOOPS
    becomes: str = ""


def _signature(
    name: str, doc: str, makes: tuple[int, int] = NO_LOOPS, becomes: str = "", **kinds: Kind | tuple[Kind]
) -> tuple[str, Signature]:
    """A kind in a tuple of one marks an optional argument."""
    arguments = (Argument(a, k[0], True) if isinstance(k, tuple) else Argument(a, k) for a, k in kinds.items())
    return name, Signature(name, tuple(arguments), doc, makes, becomes)


PRIMITIVES: dict[str, Signature] = dict(
    [
        _signature(
            "split",
            "one loop becomes two: tiles of `factor` iterations; `tail` says what happens to the last, partial tile",
            makes=(2, 3),
            loop=LOOP,
            factor=FACTOR,
            tail=(TAIL,),
            names=(NAMES,),
            given=(CONDITIONS,),
        ),
        _signature("fuse", "two perfectly nested loops become one", makes=(1, 1), outer=LOOP, inner=LOOP, into=(NAME,)),
        _signature("reorder", "perfectly nested loops change places, outermost first", loops=LOOPS),
        _signature(
            "fission",
            "each statement of a loop gets a loop of its own; `inside`: also those of the loops in it",
            loop=LOOP,
            inside=(FLAG,),
        ),
        _signature("expand", "each iteration of a loop gets registers of its own", loop=LOOP),
        _signature("vectorize", "the iterations of a loop run at once, as lanes", becomes="vectorized", loop=LOOP),
        _signature("parallel", "the iterations of the outermost loop become tasks", becomes="parallel", loop=LOOP),
        _signature("unroll", "the iterations of a loop are written out", becomes="unrolled", loop=LOOP),
        _signature(
            "decompose-reduction",
            "the initialisation of a reduction becomes a block of its own, before a loop",
            block=BLOCK,
            loop=LOOP,
        ),
    ]
)


@dataclass(frozen=True)
class Role:
    """A part that statements play, found by their structure: names for its axes and tensors, and what it is."""

    axes: tuple[str, ...]
    tensors: tuple[str, ...]
    doc: str


ROLES: dict[str, Role] = {
    "contraction": Role(("i", "j", "k"), ("a", "b", "c"), "c[i, j] = sum[k](a[i, k] * b[k, j])"),
    "reduction": Role(("i", "k"), ("a", "c"), "c[i] = max[k](a[i, k]), or another reduction that is no contraction"),
    "pointwise": Role(("i",), ("c",), "c[..., i] = ..., each point by itself"),
}
"""What a schedule may be written for besides an op: every statement that plays the part."""


def check_argument(signature: Signature, argument: Argument, value: object) -> None:
    """Raises ScheduleError unless ``value`` is of the kind of ``argument``."""
    if not argument.kind.accepts(value):
        message = f"{signature.name}: {argument.name}={value!r} is not {argument.kind.text}"
        raise ScheduleError(message, hint=f"{signature.name}: {signature.doc}")


def check_arguments(name: str, arguments: Mapping[str, Any]) -> None:
    """Raises ScheduleError unless every argument of primitive ``name`` is there and of its kind."""
    signature = PRIMITIVES[name]
    for argument in signature.arguments:
        if argument.name not in arguments:
            if not argument.optional:
                raise ScheduleError(f"{name} needs the argument {argument.name!r}: {argument.kind.text}")
        else:
            check_argument(signature, argument, arguments[argument.name])
    unknown = set(arguments) - {a.name for a in signature.arguments}
    if unknown:
        known = ", ".join(a.name for a in signature.arguments)
        raise ScheduleError(f"{name} has no argument {min(unknown)!r}", hint=f"its arguments are {known}")
