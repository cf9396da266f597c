"""New tensors beside NumPy's and PyTorch's."""

from __future__ import annotations

import copy
import math
import pickle
import re
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tilewright as tw
from tilewright import array_api
from tilewright.targets import target

DTYPES = [tw.bool, tw.int8, tw.int16, tw.int32, tw.int64, tw.uint8, tw.uint16, tw.uint32, tw.uint64]
FLOATS = [tw.float16, tw.bfloat16, tw.float32, tw.float64]
NESTED: list[Any] = []
NESTED.append(NESTED)


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch is not installed: it is a comparison")


@pytest.mark.parametrize("dtype", [*DTYPES, *FLOATS])
@pytest.mark.parametrize("shape", [(), (3,), (2, 0, 3), (2, 3, 4)])
def test_of_one_value(dtype: tw.dtype, shape: tuple[int, ...]) -> None:
    for made, value in ((tw.zeros(shape, dtype=dtype), 0), (tw.ones(*shape, dtype=dtype), 1)):
        assert (made.dtype, made.shape, made.is_contiguous()) == (dtype, shape, True)
        assert np.all(np.asarray(made.to(tw.float64)) == value)
    like = tw.full(shape, 1, dtype=dtype)
    for made in (tw.ones_like(like), tw.full_like(like, 1), like.new_ones(shape), tw.zeros_like(like).fill_(1)):
        assert made.dtype is dtype and made.tolist() == like.tolist() and made.data_ptr() != like.data_ptr()


def test_dtypes_of_python_numbers() -> None:
    found = [tw.tensor(v).dtype for v in (True, 3, 2.5, [1, 2.5], [True, 2], [], [[]], [False])]
    whole, real, truth = tw.int64, tw.float32, tw.bool
    assert found == [truth, whole, real, real, whole, real, real, truth]
    assert tw.arange(np.int64(3)).dtype is tw.int64
    assert tw.full((2,), True).dtype is tw.bool and tw.full((2,), 7).dtype is tw.int64
    tw.set_default_dtype(tw.float64)
    try:
        assert tw.tensor(2.5).dtype is tw.zeros(1).dtype is tw.rand(1).dtype is tw.float64
    finally:
        tw.set_default_dtype(tw.float32)


nested = st.recursive(
    st.integers(-100, 100) | st.floats(width=32, allow_nan=False) | st.booleans(),
    lambda x: st.lists(x, max_size=3),
    max_leaves=12,
)


@given(nested)
@settings(max_examples=150, deadline=None)
def test_lists_as_in_numpy(data: Any) -> None:
    try:
        expected = np.array(data)
    except ValueError:
        with pytest.raises(tw.CallError, match="element .* of a list has the shape"):
            tw.tensor(data)
        return
    made = tw.tensor(data)
    assert made.shape == expected.shape
    np.testing.assert_array_equal(np.asarray(made), expected.astype(np.asarray(made).dtype))


def test_tensor_copies_and_as_tensor_does_not() -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    copied, shared, own = tw.tensor(x), tw.as_tensor(x), tw.from_numpy(x.T)
    x[0, 0] = 9
    assert (copied[0, 0].item(), shared[0, 0].item(), own[0, 0].item()) == (0, 9, 9)
    assert tw.as_tensor(shared) is shared and tw.tensor(shared).data_ptr() != shared.data_ptr()
    assert tw.as_tensor(x, dtype=tw.float64).dtype is tw.float64
    assert tw.asarray(x, copy=False).data_ptr() == x.ctypes.data
    with pytest.raises(tw.CallError, match="cannot be a tensor without a copy"):
        tw.asarray([1, 2], copy=False)
    assert tw.frombuffer(b"\x01\x00\x02\x00", dtype=tw.int16).tolist() == [1, 2]


numbers = st.integers(-50, 50) | st.floats(-50, 50).map(lambda v: round(v, 2))


