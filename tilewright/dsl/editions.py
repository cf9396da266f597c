"""Editions of the language. A file says which one it is written in; one that says nothing is of the newest."""

from __future__ import annotations

from collections.abc import Callable

from tilewright.dsl.mend import replaced
from tilewright.errors import SyntaxUserError
from tilewright.source import Span

UPGRADES: tuple[Callable[[str], str], ...] = ()
"""How a text of each edition, from the first on, becomes one of the next."""


def newest() -> int:
    """The edition that the grammar is of."""
    return len(UPGRADES) + 1


def known(digits: str, span: Span) -> int:
    """The edition that ``digits``, at ``span``, say. SyntaxUserError if there is none of that number."""
    number = int(digits) if len(digits) < 10 else 0
    if not 1 <= number <= newest():
        hint = f"write `edition {newest()}`, or use a newer Tilewright"
        raise SyntaxUserError(f"there is no edition {digits}", span, hint, replaced(span, str(newest())))
    return number


def require_newest(digits: str, span: Span) -> None:
    """SyntaxUserError unless ``digits`` say the newest edition."""
    if known(digits, span) < newest():
        hint = "`tilewright fmt --upgrade FILE` rewrites a file"
        raise SyntaxUserError(f"this is edition {digits}, and the newest is {newest()}", span, hint)
