"""Data classes whose methods are made when they are first used.

``dataclasses.dataclass`` writes and compiles the methods of every class when the class is defined: of the hundreds of
classes of a compiler, more time than all else that importing it takes. A process uses a part of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, cast

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
    made = _with_fields(cls, frozen, layout)
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


def _with_fields(cls: type, frozen: bool, layout: dict[str, bool]) -> type[Any]:
    """The class with its fields told apart by the standard library.

    It hears that a class is frozen only afterwards, for classes that are derived by it: else it would compile methods.
    """
    told = [p for base in cls.__mro__[1:] if (p := base.__dict__.get("__dataclass_params__")) and p.frozen]
    for params in told:
        params.frozen = False
    try:
        made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, **layout)(cls)
    finally:
        for params in told:
            params.frozen = True
    made.__dataclass_params__.frozen = frozen
    return cast(type, made)


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
    fields = dataclasses.fields(cls)
    factories = {n: f.default_factory for n, f in enumerate(fields) if f.default_factory is not _MISSING}
    defaults = tuple(f.default for f in fields if f.default is not _MISSING or f.default_factory is not _MISSING)
    code = _template(len(fields), tuple(factories), frozen, hasattr(cls, "__post_init__"))
    names = {f"_{n}": f.name for n, f in enumerate(fields)}

    def named(texts: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(names.get(text, text) for text in texts)

    own = code.replace(
        co_name="__init__",
        co_qualname=f"{cls.__qualname__}.__init__",
        co_varnames=named(code.co_varnames),
        co_names=named(code.co_names),
        co_consts=named(code.co_consts),
    )
    known = {"set_": object.__setattr__, "missing_": _MISSING, "__name__": cls.__module__}
    return FunctionType(own, {**known, **{f"make_{n}": f for n, f in factories.items()}}, "__init__", defaults)


@cache
def _template(count: int, factories: tuple[int, ...], frozen: bool, checks: bool) -> CodeType:
    """The code of an ``__init__`` of the fields ``_0``, ``_1``, ...: to compile it takes longer than to rename them."""
    body = ["self.__post_init__()"] if checks else ["pass"]
    for n in reversed(range(count)):
        value = f"make_{n}() if _{n} is missing_ else _{n}" if n in factories else f"_{n}"
        body.insert(0, f"set_(self, '_{n}', {value})" if frozen else f"self._{n} = {value}")
    known: dict[str, Any] = {}
    exec(f"def template({', '.join(['self', *(f'_{n}' for n in range(count))])}):\n  " + "\n  ".join(body), known)
    code: CodeType = known["template"].__code__
    return code
