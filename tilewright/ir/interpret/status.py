"""The record of data-dependent indices that were out of range."""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.errors import KernelIndexError


class IndexFault(KernelIndexError):
    """``value``, read at the row-major ``position`` of input number ``operand``, was out of range."""

    def __init__(self, operand: int, position: int, value: int, name: str) -> None:
        self.operand, self.position, self.value = operand, position, value
        super().__init__(f"the index {value} at position {position} of {name!r} is out of range")


class Status:
    """Keeps the note with the lowest (operand, position); ``inputs`` are the names, by number.

    An index that was read from none of the inputs counts as of the operand after the last.
    """

    def __init__(self, inputs: Sequence[str]) -> None:
        self.inputs = list(inputs)
        self.fault: IndexFault | None = None

    def note(self, name: str, position: int, value: int) -> None:
        """Notes an index out of range; of notes with equal places the first is kept."""
        operand = self.inputs.index(name) if name in self.inputs else len(self.inputs)
        if self.fault is None or (operand, position) < (self.fault.operand, self.fault.position):
            self.fault = IndexFault(operand, position, value, name)

    def check(self) -> None:
        """Raises the fault kept, if there is one."""
        if self.fault is not None:
            raise self.fault
