"""Ways to spoil a text: bytes, tokens, lines, nesting, repetition, odd numbers and names."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

LONGEST = 6_000
_TOKEN = re.compile(rb"[A-Za-z0-9_]+|\s+|[^\sA-Za-z0-9_]")
_NUMBER = re.compile(rb"[0-9]+(?:\.[0-9]+)?")
_NUMBERS = (
    *b"0 1 -1 2147483648 9223372036854775807 9223372036854775808 18446744073709551616".split(),
    *b"1e999 1e-999 0.5 0x10 1_000 007 1e .. 4. .5".split(),
    *(b"1" + b"0" * 24, b"9" * 40, b"9" * 5000, b"1." + b"3" * 400, "١٢".encode()),
)
_ODD = (
    b"\0", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\r\n", b"\t", b"\x0b", b"\x85", b"\x1b[31m",
    *(s.encode() for s in ("é", "変数", "x\u0301", "\u2028", "\u00a0", "\U0001f600", "ﬁ")),
    *b"` \" \\ ' # $ %0 @ ; ? ... -> <- += else if where pass __class__ nan inf true none".split(),
    b"pow2(64)", b"pow2(-1)", b"ctz(0)", b"(1 // 0)", b"(x % 0)",
)  # fmt: skip
_AROUND = ((b"(", b")"), (b"[", b"]"), (b"-", b""), (b"exp(", b")"), (b"min(1,", b")"), (b"1 + ", b""))

Mutation = Callable[[bytes, Random, Sequence[bytes]], bytes]
"""A text, changed; other texts of the same kind may lend parts."""


def spoilt(text: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """``text`` after one to four mutations."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        text = random.choice(MUTATIONS)(text, random, others)[:LONGEST]
    return text


def _span(length: int, random: Random, most: int = 40) -> tuple[int, int]:
    start = random.randint(0, length)
    return start, min(length, start + random.randint(0, most))


def _flip(text: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    at = random.randrange(len(text) or 1)
    return text[:at] + bytes([random.randrange(256)]) + text[at + 1 :]


def _insert(text: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    at = random.randint(0, len(text))
    return text[:at] + random.choice(_ODD) + text[at:]


def _delete(text: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    start, end = _span(len(text), random)
    return text[:start] + text[end:]


def _cut(text: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    return text[: random.randint(0, len(text))]


def _splice(text: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    other = random.choice(others)
    start, end = _span(len(other), random, 200)
    at, to = _span(len(text), random)
    return text[:at] + other[start:end] + text[to:]


def _tokens(text: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Swaps, doubles, drops or borrows a token."""
    found = _TOKEN.findall(text) or [b""]
    a, b = (random.randrange(len(found)) for _ in range(2))
    kind = random.randrange(4)
    if kind == 0:
        found[a], found[b] = found[b], found[a]
    elif kind == 1:
        found[a] *= 2
    elif kind == 2:
        found[a] = b""
    else:
        found[a] = random.choice(_TOKEN.findall(random.choice(others)) or [b""])
    return b"".join(found)


def _alike(text: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """A word, number or sign becomes another of its class."""
    found = _TOKEN.findall(text) or [b"1"]
    at = random.randrange(len(found))
    choices = [t for t in _TOKEN.findall(random.choice(others)) + found if _class(t) == _class(found[at])]
    found[at] = random.choice(choices)
    return b"".join(found)


def _class(token: bytes) -> int:
    return 0 if token.isspace() else 1 if token.isdigit() else 2 if token[:1].isalpha() or token[:1] == b"_" else 3


def _rename(text: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """One word everywhere becomes another of the text."""
    words = sorted(set(re.findall(rb"[A-Za-z_][A-Za-z0-9_]*", text))) or [b"x"]
    old, new = random.choice(words), random.choice(words)
    return re.sub(rb"\b" + old + rb"\b", new, text)


def _lines(text: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Swaps, doubles, drops or indents a line."""
    found = text.split(b"\n")
    a, b = (random.randrange(len(found)) for _ in range(2))
    kind = random.randrange(4)
    if kind == 0:
        found[a], found[b] = found[b], found[a]
    elif kind == 1:
        found.insert(b, found[a])
    elif kind == 2:
        del found[a]
    else:
        found[a] = b" " * random.randint(1, 9) + found[a].lstrip()
    return b"\n".join(found)


def _number(text: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    places = list(_NUMBER.finditer(text))
    if not places:
        return text + random.choice(_NUMBERS)
    place = random.choice(places)
    return text[: place.start()] + random.choice(_NUMBERS) + text[place.end() :]


def _nest(text: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    found = _TOKEN.findall(text) or [b"1"]
    at = random.randrange(len(found))
    depth = random.choice((1, 2, 20, 199, 200, 201, 400))
    start, end = random.choice(_AROUND)
    found[at] = start * depth + found[at] + end * random.choice((depth, depth, depth - 1))
    return b"".join(found)


def _repeat(text: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    start, end = _span(len(text), random, 30)
    return text[:end] + text[start:end] * random.choice((1, 3, 50, 300)) + text[end:]


MUTATIONS: tuple[Mutation, ...] = (
    _flip, _insert, _delete, _cut, _splice, _tokens, _alike, _alike, _alike, _rename, _rename, _lines, _number, _nest,
    _repeat,
)  # fmt: skip
