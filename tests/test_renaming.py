"""No name is known to the engine: under other names, and with permuted operands, an op is the same op."""

from __future__ import annotations

import ast as python
import random
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from op_table import PROBES, ROWS, Array, Case, Row, op_of
from renaming import Renamed, renamed

import tilewright as tw
from tilewright.dsl.parse import parse
from tilewright.dsl.program import ELSEWHERE
from tilewright.dsl.reductions import NAMED
from tilewright.ir.scalar import OPS
from tilewright.ir.types import BY_NAME
from tilewright.stdlib import ops

EVERY = 9
WORDS = {
    *OPS,
    *BY_NAME,
    "index",
    "kernel",
    "for",
    "in",
    "block",
    "iter",
    "parallel",
    "reduce",
    "ordered",
    "vectorized",
    "where",
}
SAMPLE = [
    op if op in PROBES or n % EVERY == 0 else pytest.param(op, marks=pytest.mark.full) for n, op in enumerate(ROWS)
]


def other(op: str, seed: int) -> Renamed:
    return renamed(op_of(op).definition.tree, random.Random(zlib.crc32(op.encode()) + seed))


def call(row: Row, dtype: str) -> Case:
    return row.case(np.random.default_rng(zlib.crc32(row.op.encode())), dtype, "odd")


def permuted(case: Case, found: Renamed) -> tuple[Array | None, ...]:
    given = [*case.operands, *(None for _ in range(len(found.order) - len(case.operands)))]
    return tuple(given[n] for n in found.order)


def keywords(case: Case, found: Renamed) -> dict[str, Any]:
    return {found.names[name]: value for name, value in case.keywords.items()}


def cells(result: object) -> list[tuple[str, bytes]]:
    return [(str(r.dtype), r.tobytes()) for r in (result if isinstance(result, tuple) else (result,))]  # type: ignore[attr-defined]


@pytest.mark.parametrize("op", SAMPLE)
def test_the_results_are_the_same_bits(op: str) -> None:
    row, definition = ROWS[op], op_of(op)
    for seed, dtype in enumerate(dict.fromkeys((row.dtypes[0], "f32" if "f32" in row.dtypes else row.dtypes[-1]))):
        found, case = other(op, seed), call(row, dtype)
        again = tw.op(found.text)
        assert again.name == found.names[definition.name] != definition.name
        expected = definition(*case.operands, **case.keywords)
        assert cells(again(*permuted(case, found), **keywords(case, found))) == cells(expected), found.text


@pytest.mark.parametrize("op", SAMPLE)
def test_the_kernels_are_the_same(op: str) -> None:
    """Line by line the same loops and statements; the terms of a sum may stand in another order."""
    row, found = ROWS[op], other(op, 7)
    case = call(row, "f32" if "f32" in row.dtypes else row.dtypes[-1])
    if {*found.names} & WORDS:  # an operand called min could not be told from the function
        mine = loops(other(op, 8), case)
    else:
        mine = op_of(op).text("loops", *case.operands, **case.keywords)
    assert len(found.names) > 1 and kernels(loops(found, case)) == kernels(mine)


def loops(found: Renamed, case: Case) -> str:
    return tw.op(found.text).text("loops", *permuted(case, found), **keywords(case, found))


def kernels(loops: str) -> list[list[list[str]]]:
    """Each kernel as its lines, without names, declarations first and sorted."""
    found = []
    for kernel in loops.split("    kernel ")[1:]:
        lines = [shape(line) for line in kernel.split("\n")[1:]]
        first = next((n for n, line in enumerate(lines) if "for" in line or "block" in line), len(lines))
        found.append(sorted(lines[:first]) + lines[first:])
    return found


def shape(line: str) -> list[str]:
    """The words of the language and the signs of a line, sorted, and how far it is indented.

    How many plus signs there are depends on which term is printed first; a name that is a word is quoted.
    """
    tokens = re.findall(r"\d+(?:\.\d+)?(?:e-?\d+)?|\w+|[^\w\s+`]", line)
    margin = len(line) - len(line.lstrip())
    return [f"{margin}", *sorted("name" if t[0].isalpha() and t not in WORDS or t[0] == "_" else t for t in tokens)]


# --- no file knows a name -----------------------------------------------------------------------

PRODUCT = Path(tw.__file__).parent
ENGINE = ("ir", "dsl", "passes", "runtime", "targets", "compiler")
SPOKEN = {*OPS, *NAMED, "fold", "scan", "uniform", "linear", "size", "sort", "scatter"}
"""Functions, reductions and kinds of statements of the language, whose names some shipped ops share."""


def strings(path: Path) -> Iterator[str]:
    if path.suffix == ".py":
        tree = python.parse(path.read_text())
        yield from (n.value for n in python.walk(tree) if isinstance(n, python.Constant) and isinstance(n.value, str))
    else:
        yield from re.findall(r'"((?:[^"\\\n]|\\.)*)"', path.read_text())


@pytest.mark.parametrize("folder", ENGINE)
def test_no_engine_file_has_the_name_of_a_shipped_op(folder: str) -> None:
    files = [p for p in (PRODUCT / folder).rglob("*") if p.suffix in (".py", ".cpp", ".h", ".lark")]
    assert files
    for path in files:
        shared = SPOKEN | ({*ELSEWHERE, *ELSEWHERE.values()} if path.name == "program.py" else set())
        assert not {*strings(path)} & ({*ops.names()} - shared), path


def test_a_known_name_would_be_seen(tmp_path: Path) -> None:
    (tmp_path / "pass.py").write_text('if op.name == "softmax":\n    pass\n')
    assert "softmax" in strings(tmp_path / "pass.py")
    line = "                        acc[c] = max(acc[c], x[i, c])"
    assert shape(line) != shape(line.replace("max", "min")) and shape(line) == shape(line.replace("x[i", "z[k"))


@pytest.mark.parametrize("op", ROWS)
def test_the_source_text_of_an_op_is_that_op(op: str) -> None:
    (again,) = parse(op_of(op).text("source")).ops
    assert again == op_of(op).definition.tree
