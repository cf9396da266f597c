"""Where tensors are."""

from __future__ import annotations

from typing import Any, final

from tilewright.errors import CallError, CallTypeError, UnsupportedError

__all__ = ["device"]

_HERE = "cpu"
"""The device that there always is, for which no target is asked."""
_PLANNED = ("cuda", "metal", "csl")


@final
class device:
    """A place that tensors can be in, one of those of the targets: ``tw.device("cpu")``; devices of one name are equal.

    There is one of each name, whose number is 0 or left out. UnsupportedError for places that Tilewright's plans have
    and this build has not, CallError for others.

    >>> import tilewright as tw
    >>> tw.device("cpu"), tw.device("cpu") == tw.zeros(2).device
    (device(type='cpu'), True)
    """

    __slots__ = ("index", "type")

    def __init__(self, type: str | device = _HERE, index: int | None = None) -> None:
        name = type.type if isinstance(type, device) else type
        if not isinstance(name, str):
            raise CallTypeError(f"{name!r} is no device", hint='a device is a text: "cpu"')
        if index is not None and not isinstance(index, int):
            raise CallTypeError(f"index={index!r} is no number of a device", hint="a device has the number 0")
        name, colon, number = name.partition(":")
        if name != _HERE and name not in names():
            raise _absent(name, str(type))
        if index not in (None, 0) or (colon and number != "0"):
            raise CallError(
                f"there is no device {name!r} of the number {index or number!r}", hint="it has the number 0"
            )
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


def names() -> tuple[str, ...]:
    """The names of the devices that there are, told by the targets, which are imported for it."""
    from tilewright.targets.target import devices

    return devices()


def _absent(name: str, given: str) -> CallError | UnsupportedError:
    hint = f"devices here: {', '.join(map(repr, names()))}"
    if name in _PLANNED:
        return UnsupportedError(f"tensors cannot be on {name!r} yet", hint=hint)
    return CallError(f"there is no device {given!r}", hint=hint)


CPU = device()


def checked(given: Any) -> device:
    """The device that an argument names, the default for None."""
    return CPU if given is None or given is CPU else device(given)
