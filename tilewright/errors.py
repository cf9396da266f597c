"""The three roots of everything Tilewright raises on purpose.

A :class:`UserError` is mended by the user, an :class:`UnsupportedError` by choosing another
target, an :class:`InternalError` by us.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from tilewright.source import Edit, Span


class TilewrightError(Exception):
    """Base of all errors: a message, where it was (if it has a place in source) and the remedy.

    ``fix`` are the edits of the source that the remedy comes to, where they are known.
    """

    def __init__(
        self, message: str, span: Span | None = None, hint: str | None = None, fix: Iterable[Edit] = ()
    ) -> None:
        self.message = message
        self.span = span
        self.hint = hint
        self.fix = tuple(fix)
        super().__init__(self.render())

    def render(self) -> str:
        """``file:line:col: error: message``, the line with a caret, and ``help: remedy``."""
        place = f"{self.span}: " if self.span else ""
        parts = [f"{place}{self.label}: {self.message}"]
        if self.span:
            parts.append(self.span.snippet())
        if self.hint:
            parts.append(f"help: {self.hint}")
        return "\n".join(parts)

    def again(self) -> Self:
        """The same error anew: it has not been raised."""
        return type(self)(self.message, self.span, self.hint, self.fix)

    label = "error"


class UserError(TilewrightError):
    """The program or the call is wrong."""


class SyntaxUserError(UserError):
    """The text does not follow the grammar."""

    label = "syntax error"


class CheckError(UserError):
    """The text is grammatical, but the program has no meaning (names, types, ranges, bounds)."""


class CallError(UserError, ValueError):
    """An op was called with operands or options that it does not take."""


class CallTypeError(UserError, TypeError):
    """An op was called with an operand of a type or dtype that it does not take."""


class CallIndexError(UserError, IndexError):
    """A call named an axis or an element that a tensor does not have."""


class KernelIndexError(UserError, IndexError):
    """A data-dependent index lay outside its operand; found by the kernel, nothing was written outside."""


class FileFormatError(UserError, ValueError):
    """A file of tensors does not follow its format, or holds what there are no tensors of."""


class ScheduleError(UserError):
    """A schedule step is illegal or cannot be proved legal."""


class UnsupportedError(TilewrightError):
    """The program is right, but this target cannot run it."""

    label = "unsupported"


class InternalError(TilewrightError):
    """A defect in Tilewright: please report it."""

    label = "internal error"
    bundle: str | None = None
    """The folder with what is needed to see it again, once one is written."""


class VerifyError(InternalError):
    """An IR breaks a rule of its verifier; ``rule`` names the rule."""

    def __init__(self, rule: str, message: str, span: Span | None = None) -> None:
        self.rule = rule
        super().__init__(f"[{rule}] {message}", span)
