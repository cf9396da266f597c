"""The script that measures accuracy, on samples; and that it sees what is wrong."""

from __future__ import annotations

import json
import math
import subprocess
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from accuracy import Found, judge_double, judge_short, kernel, measure, oracle, oracle_bits, read, write_page
from oracles import ORACLES

from tilewright.ir.functions import FUNCTIONS


@pytest.fixture(autouse=True, scope="module")
def _compiler() -> None:
    try:
        oracle()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no gcc with libquadmath and libmvec")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_f32_on_a_sample(name: str) -> None:
    found = measure(name, "f32", 1 << 16)
    assert found.is_right, found
    assert found.inputs >= 1 << 16


def test_sigmoid_where_its_roundings_add_up() -> None:
    """Around -4.845, where without care they come to 2.24 ULP."""
    here = int(np.float32(-4.8456054).view(np.uint32))
    x = np.arange(here - (1 << 17), here + (1 << 17), dtype=np.uint32).view(np.float32)
    assert judge_short("sigmoid", "f32", [x], np.asarray(kernel("sigmoid", "f32")(x))).error < 1.7


@pytest.mark.parametrize("name", ["exp", "pow", "digamma"])
def test_f64_on_a_sample(name: str) -> None:
    found = measure(name, "f64", 3000)
    assert found.is_right, found
    assert found.confirmed > 500 and found.apart < 1e-6


@pytest.mark.parametrize("name", ["erfinv", "lgamma", "digamma", "logaddexp", "sin", "cos", "sigmoid"])
def test_the_oracle_agrees_with_mpmath(name: str) -> None:
    """On operands of its own: what the libraries lack, or what is composed of theirs."""
    assert oracle_bits(name, "single", 60) > 45
    assert oracle_bits(name, "double", 30) > 75


@pytest.mark.parametrize(("dtype", "kind"), [("f32", np.float32), ("f16", np.float16)])
def test_the_judge_of_short_floats(dtype: str, kind: type[np.floating]) -> None:
    x = np.linspace(0.1, 2, 300, dtype=kind)
    y = np.exp(x.astype(np.float64)).astype(kind)
    right = judge_short("exp", dtype, [x], y)
    assert (right.error, right.wrong) == (0.5, 0)
    y[7] = np.nextafter(y[7], kind(np.inf))
    wrong = judge_short("exp", dtype, [x], y)
    assert 0.5 < wrong.error < 1.5 and (wrong.at, wrong.wrong) == (7, 1)
    for bad in (math.nan, math.inf, -y[7]):
        y[7] = bad
        assert judge_short("exp", dtype, [x], y).error > 100


KINDS = [
    ("floor", -0.0, 0.0),
    ("floor", math.inf, -math.inf),
    ("log", -1.0, 0.0),
    ("log", 0.0, -3e38),
    ("sqrt", 4.0, math.nan),
    ("sin", -1e-45, 0.0),
]


@pytest.mark.parametrize(("name", "x", "y"), KINDS)
def test_a_result_of_the_wrong_kind_has_no_finite_error(name: str, x: float, y: float) -> None:
    assert judge_short(name, "f32", [np.float32([x])], np.float32([y])).error == math.inf
    assert judge_double(name, [np.float64([x])], np.float64([y]))[0][0] == math.inf


@pytest.mark.parametrize(
    ("name", "x", "error"), [("lgamma", -2.4, 4), ("lgamma", 1.7, 64), ("digamma", 1.5, 4), ("digamma", 1.2, 16)]
)
def test_within_a_tenth_of_a_zero_the_error_is_absolute(name: str, x: float, error: float) -> None:
    """4 units of 2^-23 off, where the value is below 1."""
    column = np.float32([x])
    y = np.float32([float(ORACLES[name].real(float(column[0]))) + 4 * 2.0**-23])
    assert judge_short(name, "f32", [column], y).error == pytest.approx(error, abs=1)


def test_the_page_has_the_fullest_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        Found("exp", "f32", 1 << 32, 0.9, ["0x1.8000000000000p+1"], 5, commit="abc"),
        Found("exp", "f32", 1000, 1.5, ["0x1.0p+0"], 7, full=False),
        Found("exp", "f32", 2000, levels={"x86-64-v3": 3, "x86-64": 4}),
    ]
    log = tmp_path / "log"
    log.write_text("".join(json.dumps(asdict(r)) + "\n" for r in rows))
    assert read(log) == rows
    monkeypatch.setattr("accuracy.PAGE", tmp_path / "page.md")
    write_page(log)
    last = (tmp_path / "page.md").read_text().splitlines()[-1]
    assert last == "| `exp` | f32 | 4,294,967,296 | 0.900 | 1 | 0x1.8p+1 | 5 | 0 |  | 3, 4 of 2,000 | abc |"
