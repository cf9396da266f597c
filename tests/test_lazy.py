"""Lazy tensors beside eager ones: the same bits, strides and errors, whenever one looks."""

from __future__ import annotations

import copy
import ctypes
import gc
import pickle
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tilewright as tw
from tilewright.compiler import recorder
from tilewright.errors import CallError, CallIndexError, CallTypeError, KernelIndexError, UserError
from tilewright.runtime import _core

Pool = list[Any]
Step = Callable[[Pool], None]


def new(make: Callable[..., Any], *picks: int) -> Step:
    """A step that adds what ``make`` gives of tensors of the pool; several results are all added."""

    def step(pool: Pool) -> None:
        made = make(*(pool[p] for p in picks))
        pool.extend(made if isinstance(made, tuple) else (made,))

    return step


UNARY: dict[str, Callable[[Any], Any]] = {
    "exp": lambda x: x.exp(),
    "neg": lambda x: -x,
    "relu": lambda x: tw.relu(x),
    "abs": lambda x: abs(x),
    "half": lambda x: x.to(tw.float16),
    "bfloat16": lambda x: x.to(tw.bfloat16),
    "double": lambda x: x.to(tw.float64),
    "number": lambda x: x * 0.75 + 2,
    "power": lambda x: x**2,
    "clone": lambda x: x.clone(),
    "contiguous": lambda x: x.contiguous(),
    "flat": lambda x: x.reshape(-1),
    "sum": lambda x: x.sum(),
    "isnan": lambda x: tw.isnan(x),
    "tril": lambda x: x.tril() if x.ndim > 1 else x,
}
ALONG: dict[str, Callable[[Any, int], Any]] = {
    "sum": lambda x, d: x.sum(d),
    "mean": lambda x, d: x.mean(d, keepdim=True),
    "max": lambda x, d: x.max(d),
    "softmax": lambda x, d: x.softmax(d),
    "cumsum": lambda x, d: x.cumsum(d),
    "flip": lambda x, d: x.flip(d),
    "sort": lambda x, d: x.sort(d),
    "unbind": lambda x, d: x.unbind(d)[:2],
    "step": lambda x, d: x[(slice(None),) * d + (slice(1, None, 2),)],
    "unsqueeze": lambda x, d: x.unsqueeze(d),
    "move": lambda x, d: x.movedim(d, 0),
    "first": lambda x, d: x.select(d, 0),
    "expand": lambda x, d: x.unsqueeze(d).expand(*x.shape[:d], 2, *x.shape[d:]),
    "std": lambda x, d: x.std(d),
}
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y,
    "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y,
    "maximum": lambda x, y: tw.maximum(x, y),
    "where": lambda x, y: tw.where(x > y, x, y),
    "matmul": lambda x, y: x @ y.T if x.ndim == 2 == y.ndim else x,
    "outer": lambda x, y: x.unsqueeze(-1) * y.reshape(-1)[:3],
    "cat": lambda x, y: tw.cat((x, y)) if x.ndim == y.ndim else x,
}
WRITES: dict[str, Callable[[Any, Any], Any]] = {
    "add_": lambda x, y: x.add_(y),
    "mul_ a number": lambda x, y: x.mul_(0.5),
    "add_ its sum": lambda x, y: x.add_(x.sum(-1, keepdim=True)),
    "fill_": lambda x, y: x.fill_(3),
    "copy_": lambda x, y: x.copy_(y),
    "part": lambda x, y: x[1:].mul_(2),
    "x[0] = y": lambda x, y: x.__setitem__(0, y),
    "out": lambda x, y: tw.exp(y, out=x),
    "by a view": lambda x, y: x.T.add_(1) if x.ndim == 2 else x.neg_(),
}


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[np.ndarray[Any, Any]], list[str], list[Step]]:
    """Arrays to start from, and steps that eager tensors can take."""
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    shape = tuple(draw(st.lists(st.integers(0, 5), min_size=1, max_size=3)))
    shapes = [shape, shape, shape[-1:], (1, *shape[1:])]
    start = [rng.standard_normal(s).astype(np.float32) for s in shapes]
    pool: Pool = [tw.tensor(x) for x in start]
    names: list[str] = []
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, 8))):
        name, step = draw(a_step(pool))
        try:
            step(pool)
        except UserError:
            continue
        if any(x.numel() > 3000 for x in pool):
            break
        names.append(name)
        steps.append(step)
    return start, names, steps


