"""Where tensors are."""

from __future__ import annotations

from typing import Any, final

from tilewright.errors import CallError, CallTypeError, UnsupportedError

__all__ = ["device"]

_PLANNED = ("cuda", "metal", "csl")


@final
class device:
    """A place that tensors can be in: ``tw.device("cpu")`` is the one there is; devices of one name are equal.

    UnsupportedError for places that PyTorch or Tilewright's plans have and this build has not, CallError for others.

    >>> import tilewright as tw
    >>> tw.device("cpu"), tw.device("cpu") == tw.zeros(2).device
    (device(type='cpu'), True)
    """

    __slots__ = ("index", "type")

    def __init__(self, type: str | device = "cpu", index: int | None = None) -> None:
        name = type.type if isinstance(type, device) else type
        if not isinstance(name, str):
            raise CallTypeError(f"{name!r} is no device", hint='a device is a text: "cpu"')
        if index is not None and not isinstance(index, int):
            raise CallTypeError(f"index={index!r} is no number of a device", hint='"cpu" is the only device')
        name, _, number = name.partition(":")
        if name in _PLANNED:
            raise UnsupportedError(f"tensors cannot be on {name!r} yet", hint='"cpu" is the only device')
        if name != "cpu" or number not in ("", "0") or index not in (None, 0):
            raise CallError(f"there is no device {str(type)!r}", hint='"cpu" is the only device')
        object.__setattr__(self, "type", name)
        object.__setattr__(self, "index", None)

    type: str
    index: int | None

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a device cannot be changed")

    def __repr__(self) -> str:
        return f"device(type={self.type!r})"

    def __str__(self) -> str:
        return self.type

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and other.type == self.type

    def __hash__(self) -> int:
        return hash(self.type)

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (self.type,)


CPU = device()


def checked(given: Any) -> device:
    """The device that an argument names, the default for None."""
    return CPU if given is None or given is CPU else device(given)
