"""A corpus of wrong programs: what is said about each, and what its remedy makes of it.

A file holds cases::

    === what is wrong
    the program
    --- says
    the first diagnostic, rendered
    --- fixed
    the program after the edits that the diagnostics suggest
    --- by hand
    or, where a remedy is given in words only: the program after doing what they say

``python -m wrong_programs`` (in ``tests``) writes down what the compiler says now; read the difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tilewright.compiler.claims import check
from tilewright.dsl.parse import parse
from tilewright.errors import CheckError, SyntaxUserError, UserError
from tilewright.source import edited
from tilewright.stdlib import ops

FOLDER = Path(__file__).parent
MOST_ROUNDS = 4


@dataclass(frozen=True)
class Case:
    name: str
    text: str
    says: str = ""
    fixed: str = ""
    by_hand: str = ""

    @property
    def remedied(self) -> str:
        return self.fixed or self.by_hand

    def __str__(self) -> str:
        parts = [f"=== {self.name}\n{self.text}--- says\n{self.says}"]
        parts += [f"--- fixed\n{self.fixed}"] if self.fixed else []
        parts += [f"--- by hand\n{self.by_hand}"] if self.by_hand else []
        return "".join(parts)


def cases(text: str) -> Iterator[Case]:
    for block in text.split("=== ")[1:]:
        name, _, rest = block.partition("\n")
        program, *sections = rest.split("\n--- ") if "\n--- " in rest else [rest]
        parts = dict(s.split("\n", 1) for s in sections)
        parts = {key: value.rstrip("\n") + "\n" for key, value in parts.items()}
        yield Case(
            name, program.rstrip("\n") + "\n", parts.get("says", ""), parts.get("fixed", ""), parts.get("by hand", "")
        )


def files() -> list[Path]:
    return sorted(FOLDER.glob("*.txt"))


def diagnostics(text: str) -> tuple[UserError, ...]:
    """What is wrong with a program, in source order."""
    try:
        module = parse(text)
    except SyntaxUserError as e:
        return (e,)
    found = check(module, ops.definitions).diagnostics
    assert all(isinstance(e, CheckError) for e in found)
    return found


def fixed(text: str) -> str:
    """The program after the edits that its first diagnostic suggests, and so on while there are any."""
    for _ in range(MOST_ROUNDS):
        found = diagnostics(text)
        if not found or not found[0].fix:
            break
        text = edited(text, found[0].fix)
    return text


def now(case: Case) -> Case:
    """The case with what is said today."""
    found = diagnostics(case.text)
    if not found:
        raise SystemExit(f"nothing is wrong with {case.name!r} any more")
    says, mended = f"{found[0]}\n", fixed(case.text)
    return Case(case.name, case.text, says, mended if mended != case.text else "", case.by_hand)
