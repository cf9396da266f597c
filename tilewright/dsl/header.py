"""What calling an op takes, as plain data: no definition has to be parsed for it."""

from __future__ import annotations

import json
from _blake2 import blake2b
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

Parameter: TypeAlias = tuple[
    str,
    Literal["tensor", "optional", "attr_int", "attr_float", "attr_bool", "attr_choice", "scalar"],
    str | tuple[str, ...] | int | None,
    bool,
    object,
    bool,
]
"""As the runtime's core binds it: (name, kind, a scalar's dtype or an attribute's choices or length, has a default, the
default, keyword only)."""


Shaped: TypeAlias = tuple[str, str, tuple[str, ...]]
"""An operand or a result: its name, its dtype or dtype variable, the text of each axis; a pack's ends in ``...``."""


class Header(NamedTuple):
    """Of an op: its name, the parameters of a call, which axes of which operands are stretched to each other
    (:attr:`tilewright.dsl.signature.OperandInfo.shared`), which axes a call may merge and reorder (``dsl/axes.py``),
    and ``form``, how it is called.

    ``identity`` is a hash of what the op and those that it calls say, wherever it is written down. ``variables`` has
    the dtypes that each dtype variable allows; ``inputs`` and ``results`` how operands and results are declared, a
    result of several forms by its first.
    """

    name: str
    parameters: tuple[Parameter, ...]
    packs: tuple[tuple[int, int] | None, ...]
    axes: tuple[Any, ...]
    form: str
    identity: str
    variables: tuple[tuple[str, tuple[str, ...]], ...]
    inputs: tuple[Shaped, ...]
    results: tuple[Shaped, ...]

    @property
    def operands(self) -> list[str]:
        """The names of the tensor operands."""
        return [p[0] for p in self.parameters if p[1] in ("tensor", "optional")]

    @property
    def settings(self) -> list[str]:
        """The names of what a call is compiled for: attributes, then ranks of packs."""
        return [p[0] for p in self.parameters if p[1].startswith("attr_")]

    @staticmethod
    def of_json(data: Sequence[Any]) -> Header:
        """The header that JSON says; it writes tuples as lists."""
        return Header(*map(_frozen, data))


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def written(headers: Sequence[Header], of: Mapping[str, str]) -> str:
    """The text that :func:`read` reads: the stamp of the sources and the names, then a line for each header."""
    first = {"stamp": stamp(of), "names": [h.name for h in headers]}
    return "\n".join(json.dumps(data, separators=(",", ":")) for data in (first, *headers))


def read(text: str, of: Mapping[str, str]) -> dict[str, Callable[[], Header]]:
    """By name what makes each header that was written; none if it was of other sources than these."""
    first, *lines = text.split("\n")
    data = json.loads(first)
    if data["stamp"] != stamp(of):
        return {}
    return {name: partial(_header, line) for name, line in zip(data["names"], lines, strict=True)}


def _header(line: str) -> Header:
    return Header.of_json(json.loads(line))


def stamp(texts: Mapping[str, str]) -> str:
    """A hash of source texts by file name and of the front end that reads them: their headers are valid for just it."""
    front_end = sorted(p for p in Path(__file__).parent.iterdir() if p.suffix in (".py", ".lark"))
    parts = [*(p.read_bytes() for p in front_end), *(f"{n}\0{t}".encode() for n, t in sorted(texts.items()))]
    return blake2b(b"\0".join(parts), digest_size=20).hexdigest()
