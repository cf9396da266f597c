"""Hash-consing: nodes built from equal fields are the same object, so equality is identity."""

from __future__ import annotations

import weakref
from typing import Any


def _key_part(value: Any) -> Any:
    """Keeps 1, 1.0, True, 0.0 and -0.0 apart, and nan equal to itself."""
    if type(value) is float:
        return ("float", value.hex())
    if type(value) is bool:
        return ("bool", value)
    if type(value) is tuple:
        return tuple(map(_key_part, value))
    return value


class Interned(type):
    """Metaclass of frozen dataclasses (``eq=False``) whose instances are unique per field values.

    Instances are made with all fields given, positionally or by keyword; ``__post_init__``
    validates, once per distinct value.
    """

    _pool: weakref.WeakValueDictionary[Any, Any] = weakref.WeakValueDictionary()

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) < len(cls.__dataclass_fields__):  # type: ignore[attr-defined]
            args = cls._positional(args, kwargs)
        key = (cls, *map(_key_part, args))
        found = Interned._pool.get(key)
        if found is None:
            found = super().__call__(*args)
            Interned._pool[key] = found
        return found

    def _positional(cls, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        fields = list(cls.__dataclass_fields__.values())[len(args) :]  # type: ignore[attr-defined]
        unknown = set(kwargs) - {f.name for f in fields}
        if unknown:
            raise TypeError(f"{cls.__name__} has no field {sorted(unknown)[0]!r}")
        return args + tuple(kwargs[f.name] if f.name in kwargs else f.default for f in fields)
