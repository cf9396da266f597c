"""Hash-consing: nodes built from equal fields are the same object, so equality is identity."""

from __future__ import annotations

from typing import Any
from weakref import ref


class _Entry(ref[Any]):
    """A weak reference that knows its place in the pool."""

    __slots__ = ("key",)
    key: Any


class Interned(type):
    """Metaclass of frozen dataclasses (``eq=False``) whose instances are unique per field values.

    Instances are made with all fields given, positionally or by keyword; ``__post_init__`` validates, once per distinct
    value. A class whose fields may be equal and yet differ (1 and True) says by ``_key`` what they are known by.
    """

    _pool: dict[Any, _Entry]

    def __init__(cls, *args: Any) -> None:
        super().__init__(*args)
        cls._pool = {}

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        entry = None if kwargs else cls._pool.get(args)
        found = None if entry is None else entry()
        return cls._found(args, kwargs) if found is None else found

    def _found(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The instance for ``args``, which are no key yet as they stand."""
        if kwargs or len(args) < len(cls.__dataclass_fields__):  # type: ignore[attr-defined]
            args = cls._positional(args, kwargs)
        key = cls._key(args)
        entry = cls._pool.get(key)
        found = None if entry is None else entry()
        return cls._made(key, args) if found is None else found

    def _key(cls, args: tuple[Any, ...]) -> Any:
        return args

    def _made(cls, key: Any, args: tuple[Any, ...]) -> Any:
        """A new instance, or the one that another thread made meanwhile."""
        made = super().__call__(*args)
        entry = _Entry(made, cls._forget)
        entry.key = key
        while True:
            there = cls._pool.setdefault(key, entry)
            found = there()
            if found is not None:
                return found
            cls._forget(there)

    def _forget(cls, entry: Any) -> None:
        """Takes a dead instance out of the pool, unless a new one has its place."""
        key = entry.key
        if cls._pool.get(key) is entry:
            cls._pool.pop(key, None)

    def _positional(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        fields = list(cls.__dataclass_fields__.values())[len(args) :]  # type: ignore[attr-defined]
        unknown = set(kwargs) - {f.name for f in fields}
        if unknown:
            raise TypeError(f"{cls.__name__} has no field {sorted(unknown)[0]!r}")
        return args + tuple(kwargs[f.name] if f.name in kwargs else f.default for f in fields)
