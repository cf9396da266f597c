"""What a fault is, and the text that faults are written in::

= AREA: FILE                  the faults that follow are in this file of tilewright/
# NAME
-what stands there once       (several lines are one text)
+what is put in its place     (none: nothing)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A deliberate mistake: in ``file`` (inside ``tilewright/``) the text ``before``, which stands there once, becomes
    ``after``. ``area`` chooses the nets that are tried on it."""

    name: str
    file: str
    before: str
    after: str
    area: str

    def applied(self, text: str) -> str:
        """``text``, that of the file, with the fault in it; ValueError if ``before`` is not there exactly once."""
        count = text.count(self.before)
        if count != 1:
            raise ValueError(f"{self.name}: {self.file} has {count} times {self.before!r}")
        return text.replace(self.before, self.after)


def parse(text: str) -> Iterator[Fault]:
    """The faults of a text; ValueError for one that is not of the form above."""
    for section in re.split(r"(?m)^= ", text)[1:]:
        head, *entries = re.split(r"(?m)^# ", section)
        area, file = head.strip().split(": ")
        for entry in entries:
            name, *lines = entry.rstrip("\n").split("\n")
            before = [line[1:] for line in lines if line.startswith("-")]
            after = [line[1:] for line in lines if line.startswith("+")]
            if not before or len(before) + len(after) < len(lines):
                raise ValueError(f"the fault {name} is not written in lines of - and +")
            yield Fault(name, file, "\n".join(before), "\n".join(after), area)
