"""Passes as values, pipelines as values, and the one runner."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, ClassVar

from tilewright.errors import InternalError, UnsupportedError, UserError
from tilewright.ir.index import Condition
from tilewright.records import dataclass

_PLAIN = re.compile(r"(?!(?:true|false|none|inf|nan)\b)[A-Za-z_][A-Za-z0-9_-]*\Z")


@dataclass(frozen=True)
class Pass:
    """A rewrite ``run(subject) -> subject``. Subclasses are frozen dataclasses; their fields are options.

    ``name`` is the module's name in kebab-case. ``requires`` and ``establishes`` are names of properties of the
    subject; the runner refuses a pass whose requirements nothing before it established.
    """

    name: ClassVar[str] = ""
    requires: ClassVar[frozenset[str]] = frozenset()
    establishes: ClassVar[frozenset[str]] = frozenset()

    def run(self, subject: Any) -> Any:
        """The rewritten subject; the given one is not changed."""
        raise InternalError(f"pass {self.name} does not run")

    def __str__(self) -> str:
        """``name{option=value ...}``, without the options that have their default."""
        values = {f.name: option_text(getattr(self, f.name)) for f in fields(self)}
        defaults = {f.name: option_text(f.default) for f in fields(self) if f.default is not MISSING}
        shown = " ".join(f"{name}={text}" for name, text in values.items() if text != defaults.get(name))
        return f"{self.name}{{{shown}}}" if shown else self.name


def option_text(value: Any) -> str:
    """The text of one option's value, as ``dsl/parse_pipeline.py`` reads it."""
    if value is None or isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return value if _PLAIN.match(value) else json.dumps(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(option_text, value))}]"
    if isinstance(value, Condition):
        return f"({value})"
    raise InternalError(f"an option of a pass cannot be {value!r}")


Hook = Callable[[Pass, Any, Any], None]
"""Called between passes with (pass, subject before, subject after)."""


@dataclass(frozen=True)
class Pipeline:
    """Passes to run in order."""

    passes: tuple[Pass, ...]

    def __str__(self) -> str:
        return ",".join(map(str, self.passes))

    def run(self, subject: Any, hook: Hook | None = None, holds: frozenset[str] = frozenset()) -> Any:
        """``subject`` after all passes. ``holds``: the properties it has at the start.

        Errors of the user pass through; any other failure of a pass or of the hook becomes an
        InternalError that names the pass.
        """
        for p in self.passes:
            missing = sorted(p.requires - holds)
            if missing:
                raise InternalError(f"pass {p} requires {', '.join(missing)}, which nothing before it established")
            subject = _step(p, subject, hook)
            holds |= p.establishes
        return subject


def _step(p: Pass, before: Any, hook: Hook | None) -> Any:
    try:
        after = p.run(before)
        if hook is not None:
            hook(p, before, after)
    except (UserError, UnsupportedError):
        raise
    except Exception as e:
        raise InternalError(f"pass {p}: {e}") from e
    return after