@st.composite
def a_step(draw: st.DrawFn, pool: Pool) -> tuple[str, Step]:
    x, y = (draw(st.integers(0, len(pool) - 1)) for _ in range(2))
    kind = draw(st.sampled_from(["unary", "along", "along", "binary", "binary", "write"]))
    if kind == "unary":
        name = draw(st.sampled_from([*UNARY]))
        return f"{name}({x})", new(UNARY[name], x)
    if kind == "along":
        name, dim = draw(st.sampled_from([*ALONG])), draw(st.integers(0, max(pool[x].ndim - 1, 0)))
        return f"{name}({x}, dim={dim})", new(lambda t: ALONG[name](t, dim), x)
    if kind == "binary":
        name = draw(st.sampled_from([*BINARY]))
        return f"{name}({x}, {y})", new(BINARY[name], x, y)
    name = draw(st.sampled_from([*WRITES]))
    return f"{name}({x}, {y})", lambda p: WRITES[name](p[x], p[y])


def bits(x: Any) -> tuple[Any, ...]:
    """All that one can see of a tensor."""
    if not x.numel():
        return x.dtype, x.shape
    return x.dtype, x.shape, x.strides, x.contiguous().reshape(-1).view(tw.uint8).tolist()


def tensors(start: list[np.ndarray[Any, Any]]) -> Pool:
    return [tw.tensor(x) for x in start]


def run(pool: Pool, steps: list[Step]) -> Pool:
    for step in steps:
        step(pool)
    return pool


@given(programs())
@settings(max_examples=250, deadline=None)
def test_lazy_programs_give_the_bits_of_eager_ones(program: tuple[Any, list[str], list[Step]]) -> None:
    start, names, steps = program
    expected = [bits(x) for x in run(tensors(start), steps)]
    pool = tensors(start)
    with tw.lazy():
        run(pool, steps)
        looked = [bits(x) for x in pool[::2]]
    assert looked == expected[::2], names
    assert [bits(x) for x in pool] == expected, names


def programs_made() -> int:
    """How many programs of recorded calls this process has."""
    return len(recorder._programs)


def chain(x: Any) -> Any:
    for number in (1.0, 2.0, 3.0):
        x = tw.exp(-x * number) + x.mean()
    return x


def test_all_that_is_pending_is_one_program_that_is_compiled_once() -> None:
    x = tw.rand(7, 5)
    before = programs_made()
    for scale in (1.0, 2.0):  # numbers and values are those of each call
        with tw.lazy() as pending:
            y, z = chain(x * scale), chain((x + scale).T)
            assert len(pending) == 2 + 2 * 3 * 5
            looked = z.tolist()
            assert len(pending) == 0
        assert looked == chain((x + scale).T).tolist() and y.tolist() == chain(x * scale).tolist()
    assert programs_made() == before + 1


def test_programs_are_told_apart_by_sizes_views_and_what_is_wanted() -> None:
    x = tw.arange(6.0).reshape(2, 3)

    def both(keep: str, t: Any) -> Any:
        with tw.lazy():
            made = [t + 1]
            made.append(made[0] * 2)
            del made[1 if keep == "first" else 0]
        return made[0]

    for keep, times in (("first", 1), ("second", 2), ("first", 1)):
        assert both(keep, x).tolist() == ((x + 1) * times).tolist()
    for t in (x, x[:1], x.flip(0), x[:, :2], x.new_ones(4, 1)):
        with tw.lazy():
            total, rows = t.sum(), t + t[0]
        assert (total.item(), rows.tolist()) == (t.sum().item(), (t + t[0]).tolist())


VIEWS: dict[str, Callable[[Any], Any]] = {
    "across rows": lambda x: x.reshape(-1)[3:19].reshape(4, 4),
    "all of it": lambda x: x.reshape(-1),
    "other rows": lambda x: x.reshape(6, 4),
    "every other": lambda x: x[1::2, ::3],
    "columns": lambda x: x.T[2:],
    "windows": lambda x: x.unfold(1, 3, 2),
    "a diagonal": lambda x: x.diagonal(),
    "by steps of rows": lambda x: x.as_strided((2, 3), (13, 2), 1),
}


