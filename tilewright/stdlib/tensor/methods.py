"""The methods of tensors that are functions too; ``methods.pyi``, which ``make docs`` writes, lists them.

They are made when the first one is asked for: importing Tilewright reads no headers of ops.
"""

from __future__ import annotations

from typing import Any


class Listing(type):
    """Of classes whose methods are listed when somebody asks for one."""

    def __getattr__(cls, name: str) -> Any:
        if _complete(name):
            return getattr(cls, name)
        raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")

    def __dir__(cls) -> list[str]:
        _complete("")
        return super().__dir__()


class Methods(metaclass=Listing):
    """What tensors inherit."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if _complete(name):
            return getattr(self, name)
        return object.__getattribute__(self, name)  # raises what was raised before

    def __dir__(self) -> list[str]:
        return dir(type(self))


def _complete(name: str) -> bool:
    """Gives tensors their methods, if they have them not; whether ``name`` may be one of them."""
    if name.startswith("__") or "__getattr__" not in vars(Methods):
        return False
    from tilewright.stdlib.tensor.functions import methods

    del Methods.__getattr__  # which would make every attribute slower
    for method, function in methods().items():
        setattr(Methods, method, function)
    return True
