"""Element types as users hold them, under PyTorch's names."""

from __future__ import annotations

from typing import Any, Literal, final

from tilewright.runtime import _core

Kind = Literal["bool", "unsigned", "signed", "float", "field"]


@final
class dtype:
    """An element type: ``tw.float32`` and the others are all there are; each stands for itself in comparisons.

    ``code`` is its name in ``.tw`` (``f32``), ``itemsize`` its bytes.

    >>> import tilewright as tw
    >>> tw.float32, tw.float32.code, tw.float32.itemsize, tw.int8.is_floating_point
    (tilewright.float32, 'f32', 4, False)
    """

    __slots__ = ("code", "itemsize", "kind", "name")

    name: str
    code: str
    itemsize: int
    kind: Kind

    def __init__(self, name: str, code: str, itemsize: int, kind: Kind) -> None:
        for slot, value in zip(("name", "code", "itemsize", "kind"), (name, code, itemsize, kind), strict=True):
            object.__setattr__(self, slot, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{self!r} cannot be changed")

    def __repr__(self) -> str:
        return f"tilewright.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return named, (self.code,)

    @property
    def is_floating_point(self) -> bool:
        """Whether it is a float."""
        return self.kind == "float"

    @property
    def is_signed(self) -> bool:
        """Whether it has negative values."""
        return self.kind in ("float", "signed")

    @property
    def is_complex(self) -> bool:
        """False: there are no complex dtypes."""
        return False


bool_ = dtype("bool", "bool", 1, "bool")
int8 = dtype("int8", "i8", 1, "signed")
int16 = dtype("int16", "i16", 2, "signed")
int32 = dtype("int32", "i32", 4, "signed")
int64 = dtype("int64", "i64", 8, "signed")
uint8 = dtype("uint8", "u8", 1, "unsigned")
uint16 = dtype("uint16", "u16", 2, "unsigned")
uint32 = dtype("uint32", "u32", 4, "unsigned")
uint64 = dtype("uint64", "u64", 8, "unsigned")
float16 = dtype("float16", "f16", 2, "float")
bfloat16 = dtype("bfloat16", "bf16", 2, "float")
float32 = dtype("float32", "f32", 4, "float")
float64 = dtype("float64", "f64", 8, "float")
field = dtype("field", "field", 8, "field")

ALL = (
    bool_, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float16, bfloat16, float32, float64, field,
)  # fmt: skip
"""In the order of the core's enumeration."""

_BY_CODE = {d.code: d for d in ALL}


def named(code: str) -> dtype:
    """The element type that ``.tw`` calls ``code``."""
    return _BY_CODE[code]


_core.set_dtypes(ALL)