@pytest.mark.parametrize("view", VIEWS)
def test_views_of_results(view: str) -> None:
    x = tw.rand(4, 6)
    expected = bits(VIEWS[view](x.softmax(0)) * 2)
    with tw.lazy():
        y = VIEWS[view](x.softmax(0)) * 2
    assert bits(y) == expected


@pytest.mark.parametrize(
    "reread",
    [
        lambda y: y.view(tw.int32) + 1,
        lambda y: y.view(tw.uint8).to(tw.int32),
        lambda y: y.view(tw.int32).add_(1).view(tw.float32) * 2,
        lambda y: (y.view(tw.int32).fill_(1 << 30), y * 2)[1],
    ],
    ids=["as integers", "as bytes", "written as integers", "written over as integers"],
)
def test_bits_that_are_read_as_another_dtype(reread: Callable[[Any], Any]) -> None:
    x = tw.rand(5)
    expected = bits(reread(x + 1))
    with tw.lazy():
        made = reread(x + 1)
    assert bits(made) == expected


def test_calls_for_several_targets() -> None:
    x = tw.rand(5)
    with tw.lazy() as pending:
        y = tw.ops.exp(x)
        z = tw.ops.exp.on("c")(y)
        assert len(pending) == 1
    assert z.tolist() == tw.ops.exp(y).tolist()


def test_what_nobody_can_ask_for_is_not_computed() -> None:
    x, wrong = tw.rand(4), tw.tensor([9])
    with tw.lazy() as pending:
        tw.gather(x, 0, wrong)
        y = x + 1
        assert len(pending) == 2
    assert y.tolist() == (x + 1).tolist()


def test_written_results_stay_recorded() -> None:
    x = tw.zeros(3, 4)
    expected, version = ((x + 2) * 3).T.tolist(), x._version
    with tw.lazy() as pending:
        x.add_(2)
        y = x.T
        x.mul_(3)
        assert len(pending) == 2
        assert y.tolist() == expected
    assert x._version == version + 2


def test_a_write_to_a_part_computes_first_what_reads_it() -> None:
    x = tw.arange(6.0)
    with tw.lazy() as pending:
        y = x * 2
        x[2:4] = 0
        assert len(pending) == 0
        z = x + 0
    assert y.tolist() == [0, 2, 4, 6, 8, 10] and z.tolist() == [0, 1, 0, 0, 4, 5]


def test_memory_that_others_see_is_written_at_once() -> None:
    x = tw.arange(3.0)
    shared = x.numpy()
    borrowed = np.zeros(3, np.float32)
    with tw.lazy():
        x.add_(1)
        tw.from_numpy(borrowed).add_(2)
        assert shared.tolist() == [1, 2, 3] and borrowed.tolist() == [2, 2, 2]


def test_memory_that_is_read_is_computed_with_before_others_may_write() -> None:
    x = tw.arange(3.0)
    with tw.lazy():
        y = x + 1
        x.numpy()[0] = 9
        assert y.tolist() == [1, 2, 3]


def test_calls_with_arrays_alone_leave_what_is_pending() -> None:
    with tw.lazy() as pending:
        y = tw.ones(2) + 1
        before = len(pending)
        assert tw.ops.add(np.ones(2), np.ones(2)).tolist() == [2, 2]
        assert len(pending) == before
    assert y.tolist() == [2, 2]


def test_results_are_written_as_their_memory_lies() -> None:
    a, b = tw.rand(3, 5), tw.rand(5, 4)
    whole = tw.zeros(4, 3)
    with tw.lazy() as pending:
        tw.ops.matmul(a, b, out=whole.T)
        assert len(pending) == 1
        double = whole * 2
    assert whole.tolist() == (a @ b).T.tolist() and double.tolist() == ((a @ b) * 2).T.tolist()


