"""Element types."""

from __future__ import annotations

from tilewright.errors import UserError
from tilewright.ir.intern import Interned
from tilewright.records import dataclass


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class DType(metaclass=Interned):
    """An element type: ``kind`` is bool, int, uint, float or field; ``bits`` is its storage width."""

    name: str
    kind: str
    bits: int

    @property
    def bytes(self) -> int:
        return self.bits // 8

    @property
    def is_float(self) -> bool:
        """True for floats and for the exact field, which stands in for them."""
        return self.kind in ("float", "field")

    @property
    def is_integer(self) -> bool:
        return self.kind in ("int", "uint")

    @property
    def limits(self) -> tuple[int, int]:
        """The least and the greatest value of an integer dtype."""
        if self.kind == "uint":
            return 0, (1 << self.bits) - 1
        return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1

    @property
    def compute(self) -> DType:
        """The type that arithmetic on this storage type is done in: f32 for f16 and bf16."""
        return F32 if self in (F16, BF16) else self

    def __repr__(self) -> str:
        return self.name


BOOL = DType("bool", "bool", 8)
I8, I16, I32, I64 = (DType(f"i{b}", "int", b) for b in (8, 16, 32, 64))
U8, U16, U32, U64 = (DType(f"u{b}", "uint", b) for b in (8, 16, 32, 64))
F16, F32, F64 = (DType(f"f{b}", "float", b) for b in (16, 32, 64))
BF16 = DType("bf16", "float", 16)
FIELD = DType("field", "field", 64)
"""The exact pair field: residues mod p (low word) and mod q (high word) in one 64-bit cell."""

ALL = (BOOL, I8, I16, I32, I64, U8, U16, U32, U64, F16, BF16, F32, F64, FIELD)
BY_NAME = {t.name: t for t in ALL}

CONSTRAINTS: dict[str, tuple[DType, ...]] = {
    "any": tuple(t for t in ALL),
    "float": (F16, BF16, F32, F64, FIELD),
    "wide": (F32, F64, FIELD),
    "int": (I8, I16, I32, I64, U8, U16, U32, U64),
    "index": (I32, I64),
    "number": (I8, I16, I32, I64, U8, U16, U32, U64, F16, BF16, F32, F64, FIELD),
}
"""What a dtype variable may be declared as in ``op f[T: float](...)``."""


def dtype(name: str) -> DType:
    """The dtype called ``name``; UserError names the choices."""
    if name not in BY_NAME:
        raise UserError(f"unknown dtype {name!r}", hint=f"one of {', '.join(BY_NAME)}")
    return BY_NAME[name]
