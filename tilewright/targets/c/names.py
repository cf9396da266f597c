"""C identifiers: readable, unique in their function, no reserved words."""

from __future__ import annotations

import re

_KEYWORDS = """
auto break case char const continue default do double else enum extern float for goto if inline int long register
restrict return short signed sizeof static struct switch typedef union unsigned void volatile while asm typeof
"""
_USED = """
bool true false main sizes args lo hi tid head tail fma fmaf sqrt sqrtf fabs fabsf INFINITY NAN TwArgs TwStatus
unix linux
"""
RESERVED = frozenset(f"{_KEYWORDS} {_USED}".split())


FOREIGN = re.compile("tw_|u?int|U?INT|FP_|MATH_|math_|HUGE|SIZE_|PTRDIFF_|WCHAR_|WINT_|SIG_")
"""How names of the headers, and of our helpers, begin."""


class Names:
    """The identifiers of a scope; an inner scope does not hide names of the outer one."""

    def __init__(self, outer: Names | None = None) -> None:
        self._taken: set[str] = set(outer._taken) if outer else set(RESERVED)

    def fresh(self, hint: str) -> str:
        """An identifier like ``hint`` that is not taken; it is then."""
        base = identifier(hint)
        name, count = base, 1
        while name in self._taken:
            count += 1
            name = f"{base}_{count}"
        self._taken.add(name)
        return name


def identifier(text: str) -> str:
    """``text`` with everything that C does not take in a name replaced."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")
    if not name or name[0].isdigit():
        name = f"v{name}"
    return f"{name}_" if FOREIGN.match(name) else name
