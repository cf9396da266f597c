"""Random bits: Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).

Words are the lower halves of u64 whose upper halves are anything: a round's product is one multiplication, whose
factors alone are masked (which is what instructions that multiply lower halves do).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tilewright.ir.types import U32, U64
from tilewright.passes.legalise.term import Term, where, word

WORD = 0xFFFFFFFF
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
ROUNDS = 10
ZERO = word(0)


def bits(seed: Term, offset: Term, i: Term) -> Term:
    """Word ``i & 3`` of the block at counter ``offset + (i >> 2)`` under key ``seed``, as u32."""
    counter = offset.to(U64) + (i >> 2).to(U64)
    key = seed.to(U64)
    words = _philox((counter, counter >> 32, ZERO, ZERO), (key, key >> 32))
    return _pick(words, (i & 3).to(U64)).to(U32)


def _philox(c: tuple[Term, ...], key: tuple[Term, Term]) -> tuple[Term, ...]:
    for n in range(ROUNDS):
        k0, k1 = (k + n * step if n else k for k, step in zip(key, KEY_STEPS, strict=True))
        first, second = _product(c[0], MULTIPLIERS[0]), _product(c[2], MULTIPLIERS[1])
        c = (_mixed(second, c[1], k0), second, _mixed(first, c[3], k1), first)
    return c


def _product(factor: Term, multiplier: int) -> Term:
    return ZERO if factor is ZERO else (factor & WORD) * multiplier


def _mixed(product: Term, other: Term, key: Term) -> Term:
    """The upper half of ``product``, with the others exclusive-ored in."""
    value = key if product is ZERO else (product >> 32) ^ key
    return value if other is ZERO else value ^ other


def _pick(words: tuple[Term, ...], n: Term) -> Term:
    value = words[3]
    for k in (2, 1, 0):
        value = where(n.same(k), words[k], value)
    return value


TABLE: Mapping[tuple[str, str], Callable[[Term, Term, Term], Term]] = {
    ("bits", name): bits for name in ("i32", "i64", "u32", "u64")
}
