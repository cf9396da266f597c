"""Reference pages, from source to Markdown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tilewright.cli import main
from tilewright.dsl.doc import pages
from tilewright.dsl.parse import parse
from tilewright.errors import CheckError

TEXT = """\
edition 1

# Not a remark: a blank line follows.

# The mean over some axes, less a bias.
# NaN where there are none.
op mean[T: float](x: T[A..., R...], b: T[A...]?, *, eps: float = -1e-5, q: scalar T) -> y: T[A...]:
    t[a...] = sum[r...](x[a..., r...])
    if b: y[a...] = t[a...] / T(q) + b[a...]
    else: y[a...] = t[a...] / (T(q) + eps)

op total[T: float](x: T[...]) -> y: T[...]:
    y[...] = x[...]

op last(x: f32[N]) -> y: f32[]:
    y[] = x[N - 1]
"""
WANTED = """\
# total

| | |
| --- | --- |
| `T` | dtype: f16, bf16, f32, f64, field |
| `x: T[...]` | operand |
| `y: T[...]` | result |

# last

| | |
| --- | --- |
| `x: f32[N]` | operand |
| `y: f32[]` | result |

Sizes: `N >= 1`.
"""
MEAN = """\
# mean

The mean over some axes, less a bias.
NaN where there are none.

| | |
| --- | --- |
| `T` | dtype: f16, bf16, f32, f64, field |
| `x: T[A..., R...]` | operand |
| `b: T[A...]?` | operand, may be left out |
| `eps: float = -1e-5` | attribute, known when the op is compiled |
| `A: int` | number of axes of A..., where the operands do not tell it |
| `R: int` | number of axes of R..., where the operands do not tell it |
| `q: scalar T` | run-time scalar |
| `y: T[A...]` | result |

"""


def test_pages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = pages(parse(TEXT))
    assert found == MEAN + WANTED
    path = tmp_path / "f.tw"
    path.write_text(TEXT)
    assert main(["doc", str(path)]) == 0
    assert capsys.readouterr().out == found


def test_calls_and_open_ranks_are_listed() -> None:
    text = (
        "op f(x: f32[A..., R...]) -> y: f32[A..., R...]:\n    y = g(x)\n"
        "op g(x: f32[...]) -> y: f32[...]:\n    y[...] = x[...]\n"
    )
    page = pages(parse(text)).split("# g")[0]
    assert page.endswith("\nCalls g.\n\n")
    assert "| `R: int` | number of axes of R..., where the operands do not tell it |" in page


def test_a_wrong_op_has_no_page() -> None:
    with pytest.raises(CheckError, match="unknown tensor 'z'"):
        pages(parse("op f(x: f32[N]) -> y: f32[N]:\n    y[n] = z[n]\n"))