@given(numbers, numbers, st.integers(1, 9) | st.floats(0.1, 9).map(lambda v: round(v, 2)))
@settings(max_examples=150, deadline=None)
def test_ranges(start: Any, end: Any, step: Any) -> None:
    if start > end:
        step = -step
    made = tw.arange(start, end, step)
    whole = all(isinstance(v, int) for v in (start, end, step))
    assert made.dtype is (tw.int64 if whole else tw.float32)
    expected = [start + n * step for n in range(max(0, math.ceil((end - start) / step)))]
    assert made.shape == (len(expected),)
    np.testing.assert_allclose(np.asarray(made), np.array(expected, made.numpy().dtype), rtol=1e-6, atol=1e-5)
    line = tw.linspace(start, end, 7, dtype=tw.float64)
    np.testing.assert_allclose(np.asarray(line), np.linspace(start, end, 7), rtol=1e-13, atol=1e-12)
    assert (line[0].item(), line[-1].item()) == (start, end)


def test_beside_pytorch(torch: Any) -> None:
    for call in (
        lambda t: t.arange(5), lambda t: t.arange(2, 9, 3),
        lambda t: t.arange(1, 2, 0.25), lambda t: t.arange(5, 0, -2),
        lambda t: t.linspace(-3, 3, 5), lambda t: t.linspace(0, 10, 4, dtype=t.int32), lambda t: t.linspace(2, 3, 1),
        lambda t: t.logspace(0, 2, 3), lambda t: t.eye(3), lambda t: t.eye(2, 4, dtype=t.int64),
        lambda t: t.tril_indices(3, 4, 1), lambda t: t.triu_indices(4, 3, -1), lambda t: t.full((2, 2), 3.5),
        lambda t: t.full_like(t.zeros(2, dtype=t.int32), 7), lambda t: t.tensor([[1, 2], [3, 4]]).new_full((2,), 1),
        lambda t: t.tensor([1.5, 2]).type_as(t.tensor([1])), lambda t: t.zeros(0), lambda t: t.arange(0),
        lambda t: t.tensor([300.7, -1.5]).to(t.int16), lambda t: t.tensor([0.0, 2.0]).to(t.bool),
    ):  # fmt: skip
        found, expected = call(tw), call(torch)
        assert found.dtype.name == str(expected.dtype).removeprefix("torch.") and found.shape == tuple(expected.shape)
        np.testing.assert_allclose(np.asarray(found), expected.numpy(), rtol=3e-7)


def test_copies_and_pickles() -> None:
    x = tw.arange(6, dtype=tw.float32).reshape(2, 3).T
    for made in (copy.deepcopy(x), pickle.loads(pickle.dumps(x)), x.clone()):
        assert made.tolist() == x.tolist() and made.data_ptr() != x.data_ptr() and made.dtype is x.dtype
    assert copy.copy(x).data_ptr() == x.data_ptr() == x.detach().data_ptr()
    kept = pickle.loads(pickle.dumps({"a": tw.ones(2, dtype=tw.bfloat16), "d": tw.float16, "v": tw.device("cpu")}))
    assert kept["a"].tolist() == [1, 1] and kept["d"] is tw.float16 and kept["v"] == tw.device("cpu")
    part = tw.arange(1000)[::100]
    assert len(pickle.dumps(part)) < 500


