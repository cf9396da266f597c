"""A compiled plan as plain data: what the disk cache keeps, and what the runner's program is made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tilewright.runtime._core import Program
from tilewright.runtime.code import Code, Form

if TYPE_CHECKING:
    from tilewright.runtime._core import Step

ABI_VERSION = 2
"""The version of the kernel ABI (see docs/architecture.md); part of every key."""

SIZES = "sizes"
"""The function that fills the tail of the size table."""


class Artifact(NamedTuple):
    """Images of machine code, and where a call finds what it needs: slots are places in the size table, head first.

    ``outputs`` holds (dtype, the slot of each dim), and True for one that is written to memory of any strides;
    ``steps`` are those of the plan, ("phase", symbol, slot of tasks, slot of chunk) or
    ("repeat", slot of trips, steps); ``checks`` are messages.
    """

    form: Form
    head: int
    tail: int
    outputs: Sequence[Any]
    scratch: int
    steps: Sequence[Any]
    checks: Sequence[str]
    scalars: Sequence[str]
    images: Sequence[bytes]

    def program(self) -> Program:
        """The callable form."""
        code = Code(self.form, self.images)
        return Program(
            code.address(SIZES),
            self.head,
            self.tail,
            [tuple(output) for output in self.outputs],
            self.scratch,
            [_placed(s, code) for s in self.steps],
            list(self.checks),
            code,
            list(self.scalars),
        )

    def encode(self) -> bytes:
        """As bytes: a line of JSON, then the images."""
        line = json.dumps([*self[:-1], [len(i) for i in self.images]], separators=(",", ":"))
        return b"".join([line.encode(), b"\n", *self.images])

    @staticmethod
    def decode(data: bytes) -> Artifact:
        """What :meth:`encode` was given; ValueError, TypeError or KeyError for anything else."""
        line, _, rest = data.partition(b"\n")
        form, head, tail, outputs, scratch, steps, checks, scalars, lengths = json.loads(line)
        images, at = [], 0
        for length in lengths:
            images.append(rest[at : at + length])
            at += length
        if at != len(rest) or min(lengths, default=0) < 0:
            raise ValueError(f"{len(rest)} bytes of images, not those of {lengths}")
        return Artifact(form, head, tail, outputs, scratch, steps, checks, scalars, images)


def _placed(step: Any, code: Code) -> Step:
    if step[0] == "phase":
        return ("phase", code.address(step[1]), step[2], step[3])
    return ("repeat", step[1], [_placed(s, code) for s in step[2]])