DOORS: dict[str, Callable[[Any], Any]] = {
    "numpy": lambda x: x.numpy().tolist(),
    "asarray": lambda x: np.asarray(x).tolist(),
    "array interface": lambda x: np.asarray(SimpleNamespace(__array_interface__=x.__array_interface__)).tolist(),
    "memoryview": lambda x: memoryview(x).tolist(),
    "tolist": lambda x: x.tolist(),
    "items": lambda x: [row.tolist() for row in x],
    "dlpack": lambda x: np.from_dlpack(x).tolist(),
    "pickle": lambda x: pickle.loads(pickle.dumps(x)).tolist(),
    "deepcopy": lambda x: copy.deepcopy(x).tolist(),
    "repr": repr,
    "bool": lambda x: bool(x.sum() > 0),
    "int": lambda x: int(x.sum()),
    "float": lambda x: float(x[1, 1]),
    "index": lambda x: [10, 11, 12, 13][x[0, 1].to(tw.int64)],
    "item": lambda x: x.mean().item(),
    "NumPy's own": lambda x: np.add(x, 1).tolist(),
    "an array as operand": lambda x: tw.ops.add(np.ones((2, 2), np.float32), np.asarray(x)).tolist(),
    "nonzero": lambda x: x.nonzero().tolist(),
    "mask": lambda x: x[x > 1].tolist(),
    "address": lambda x: list((ctypes.c_float * 4).from_address(x.data_ptr())),
    "file": lambda x: saved(x),
}


