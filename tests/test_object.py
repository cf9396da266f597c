"""Loading objects: what LLVM makes runs, and no image, however damaged, does harm."""

from __future__ import annotations

import ctypes
import struct
from functools import cache

import pytest
from hand_built import embedding_plan
from hypothesis import given
from hypothesis import strategies as st

from tilewright.errors import InternalError
from tilewright.runtime import SIZES, Code, Object
from tilewright.targets.cpu import build
from tilewright.targets.cpu.manifest import target

TEXT = """
@table = internal constant [4 x i64] [i64 5, i64 7, i64 11, i64 13]

define internal i64 @twice(i64 %x) noinline {
  %y = shl i64 %x, 1
  ret i64 %y
}

define i64 @look(i64 %n) {
  %at = getelementptr i64, ptr @table, i64 %n
  %value = load i64, ptr %at
  %more = call i64 @twice(i64 %value)
  ret i64 %more
}

define double @third(double %x) {
  %y = fdiv double %x, 3.0
  ret double %y
}
"""


@cache
def image(text: str = TEXT) -> bytes:
    return build.compile_objects([f"{build.MODULE}\n{build.header(build.host())}{text}"], build.host())[0]


def test_code_and_constants_of_an_object() -> None:
    loaded = Object(image())
    look = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)(loaded.address("look"))
    third = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(loaded.address("third"))
    assert [look(n) for n in range(4)] == [10, 14, 22, 26]
    assert third(1.0) == 1 / 3
    with pytest.raises(KeyError, match="twice"):
        loaded.address("twice")


def mapping(address: int) -> str:
    """What may be done to the memory at ``address``."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            span, rights = line.split()[:2]
            first, last = (int(end, 16) for end in span.split("-"))
            if first <= address < last:
                return rights
    return ""


def test_code_cannot_be_written_and_goes_with_its_object() -> None:
    loaded = Object(image())
    address = loaded.address("look")
    assert mapping(address) == "r-xp"
    del loaded
    assert mapping(address) != "r-xp"


def test_what_an_object_needs_from_outside_is_named() -> None:
    text = "define float @f(float %a, float %b) {\n  %r = frem float %a, %b\n  ret float %r\n}\n"
    with pytest.raises(ValueError, match="the object needs 'fmodf' from outside"):
        Object(image(text))
    with pytest.raises(InternalError, match="cannot be loaded: the object needs 'fmodf' from outside"):
        Code("object", [image(text)])


def test_variables_are_refused() -> None:
    text = "@n = internal global i64 1\ndefine void @f(i64 %x) {\n  store i64 %x, ptr @n\n  ret void\n}\n"
    with pytest.raises(ValueError, match="the object has variables of its own"):
        Object(image(text))


def test_a_relocation_outside_of_its_section() -> None:
    changed = bytearray(image())
    (sections,) = struct.unpack_from("<Q", changed, 0x28)
    headers = [struct.unpack_from("<IIQQQQIIQQ", changed, sections + 64 * n) for n in range(changed[0x3C])]
    first = next(offset for _, kind, _, _, offset, *_ in headers if kind == 4)
    struct.pack_into("<Q", changed, first, 1 << 40)
    with pytest.raises(ValueError, match="a relocation of the object lies outside"):
        Object(bytes(changed))


@pytest.mark.parametrize(
    "damage, why",
    [
        (lambda b: b"", "the object is cut short"),
        (lambda b: b[:-1], "the object is cut short|a table of the object is cut short"),
        (lambda b: b"\x7fELG" + b[4:], "this is no 64-bit little-endian object file"),
        (lambda b: b[:16] + struct.pack("<H", 3) + b[18:], "this is no 64-bit little-endian object file"),
        (lambda b: b[:18] + struct.pack("<H", 40) + b[20:], "the object is for another kind of processor"),
        (lambda b: b[:0x28] + struct.pack("<Q", 1 << 63) + b[0x30:], "cut short"),
    ],
)
def test_damaged_objects(damage: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Object(damage(image()))  # type: ignore[operator]


@given(st.lists(st.tuples(st.integers(0, 1 << 20), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6))
def test_no_image_does_harm(changes: list[tuple[int, bytes]]) -> None:
    changed = bytearray(image())
    for at, new in changes:
        at %= len(changed)
        changed[at : at + len(new)] = new
    try:
        loaded = Object(bytes(changed))
        address = loaded.address("third")
    except (ValueError, KeyError) as refused:
        assert str(refused)
    else:
        assert mapping(address) in ("r-xp", "r--p")


@pytest.mark.parametrize("level", ["native", "x86-64-v3", "x86-64"])
def test_what_the_emitter_makes_is_complete(level: str) -> None:
    if not build.is_x86() and level != "native":
        pytest.skip("this level is of another architecture")
    plan = embedding_plan()
    objects = [Object(i) for i in target(level).compile(target(level).pieces(plan))]
    assert all(sum(name in o for o in objects) == 1 for name in (SIZES, *(k.name for k in plan.kernels)))
