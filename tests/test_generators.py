"""The generators: what they make is well formed and of every kind; failures shrink and replay."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from tilewright.ir import scalar, statements
from tilewright.ir.functions import FUNCTIONS
from tilewright.ir.interpret import EXACT, TYPED, run_function
from tilewright.ir.scalar import Apply, Expr, Param, Read
from tilewright.ir.tensor import Compute, Function, Steps
from tilewright.ir.text_tensor import print_function
from tilewright.ir.types import ALL, FIELD
from tilewright.ir.verify_loops import verify_plan
from tilewright.ir.verify_tensor import verify
from tilewright.passes.tensor.in_field import InField
from tilewright.testing.case import Call, Case, pieces
from tilewright.testing.cases import cases, contiguous, make_case
from tilewright.testing.choices import Choices
from tilewright.testing.expressions import ALL_FUNCTIONS
from tilewright.testing.isolated import failures
from tilewright.testing.layouts import layouts
from tilewright.testing.memory import PAGE, Canaries, fenced_after, fenced_before, from_heap
from tilewright.testing.programs import ORDERED_KINDS, functions, make_function, make_sizes
from tilewright.testing.shrink import recording, repeated, shrink
from tilewright.testing.values import random_operands

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def expressions(f: Function) -> list[Expr]:
    found = [e for c in f.computes for e in statements.expressions(c)]
    return [n for e in found for n in scalar.walk(e)]


# --- what is made -------------------------------------------------------------------------------


def kind(c: Compute) -> str:
    """The statement kind, and what is special about it."""
    if c.scatter:
        return "scatter"
    if c.sort:
        return f"sort by {len(c.values)}"
    if c.scan:
        return "scan"
    if c.reduction is None:
        return "pointwise"
    merges = "merge" if c.reduction.merge else "strict"
    orders = "tree" if any(not o.is_chain for o in c.reduction.orders) else "chain"
    return f"fold of {len(c.results)}, {len(c.reduction.axes)} axes, {merges}, {orders}"


def steps_kind(s: Steps) -> str:
    inner = "nested" if any(isinstance(part, Steps) for part in s.body) else "plain"
    return f"steps along {len(s.axes)}, {inner}, {'down' if s.down else 'up'}"


def test_every_kind_of_statement_and_node_is_made() -> None:
    seen: Counter[str] = Counter()
    for seed in range(400):
        f = make_function(Choices.of(Random(seed)), kinds=ORDERED_KINDS)
        verify(f)
        seen.update(map(kind, f.computes))
        seen.update(steps_kind(s) for s in f.body if isinstance(s, Steps))
        seen.update(str(t.dtype) for t in f.tensors().values())
        seen.update(["several outputs"] * (len(f.outputs) > 1) + ["precondition"] * len(f.preconditions))
        for e in expressions(f):
            if isinstance(e, Apply):
                seen[e.op] += 1
            elif isinstance(e, Param):
                seen["scalar"] += 1
            elif isinstance(e, Read):
                gather = any(not isinstance(i, scalar.Index) for i in e.indices)
                seen[f"{'guarded ' * (e.otherwise is not None)}{'gather' if gather else 'read'}"] += 1
    folds = [f"fold of {n}, {a} axes, {m}" for n, a, m in (
        (1, 1, "merge, tree"), (1, 1, "merge, chain"), (1, 2, "merge, tree"), (1, 2, "strict, chain"),
        (2, 1, "merge, tree"), (2, 1, "merge, chain"),
    )]  # fmt: skip
    wanted = ["scatter", "sort by 1", "sort by 2", "scan", "pointwise", *folds]
    wanted += ["several outputs", "precondition", "scalar"]
    wanted += ["read", "guarded read", "gather", "guarded gather", *(str(t) for t in ALL if t is not FIELD)]
    wanted += ["steps along 1, plain, up", "steps along 2, plain, down", "steps along 1, nested, up"]
    wanted += [op for op in scalar.OPS if op not in FUNCTIONS]
    assert {w: seen[w] for w in wanted if not seen[w]} == {}
    assert len([name for name in FUNCTIONS if seen[name]]) > len(FUNCTIONS) // 2
    assert set(ALL_FUNCTIONS) == set(FUNCTIONS)  # of which each is as likely as the other


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(functions(dtypes=(FIELD,)))
def test_functions_of_one_dtype_have_it(f: Function) -> None:
    verify(f)
    assert {t.dtype for t in f.inputs if t.name != "idx"} == {FIELD}


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(functions(), st.data())
def test_in_the_field_a_program_means_what_the_exact_domain_says(f: Function, data: st.DataObject) -> None:
    dims = make_sizes(Choices.drawn(data.draw), f, largest=3)
    inputs, scalars = random_operands(f, dims, EXACT, Random(data.draw(st.integers(0, 999))))
    inputs["idx"][...] = 0
    g = InField().run(f)
    verify(g)
    outcomes = []
    for function, domain in ((f, EXACT), (g, TYPED)):
        try:
            outcomes.append(run_function(function, inputs, scalars, domain))
        except IndexError as e:
            outcomes.append({"fault": np.array([str(e)])})
    assert outcomes[0].keys() == outcomes[1].keys()
    for name, array in outcomes[0].items():
        assert array.tolist() == outcomes[1][name].tolist()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_layouts_hold_the_values_in_exactly_their_block(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(0, 4), max_size=3)))
    layout = data.draw(layouts(len(shape)))
    blocks = []

    def memory(size: int) -> Canaries:
        blocks.append(Canaries(size))
        return blocks[-1]

    values = np.arange(1, 1 + int(np.prod(shape)), dtype=np.int16).reshape(shape)
    placed = layout.place(values, memory)
    frozen = values[tuple(slice(0, None if s or n <= 1 else 1) for s, n in zip(layout.steps, shape, strict=True))]
    np.testing.assert_array_equal(placed, np.broadcast_to(frozen, shape))
    if values.size:
        low, high = np.lib.array_utils.byte_bounds(placed)
        assert (low, high) == (blocks[0].address + 2 * layout.offset, blocks[0].address + blocks[0].size)
        if layout.unit_axis >= 0:
            assert placed.strides[layout.unit_axis] == 2


def test_schedules_are_legal_and_illegal_and_stay_well_formed() -> None:
    seen: Counter[str] = Counter()
    for seed in range(100):
        case = make_case(Choices.of(Random(seed)), naive=100, statements=2)
        verify_plan(case.scheduled)
        verify_plan(case.legal)
        for steps in (case.schedule or {}).values():
            seen.update(f"applied {p.name}" for p in steps.passes)
        seen.update(f"refused {p.name}" for p in case.refused)
    names = ("split", "fuse", "reorder", "vectorize", "parallel", "unroll")
    wanted = [f"{how} {name}" for how in ("applied", "refused") for name in names]
    wanted = [w for w in wanted if w != "refused unroll"] + ["refused decompose-reduction"]
    assert {w: seen[w] for w in wanted if seen[w] < 2} == {}


@pytest.mark.parametrize("tasks", [0, 1, 2, 7])
def test_pieces_are_all_tasks_once(tasks: int) -> None:
    for seed in range(20):
        found = pieces(tasks, Random(seed))
        assert sorted(t for low, high in found for t in range(low, high)) == list(range(tasks))


# --- shrinking and replaying --------------------------------------------------------------------


PLANTED = [
    ("max", r"\[.*idx\["), ("scan", "else"), (r"\+=", "where"), ("@ 4096", r"fma|\*"), ("bits",), ("t1", "min"),
]  # fmt: skip
"""Programs that contain all of these are taken to fail."""


def fails(words: tuple[str, ...]) -> Callable[[Function], bool]:
    return lambda f: all(re.search(w, print_function(f)) for w in words)


def lines(f: Function) -> int:
    return print_function(f).count("\n")


def test_failures_of_seeded_campaigns_shrink_to_a_few_lines() -> None:
    found = []
    for words in PLANTED:
        seed, taken = 0, list[int]()
        while not fails(words)(make_function(recording(seed, taken))):
            seed, taken = seed + 1, []
        small = shrink(taken, make_function, fails(words), attempts=200)
        assert fails(words)(small)
        found.append(lines(small))
    assert median(found) < 10 and max(found) <= 10, found


def test_failures_of_hypothesis_shrink_to_a_few_lines() -> None:
    few = settings(max_examples=2000, deadline=None, database=None, suppress_health_check=SLOW, derandomize=True)
    found = [lines(find(functions(statements=2), fails(words), settings=few)) for words in PLANTED[1:3]]
    assert median(found) < 10 and max(found) <= 10, found


def test_choices_are_recorded_and_repeated() -> None:
    taken: list[int] = []
    case = make_case(recording(5, taken))
    assert str(repeated(taken, make_case)) == str(case)


@settings(max_examples=20, deadline=None, suppress_health_check=SLOW)
@given(st.one_of(cases(), cases(exact=False)))
def test_cases_read_back(case: Case) -> None:
    again = Case.parse(str(case))
    assert again == case and str(again) == str(case)


def test_a_saved_case_is_replayed_by_its_command(tmp_path: Path) -> None:
    case = make_case(Choices.of(Random(3)))
    command = case.save(tmp_path)
    assert run(command) == (0, "1 of 1 pass\n", "")


def test_the_command_says_what_fails(tmp_path: Path) -> None:
    """A recurrence cannot run backwards; a file that says so was not written by us."""
    f = make_function(Choices(lambda low, high: low))
    case = Case(f, (Call({"N": 2, "M": 2, "K": 2}, 0),), contiguous(f))
    path = tmp_path / "wrong.tw"
    path.write_text(str(case).replace('"schedule": null', '"schedule": {"f_t0": "vectorize{loop=nowhere}"}'))
    status, out, err = run(f"python -m tilewright.testing.replay {path}")
    assert (status, out) == (1, "0 of 1 pass\n") and "has no loop nowhere" in err


def run(command: str) -> tuple[int, str, str]:
    words = [sys.executable, *command.split()[1:]]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


# --- processes and memory -----------------------------------------------------------------------


def ends(how: str) -> None:
    """A check that ends in one of several ways."""
    if how == "raises":
        raise ValueError("as told")
    if how == "exits":
        os._exit(3)
    if how == "segfaults":
        import ctypes

        ctypes.string_at(0)
    if how == "lacks":
        assert os.environ["TILEWRIGHT_TEST"] == "given"


def test_a_crash_is_a_failure_like_others() -> None:
    items = [("passes",), ("raises",), ("segfaults",), ("passes",), ("exits",), ("passes",)]
    found = failures(ends, items)
    assert [item for item, _ in found] == [("raises",), ("segfaults",), ("exits",)]
    assert "ValueError: as told" in found[0][1]
    assert [why for _, why in found[1:]] == ["killed by SIGSEGV", "the process ended with 3"]


def test_the_environment_is_set_from_the_start() -> None:
    assert failures(ends, [("lacks",)], {"TILEWRIGHT_TEST": "given"}) == []
    assert "TILEWRIGHT_TEST" not in os.environ


def touch(kind: str, size: int, at: int) -> None:
    """Writes one byte at ``at`` of a block, which may be outside."""
    import ctypes

    block = {"after": fenced_after, "before": fenced_before}[kind](size)
    ctypes.memset(block.address + at, 1, 1)


@pytest.mark.parametrize("size", [1, 64, PAGE, PAGE + 8])
def test_fences_stand_where_they_should(size: int) -> None:
    inside = [(k, size, at) for k in ("after", "before") for at in (0, size - 1)]
    outside = [("after", size, size), ("before", size, -1)]
    found = failures(touch, [*inside, *outside])
    assert [item for item, _ in found] == outside
    assert {why for _, why in found} == {"killed by SIGSEGV"}


def test_canaries_see_writes_and_all_memory_starts_as_zeros() -> None:
    import ctypes

    for make in (Canaries, fenced_after, fenced_before, from_heap):
        block = make(24)
        assert block.array(np.dtype(np.uint8), (24,), (1,), 0).tolist() == [0] * 24
        block.check()
    block = Canaries(24)
    ctypes.memset(block.address + 24, 1, 1)
    with pytest.raises(AssertionError, match="outside of its buffer"):
        block.check()
