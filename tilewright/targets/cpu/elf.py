"""Just enough of the ELF format to see that an object is complete in itself."""

from __future__ import annotations

import struct

from tilewright.errors import InternalError

_SYMBOL_TABLE = 2
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")


def undefined_symbols(image: bytes) -> list[str]:
    """The names that ``image``, a 64-bit little-end ELF object, expects others to define."""
    if image[:6] != b"\x7fELF\x02\x01":
        raise InternalError("an object is not 64-bit little-end ELF")
    sections = _sections(image)
    names: list[str] = []
    for section in sections:
        if section[1] == _SYMBOL_TABLE:
            texts = sections[section[6]][4]
            names += [_name(image, texts + n) for n, at in _symbols(image, section[4], section[5]) if n and not at]
    return names


def _sections(image: bytes) -> list[tuple[int, ...]]:
    (start,) = struct.unpack_from("<Q", image, 0x28)
    size, count = struct.unpack_from("<HH", image, 0x3A)
    return [_SECTION.unpack_from(image, start + n * size) for n in range(count)]


def _symbols(image: bytes, start: int, size: int) -> list[tuple[int, int]]:
    """(offset of the name, section the symbol is defined in; 0: none) per symbol."""
    found = _SYMBOL.iter_unpack(image[start : start + size])
    return [(name, section) for name, _, _, section, _, _ in found]


def _name(image: bytes, start: int) -> str:
    return image[start : image.index(b"\0", start)].decode()