def saved(x: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/x.safetensors"
        tw.safetensors.save_file({"x": x}, path)
        return tw.safetensors.load_file(path)["x"].tolist()


@pytest.mark.parametrize("door", DOORS)
def test_every_way_to_look_computes(door: str) -> None:
    x = tw.arange(4.0).reshape(2, 2)
    expected = DOORS[door](x + 1)
    with tw.lazy() as pending:
        y = x + 1
        assert DOORS[door](y) == expected
        assert len(pending) == 0


@pytest.mark.parametrize("door", DOORS)
def test_every_way_to_look_raises_what_went_wrong(door: str) -> None:
    with pytest.raises(KernelIndexError, match="is the index 7"), tw.lazy():
        DOORS[door](tw.gather(tw.ones(4), 0, tw.tensor([1, 7, 0, 0])).reshape(2, 2))


def test_shapes_and_dtypes_that_do_not_fit_are_errors_of_the_call() -> None:
    with tw.lazy() as pending:
        x = tw.ones(2, 3)
        with pytest.raises(CallError, match=r"f32\[2, 3\]|\[2, 3\]"):
            x @ x
        with pytest.raises(CallTypeError):
            tw.exp(x, nothing=1)
        with pytest.raises(CallIndexError):
            x.sum(2)
        assert len(pending) == 1


def message(call: Callable[[], Any]) -> str:
    with pytest.raises(KernelIndexError) as raised:
        call()
    return str(raised.value)


def test_an_index_out_of_range_is_said_as_outside_when_it_is_computed() -> None:
    x, wrong = tw.arange(4.0), tw.tensor([1, 7])
    outside = message(lambda: tw.gather(x, 0, wrong))
    with tw.lazy() as pending:
        before = x + 1
        bad = tw.gather(x * 2, 0, wrong)
        behind = bad + 1
        after = x - 1
        assert message(bad.tolist) == outside and len(pending) == 0
        assert message(behind.tolist) == outside and message(lambda: print(bad)) == outside
        assert before.tolist() == [1, 2, 3, 4] and after.tolist() == [-1, 0, 1, 2]
    assert message(lambda: bad + 1) == message(lambda: bad.fill_(5)) == outside


def test_an_error_of_what_is_left_is_raised_at_the_end_of_the_block() -> None:
    x, wrong = tw.arange(4.0), tw.tensor([1, 7])

    def block() -> None:
        with tw.lazy():
            kept.extend([tw.gather(x, 0, wrong), x + 1])

    kept: list[Any] = []
    assert message(block) == message(lambda: tw.gather(x, 0, wrong)) == message(lambda: kept[0].tolist())
    assert kept[1].tolist() == [1, 2, 3, 4]


def test_what_was_recorded_outlives_an_error_of_the_block() -> None:
    kept: list[Any] = []
    with pytest.raises(ZeroDivisionError), tw.lazy():
        kept.append(tw.ones(2) + 1)
        kept.append(tw.gather(tw.ones(2), 0, tw.tensor([5])))
        1 / 0  # noqa: B018
    assert kept[0].tolist() == [2, 2]
    assert "index 5" in message(kept[1].tolist)


def test_eval_and_blocks_inside_of_each_other() -> None:
    x = tw.ones(3)

    @tw.lazy()
    def inside() -> Any:
        return x * 2

    with tw.lazy() as outer:
        y = x + 1
        z = inside()
        assert len(outer) == 2
        tw.eval(y)
        assert len(outer) == 0
        w = z + y
        tw.eval()
        assert len(outer) == 0
    assert w.tolist() == [4, 4, 4]
    tw.eval()
    with pytest.raises(CallTypeError, match=r"eval\(\) takes tensors, not float"):
        tw.eval(1.0)  # type: ignore[arg-type]


def test_a_function_in_a_block_may_call_itself() -> None:
    @tw.lazy()
    def doubled(x: Any, times: int) -> Any:
        return doubled(x * 2, times - 1) if times else x

    assert doubled(tw.ones(2), 3).tolist() == [8, 8]
    assert _core.set_mode(None) is None


def test_loops_compile_nothing_new() -> None:
    def loop(steps: int) -> Any:
        tw.manual_seed(3)
        weight, rate = tw.zeros(6), 0.5
        for _ in range(steps):
            rate *= 0.9
            noise = tw.randn(6)
            weight = weight - rate * (weight + noise)
            tw.eval(weight)
        return weight

    expected = loop(6).tolist()
    with tw.lazy():
        loop(2)
        before = programs_made()
        found = loop(6).tolist()
    assert found == expected and programs_made() == before


def test_long_recordings_are_computed_in_parts() -> None:
    x = expected = tw.ones(3)
    for _ in range(recorder.MOST + 40):
        expected = expected * 1.001
    with tw.lazy() as pending:
        for _ in range(recorder.MOST + 40):
            x = x * 1.001
        assert len(pending) == 40
    assert x.tolist() == expected.tolist()


def test_other_threads_see_what_is_computed() -> None:
    found: list[Any] = []
    with tw.lazy() as pending:
        y = tw.ones(3) + 1
        reader = threading.Thread(target=lambda: found.append((y * 2).tolist()))  # runs its calls at once
        reader.start()
        reader.join()
        assert found == [[4, 4, 4]] and len(pending) == 0


def test_threads_record_on_their_own_and_read_from_each_other() -> None:
    shared: dict[int, Any] = {}
    errors: list[BaseException] = []
    gate = threading.Barrier(4)

    def work(number: int) -> None:
        try:
            with tw.lazy():
                for step in range(20):
                    shared[number] = tw.full((8,), float(number)) + step
                    gate.wait()
                    total = sum(shared[n] for n in range(4)) * 1.0
                    gate.wait()
                    assert total.tolist() == [6.0 + 4 * step] * 8
                    gate.wait()
        except BaseException as error:
            errors.append(error)
            gate.abort()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors


def test_memory_comes_back() -> None:
    def used() -> int:
        gc.collect()
        return tw.memory.stats().in_use

    x = tw.rand(1000)
    with tw.lazy():
        chain(x).tolist()
    before = used()
    for _ in range(3):
        with tw.lazy():
            y = chain(x)
            chain(y)
            y.tolist()
        del y
        with pytest.raises(KernelIndexError), tw.lazy():
            bad = tw.gather(x, 0, tw.tensor([5000]))
        del bad
    assert used() == before
    assert not [o for o in gc.get_objects() if isinstance(o, recorder.Failed)]


def test_where_memory_ends_what_is_pending_is_computed_first() -> None:
    code = """
import tilewright as tw
tw.memory.set_limit(tw.memory.stats().in_use + (24 << 20))
with tw.lazy() as pending:
    x, most = tw.ones(1 << 20), 0
    for _ in range(30):
        x = x + 1
        most = max(most, len(pending))
    assert 1 < most < 20, most
    assert x[5].item() == 31
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_recorded_programs_and_their_ops_are_checked_too() -> None:
    bend = tw.op("op bend(x: f32[N, M]) -> y: f32[M, N]:\n    y[j, i] = exp(x[i, j]) * 0.75\n")
    x = tw.arange(12.0).reshape(3, 4) * 0.125
    with tw.verify("each-pass"), tw.lazy() as pending:
        y = bend(x).sum(1)
        assert len(pending) == 2
    assert y.tolist() == bend(x).sum(1).tolist()
