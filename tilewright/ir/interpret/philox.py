"""The counter-based random source Philox4x32-10."""

from __future__ import annotations

from functools import lru_cache

Words = tuple[int, int, int, int]

_MASK = 0xFFFFFFFF


def _round(counter: Words, key: tuple[int, int]) -> Words:
    a, b = counter[0] * 0xD2511F53, counter[2] * 0xCD9E8D57
    return (b >> 32 ^ counter[1] ^ key[0], b & _MASK, a >> 32 ^ counter[3] ^ key[1], a & _MASK)


@lru_cache(maxsize=4096)
def philox4x32(counter: Words, key: tuple[int, int], rounds: int = 10) -> Words:
    """The four random words of a counter under a key; all words have 32 bits."""
    for _ in range(rounds):
        counter = _round(counter, key)
        key = ((key[0] + 0x9E3779B9) & _MASK, (key[1] + 0xBB67AE85) & _MASK)
    return counter


def bits(seed: int, offset: int, i: int) -> int:
    """Word ``i & 3`` at the 64-bit counter ``offset + (i >> 2)`` under the 64-bit key ``seed``."""
    counter = offset + (i >> 2)
    words = (counter & _MASK, counter >> 32 & _MASK, 0, 0)
    return philox4x32(words, (seed & _MASK, seed >> 32 & _MASK))[i & 3]