def test_writing_in_place() -> None:
    x = tw.zeros(3, 4)
    version = x._version
    x[:, 1].copy_(tw.tensor([1, 2, 3]))
    x[0].fill_(7), x.T[3].zero_()
    x[1, 2:] = 5.5
    assert x.tolist() == [[7, 7, 7, 0], [0, 2, 5.5, 5.5], [0, 3, 0, 0]] and x._version > version
    y = tw.arange(6)
    y[1:] = y[:-1]
    y[::2] += 10
    assert y.tolist() == [10, 0, 11, 2, 13, 4]
    with pytest.raises(tw.CallTypeError, match="several of its elements are one"):
        tw.zeros(1).expand(3).fill_(1)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: tw.zeros(2, -1), "zeros(): the extent -1 is negative"),
        (lambda: tw.zeros("a"), "zeros(): the extent 'a' is no whole number"),
        (lambda: tw.zeros(2.0), "zeros(): the extent 2.0 is no whole number"),
        (lambda: tw.zeros(2, dtype="float32"), "dtype='float32' is no dtype"),
        (lambda: tw.zeros(2, device="cuda"), "tensors cannot be on 'cuda' yet"),
        (lambda: tw.zeros(2, device="tpu"), "there is no device 'tpu'"),
        (lambda: tw.device(3), "3 is no device"),
        (lambda: tw.device("cpu:1"), "there is no device 'cpu' of the number '1'"),
        (lambda: tw.zeros(2, size=(2,)), "zeros(): (2,) and size=(2,) are given"),
        (lambda: tw.zeros(2, requires_grad=True), "tensors keep no gradients yet"),
        (lambda: tw.tensor([1, [2]]), "element 1 of a list has the shape [1], those before []"),
        (lambda: tw.tensor([1, "a"]), "'a' is no number"),
        (lambda: tw.tensor("a"), "'a' is no number"),
        (lambda: tw.tensor([2**70]), "tensor(): "),
        (lambda: tw.tensor(NESTED), "tensor(): the lists are nested more than 32 deep"),
        (lambda: tw.tensor([tw.ones(2), [1.0]]), "element 1 of a list has the shape [1], those before [2]"),
        (lambda: tw.tensor(200, dtype=tw.int8), "tensor(): Python integer 200 out of bounds for int8"),
        (lambda: tw.tensor([-1], dtype=tw.uint8), "tensor(): Python integer -1 out of bounds for uint8"),
        (lambda: tw.arange(0, 5, 0), "arange(): the step is 0"),
        (lambda: tw.arange(0, 5, -1), "a step of -1 does not lead from 0 to 5"),
        (lambda: tw.arange(3, dtype=tw.bool), "arange() has no bools"),
        (lambda: tw.linspace(0, 1, -2), "linspace(): the extent -2 is negative"),
        (lambda: tw.from_numpy([1]), "from_numpy() takes an array, not list"),
        (lambda: tw.frombuffer(b"abc", dtype=tw.int16), "3 bytes are not 1 elements"),
        (lambda: tw.frombuffer(b"abc", dtype=tw.int8, offset=-1), "offset=-1 or count=-1 is negative"),
        (lambda: tw.randint(0, 300, (2,), dtype=tw.uint8), "0 to 300 - 1 do not fit into tilewright.uint8"),
        (lambda: tw.empty_strided((2, 3), (1,)), "has 2 axes, the strides 1"),
        (lambda: tw.set_default_dtype(tw.int32), "is no default for floats"),
        (lambda: tw.rand(2, dtype=tw.int32), "rand() draws floats, not tilewright.int32"),
        (lambda: tw.randint(3, 3, (2,)), "there are 0 numbers from 3 to 3 - 1"),
        (lambda: tw.manual_seed("a"), "manual_seed(): the seed 'a' is no whole number"),
        (lambda: tw.rand(2, generator=3), "generator=3 is no tw.Generator"),
        (lambda: tw.normal(0.0, 1.0), "normal(): no size is given"),
        (lambda: tw.Generator().set_state(tw.zeros(3, dtype=tw.uint8)), "a state has the shape [16], not [3]"),
        (lambda: tw.zeros(2).requires_grad_(), "tensors keep no gradients yet"),
        (lambda: tw.zeros(2).copy_(tw.zeros(3)), "values of shape [3] cannot be assigned to a part of shape [2]"),
        (lambda: tw.set_printoptions(profile="tiny"), "there is no profile 'tiny'"),
        (lambda: tw.zeros(2).to("gpu"), "there is no device 'gpu'"),
    ],
)
def test_wrong_calls(call: Any, said: str) -> None:
    with pytest.raises(tw.TilewrightError) as caught:
        call()
    assert said in str(caught.value)


PLACES = """\
import sys
import tilewright as tw
assert tw.device("cpu") == tw.device("cpu:0") == tw.device("cpu", 0) and tw.empty(2, device="cpu").device.type == "cpu"
assert tw.empty(2).to("cpu").device == tw.device(tw.device("cpu"))
print([m for m in sys.modules if m.startswith(("tilewright.targets", "llvmlite"))])
"""


