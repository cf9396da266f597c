"""Data classes whose methods are made when they are first used.

``dataclasses.dataclass`` writes and compiles the methods of every class when the class is defined: of the hundreds of
classes of a compiler, more time than all else that importing it takes. A process uses a part of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

_MISSING = dataclasses.MISSING


def _dataclass(cls: type | None = None, /, *, eq: bool = True, frozen: bool = False, **layout: bool) -> Any:
    """As ``dataclasses.dataclass`` with these options; of :func:`dataclasses.field` it takes defaults, ``compare`` and
    ``repr``. ``layout``: ``slots``, ``weakref_slot``.

    >>> @dataclass(frozen=True)
    ... class Point:
    ...     x: int
    ...     y: int = 0
    >>> Point(1), Point(1) == Point(1, 0)
    (Point(x=1, y=0), True)
    """
    if cls is None:
        return lambda cls: _dataclass(cls, eq=eq, frozen=frozen, **layout)
    cls.__doc__ = cls.__doc__ or cls.__name__  # else its signature is taken apart for one
    made: type[Any] = dataclasses.dataclass(init=False, repr=False, eq=False, **layout)(cls)
    fields = dataclasses.fields(made)
    for f in fields:
        if not f.init or f.kw_only or f.hash is not None:
            raise TypeError(f"{cls.__name__}.{f.name}: init, kw_only and hash are not supported here; leave them out")
    methods: dict[str, Any] = {"__init__": _deferred(made, frozen), "__repr__": _repr(fields)}
    if eq:
        methods |= _equality(made, attributes(*(f.name for f in fields if f.compare)), frozen)
    if frozen:
        methods |= {"__setattr__": _refuse, "__delattr__": _refuse}
    for name, method in methods.items():
        if name not in made.__dict__:
            setattr(made, name, method)
    return made


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = _dataclass


def attributes(*names: str) -> Callable[[Any], tuple[Any, ...]]:
    """What gives the values of these attributes of an object.

    >>> attributes("real", "imag")(1j), attributes("real")(1j)
    ((0.0, 1.0), (0.0,))
    """
    if len(names) > 1:
        return attrgetter(*names)
    return lambda of: tuple(getattr(of, name) for name in names)


def _repr(fields: tuple[dataclasses.Field[Any], ...]) -> Callable[[Any], str]:
    names = [f.name for f in fields if f.repr]
    return lambda self: f"{type(self).__qualname__}({', '.join(f'{n}={getattr(self, n)!r}' for n in names)})"


def _equality(cls: type, values: Callable[[Any], tuple[Any, ...]], frozen: bool) -> dict[str, Any]:
    def equal(self: Any, other: Any) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    methods: dict[str, Any] = {"__eq__": equal}
    if frozen:
        methods["__hash__"] = lambda self: hash(values(self))
    elif "__eq__" not in cls.__dict__:
        cls.__hash__ = None  # type: ignore[assignment]  # what is equal and changes has no hash
    return methods


def _refuse(self: Any, name: str, *value: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot change {type(self).__name__}.{name}")


def _deferred(cls: type, frozen: bool) -> Callable[..., None]:
    """An ``__init__`` that puts the real one in its place."""

    def initialise(self: Any, *args: Any, **kwargs: Any) -> None:
        made = cls.__dict__["__init__"]
        if made is initialise:
            made = _initialiser(cls, frozen)
            type.__setattr__(cls, "__init__", made)
        made(self, *args, **kwargs)

    return initialise


def _initialiser(cls: type, frozen: bool) -> Callable[..., None]:
    """The ``__init__`` that says the fields by name."""
    known: dict[str, Any] = {"set_": object.__setattr__, "missing_": _MISSING, "__name__": cls.__module__}
    parameters, body = ["self"], []
    for f in dataclasses.fields(cls):
        value = f.name
        if f.default is not _MISSING:
            known[f"default_{f.name}"] = f.default
            parameters.append(f"{f.name}=default_{f.name}")
        elif f.default_factory is not _MISSING:
            known[f"make_{f.name}"] = f.default_factory
            parameters.append(f"{f.name}=missing_")
            value = f"make_{f.name}() if {f.name} is missing_ else {f.name}"
        else:
            parameters.append(f.name)
        body.append(f"set_(self, {f.name!r}, {value})" if frozen else f"self.{f.name} = {value}")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    exec(f"def __init__({', '.join(parameters)}):\n  " + "\n  ".join(body or ["pass"]), known)
    made: Callable[..., None] = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made