def test_a_device_that_is_there_imports_no_target() -> None:
    done = subprocess.run([sys.executable, "-c", PLACES], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_devices_are_those_of_the_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    info = array_api.__array_namespace_info__()
    assert target.devices() == ("cpu",) and info.devices() == [tw.device("cpu")]
    with pytest.raises(tw.UnsupportedError, match="tensors cannot be on 'cuda' yet\nhelp: devices here: 'cpu'"):
        tw.device("cuda")
    there = types.ModuleType("there")
    there.__dict__.update(DEVICE="cuda", LEVELS=("sm_90",))
    monkeypatch.setitem(sys.modules, "there", there)
    monkeypatch.setitem(target.TARGETS, "ptx", "there")
    assert target.devices() == ("cpu", "cuda") and repr(tw.device("cuda:0")) == "device(type='cuda')"
    assert info.devices() == [tw.device("cpu"), tw.device("cuda")] and tw.device("cuda") != tw.device("cpu")
    with pytest.raises(tw.CallError, match="there is no device 'gpu'\nhelp: devices here: 'cpu', 'cuda'"):
        tw.device("gpu")


@pytest.mark.parametrize("name", ["empty", "zeros", "ones", "rand", "randn"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_sizes_by_their_name(torch: Any, name: str, shape: tuple[int, ...]) -> None:
    shapes = {tuple(getattr(lib, name)(size=shape).shape) for lib in (tw, torch)}
    assert shapes == {shape} == {getattr(tw, name)(size=[*shape]).shape, tw.ones(1).new_zeros(size=shape).shape}


PLACED = {"dtype": None, "device": None, "requires_grad": False}
RIGHT: dict[str, dict[str, Any]] = {
    "arange": {"start": 0, "end": 4, "step": 1, **PLACED},
    "linspace": {"start": 0, "end": 1, "steps": 3, **PLACED},
    "logspace": {"start": 0, "end": 1, "steps": 3, "base": 10.0, **PLACED},
    "eye": {"n": 2, "m": 3, **PLACED},
    "tril_indices": {"row": 2, "col": 2, "offset": 0},
    "triu_indices": {"row": 2, "col": 2, "offset": 0},
    "tensor": {"data": [1.0], **PLACED},
    "as_tensor": {"data": [1.0], "dtype": None, "device": None},
    "asarray": {"obj": [1.0], "dtype": None, "device": None, "copy": None},
    "frombuffer": {"buffer": bytes(8), "dtype": tw.float32, "count": -1, "offset": 0},
    "full": {"size": (2,), "fill_value": 1, **PLACED},
    "empty_strided": {"size": (2,), "stride": (1,), "dtype": None, "device": None},
    **{f"{name}_like": {"input": tw.ones(2), **PLACED} for name in ("empty", "zeros", "ones", "rand", "randn")},
    "full_like": {"input": tw.ones(2), "fill_value": 1, **PLACED},
    "randint_like": {"input": tw.ones(2), "low": 0, "high": 4, "dtype": None, "device": None},
    "randint": {"low": 0, "high": 4, "size": (2,), "generator": None, **PLACED},
    "randperm": {"n": 3, "generator": None, "dtype": None, "device": None},
    "bernoulli": {"input": tw.zeros(2), "p": None, "generator": None},
    "dropout": {"input": tw.zeros(2), "p": 0.5, "training": True, "generator": None},
    "feature_dropout": {"input": tw.zeros(2, 3), "p": 0.5, "training": True, "generator": None},
    "multinomial": {"input": tw.ones(2), "num_samples": 2, "replacement": False, "generator": None},
    **{name: {"size": (2,), **PLACED} for name in ("empty", "zeros", "ones")},
    **{name: {"size": (2,), "generator": None, **PLACED} for name in ("rand", "randn")},
    "normal": {"mean": 0.0, "std": 1.0, "size": (2,), "generator": None, "dtype": None},
    "manual_seed": {"seed": 1},
    "set_rng_state": {"new_state": tw.get_rng_state()},
    "set_printoptions": {"precision": None, "threshold": None, "edgeitems": None, "linewidth": None, "profile": None},
}
"""Calls that are right."""

ODD = [
    None, "x", b"ab", 1.5, -1, True, 2**70, -(2**70), math.nan, math.inf, 1j, [1], ["x"], (2.5,), (None,), {"a": 1},
    object(), np.float64(2.5), np.True_, np.ones(2), np.array([None]), np.ones(2, complex), np.float32, float, range(2),
    "cuda", tw.ones(2), tw.tensor(2.5), tw.int32, np.random.default_rng(0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "argument"), [(name, a) for name, call in RIGHT.items() for a in call])
def test_odd_arguments_raise_errors_of_ours(name: str, argument: str) -> None:
    state, refused = tw.get_rng_state(), 0
    getattr(tw, name)(**RIGHT[name])
    for odd in ODD:
        try:
            getattr(tw, name)(**{**RIGHT[name], argument: odd})
        except tw.TilewrightError:
            refused += 1
        finally:
            tw.set_rng_state(state), tw.set_printoptions(profile="default")
    assert refused >= 10


@pytest.mark.parametrize("dtype", DTYPES[1:])
@given(value=st.floats() | st.integers(-(2**70), 2**70))
@settings(max_examples=60, deadline=None)
def test_numbers_that_do_not_fit_into_integers_are_refused(dtype: tw.dtype, value: float) -> None:
    limits = tw.iinfo(dtype)
    fits = math.isfinite(value) and limits.min <= int(value) <= limits.max
    for make in (lambda: tw.tensor([value], dtype=dtype), lambda: tw.full((1,), value, dtype=dtype)):
        if fits:
            assert make().tolist() == [int(value)]
        else:
            with pytest.raises(tw.CallError):
                make()


def test_lists_in_every_default_dtype() -> None:
    for dtype in FLOATS:
        tw.set_default_dtype(dtype)
        try:
            assert tw.tensor([1.5, 2]).dtype is tw.tensor([]).dtype is tw.arange(1.0).dtype is dtype
        finally:
            tw.set_default_dtype(tw.float32)
    assert tw.tensor([1e300]).tolist() == [math.inf] and tw.tensor([2**70], dtype=tw.float32).tolist() == [2.0**70]


@given(st.integers(0, 6), st.integers(0, 6), st.integers(-8, 8))
@settings(max_examples=40, deadline=None)
def test_places_of_triangles_are_numpys(row: int, col: int, offset: int) -> None:
    for name, theirs in (("tril_indices", np.tril_indices), ("triu_indices", np.triu_indices)):
        made = getattr(tw, name)(row, col, offset)
        assert made.shape[0] == 2 and made.dtype is tw.int64
        np.testing.assert_array_equal(np.asarray(made), np.stack(theirs(row, offset, col)))


def test_limits_are_numpys_and_pytorchs(torch: Any) -> None:
    for name in ("float16", "bfloat16", "float32", "float64"):
        ours, theirs = tw.finfo(getattr(tw, name)), torch.finfo(getattr(torch, name))
        assert (ours.bits, ours.eps, ours.max, ours.min, ours.tiny, ours.smallest_normal) == (
            theirs.bits, theirs.eps, theirs.max, theirs.min, theirs.tiny, theirs.smallest_normal,
        )  # fmt: skip
        assert ours.resolution == pytest.approx(theirs.resolution)
    for dtype in DTYPES[1:]:
        assert tw.iinfo(dtype)[:3] == (8 * dtype.itemsize, np.iinfo(dtype.name).max, np.iinfo(dtype.name).min)
    assert tw.finfo().dtype is tw.float32 and tw.is_tensor(tw.zeros(1)) and not tw.is_tensor(3)
    with pytest.raises(tw.CallTypeError, match="iinfo\\(\\) of|no float"):
        tw.finfo(tw.int8)
    with pytest.raises(tw.CallTypeError, match="no integer"):
        tw.iinfo(tw.float32)


def test_the_page_holds() -> None:
    page = (Path(__file__).parents[1] / "docs" / "eager.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 5
    exec("".join(blocks), {})
