"""Memory shared with other libraries: that it is the same is shown by its address."""

from __future__ import annotations

import gc
import re
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from dlpack_capsules import Legacy, Producer, Versioned, let_go, name_of, read, take

import tilewright as tw
from tilewright.runtime import Tensor, to_numpy

Array = np.ndarray[Any, Any]
READ_ONLY, COPIED = 1, 2
RNG = np.random.default_rng(41)

DTYPES = {  # with DLPack's code
    "bool": ("?", 6), "i8": ("i1", 0), "i16": ("i2", 0), "i32": ("i4", 0), "i64": ("i8", 0), "u8": ("u1", 1),
    "u16": ("u2", 1), "u32": ("u4", 1), "u64": ("u8", 1), "f16": ("f2", 2), "f32": ("f4", 2), "f64": ("f8", 2),
}  # fmt: skip


def base() -> Array:
    return np.arange(24.0).reshape(2, 3, 4)


def locked(array: Array) -> Array:
    array.flags.writeable = False
    return array


LAYOUTS = {
    "row-major": base(),
    "transposed": base().T,
    "strided": base()[:, ::2, 1::2],
    "repeated": np.broadcast_to(base()[0, :, :1], (3, 5)),
    "read-only": locked(base()),
    "one cell": base()[1:, 1:2, 2:3],
    "no axes": np.array(3.0),
    "empty": base()[:, :0],
    "32 axes": np.ones((1,) * 31 + (2,)),
}
BACKWARDS = {"reversed": base()[::-1], "reversed columns": base()[:, :, ::-2], "both": base()[::-1, ::-1].T}


@dataclass
class Old:
    """An array of a library from before the versions of DLPack."""

    array: Any

    def __dlpack__(self) -> object:
        return self.array.__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)


def assert_same_memory(array: Array, other: Array) -> None:
    assert array.dtype == other.dtype and array.shape == other.shape
    if array.size:
        assert array.ctypes.data == other.ctypes.data
        assert all(a == b for a, b, n in zip(array.strides, other.strides, array.shape, strict=True) if n > 1)
    np.testing.assert_array_equal(array, other)


# NumPy


@pytest.mark.parametrize("layout", LAYOUTS)
def test_numpy_by_dlpack(layout: str) -> None:
    array = LAYOUTS[layout]
    for tensor in (tw.from_dlpack(array), tw.as_tensor(array)):
        assert_same_memory(np.asarray(tensor), array)
        back = np.from_dlpack(tensor)
        assert_same_memory(back, array)
        assert back.flags.writeable == (array.flags.writeable or not array.size)


@pytest.mark.parametrize("layout", BACKWARDS)
def test_what_runs_backwards_is_taken_but_not_given(layout: str) -> None:
    array = BACKWARDS[layout]
    tensor = tw.from_dlpack(array)
    assert_same_memory(np.asarray(tensor), array)
    with pytest.raises(BufferError, match="negative strides .* ask with copy=True"):
        np.from_dlpack(tensor)
    np.testing.assert_array_equal(np.from_dlpack(tensor, copy=True), array)


def test_numpy_from_before_versions() -> None:
    array = base()
    tensor = tw.from_dlpack(Old(array.T))
    assert_same_memory(np.asarray(tensor), array.T)
    assert_same_memory(np.from_dlpack(Old(tensor)), array.T)
    with pytest.raises(BufferError, match="read-only, which DLPack cannot say before version 1"):
        np.from_dlpack(Old(tw.as_tensor(locked(base()))))


@pytest.mark.parametrize("dtype", DTYPES)
def test_types(dtype: str) -> None:
    code, number = DTYPES[dtype]
    array = np.arange(6).astype(code)
    tensor = tw.from_dlpack(array)
    assert tensor.dtype.code == dtype
    assert_same_memory(np.from_dlpack(tensor), array)
    capsule = tensor.__dlpack__()
    form = read(capsule).array
    assert (form.code, form.bits, form.lanes) == (number, array.itemsize * 8, 1)


def test_random_views() -> None:
    whole = np.arange(5 * 6 * 7, dtype=np.int32).reshape(5, 6, 7)
    for _ in range(200):
        cuts = [slice(*sorted(RNG.integers(0, 8, 2)), int(RNG.integers(1, 4))) for _ in range(3)]
        view = whole[tuple(cuts)][:: RNG.choice([1, -1])].transpose(RNG.permutation(3))
        tensor = tw.from_dlpack(view)
        assert_same_memory(np.asarray(tensor), view)
        copy = np.from_dlpack(tensor, copy=True)
        assert copy.flags.c_contiguous and not np.shares_memory(copy, whole)
        np.testing.assert_array_equal(copy, view)


def test_byte_swapped_and_misaligned_arrays_are_copied_by_tensor_alone() -> None:
    swapped = np.arange(3.0).astype(">f8")
    shifted = np.frombuffer(b"\0" + np.arange(3.0).tobytes(), np.float64, offset=1)
    for array, why in ((swapped, "native byte order"), (shifted, "not aligned to their size")):
        with pytest.raises(tw.CallTypeError, match=f"this numpy.ndarray cannot be a tensor: .*{why}"):
            tw.from_dlpack(array)
        np.testing.assert_array_equal(np.asarray(tw.as_tensor(array)), array)


# __array__


@pytest.mark.parametrize("dtype", ["f32", "bf16"])
def test_array_follows_numpy(dtype: str) -> None:
    own = np.dtype(np.float32 if dtype == "f32" else ml_dtypes.bfloat16)
    source = np.array([1.5, -2, 3]).astype(own)
    tensor = tw.as_tensor(source)
    assert tensor.dtype.code == dtype
    for same in (
        tensor.__array__(), tensor.__array__(own), tensor.__array__(copy=False), tensor.__array__(None, None),
        np.asarray(tensor), np.array(tensor, copy=False), np.asarray(tensor, own), to_numpy(tensor),
    ):  # fmt: skip
        assert_same_memory(same, source)
    for copy in (tensor.__array__(copy=True), np.array(tensor), tensor.__array__(own, copy=True)):
        assert copy.dtype == own and not np.shares_memory(copy, source)
        np.testing.assert_array_equal(copy, source)
    for wide in (tensor.__array__(np.float64), np.asarray(tensor, np.float64), tensor.__array__("f8", copy=True)):
        assert wide.dtype == np.float64 and wide.tolist() == [1.5, -2, 3]
    for narrow in (lambda: tensor.__array__(np.float64, copy=False), lambda: np.array(tensor, np.float64, copy=False)):
        with pytest.raises(ValueError, match="copy"):
            narrow()


def test_bf16_is_never_taken_for_integers() -> None:
    bits = np.array([0x3F80, 0x4000], np.uint16)
    tensor = Tensor.from_buffer(bits, "bf16")
    assert np.asarray(tensor).tolist() == [1, 2]
    for wrong, error in ((memoryview, BufferError), (lambda t: t.__array_interface__, AttributeError)):
        with pytest.raises(error, match="no bfloat16|no bf16"):
            wrong(tensor)
    assert_same_memory(np.asarray(Tensor.from_buffer(tensor, "u16")), bits)


def test_bf16_without_ml_dtypes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    tensor = Tensor.from_buffer(np.array([0x3F80], np.uint16), "bf16")
    for convert in (np.asarray, to_numpy):
        with pytest.raises(tw.CallTypeError, match="no bfloat16 without ml_dtypes\nhelp: pip install ml_dtypes"):
            convert(tensor)


# What a capsule says


def test_the_form_of_a_capsule() -> None:
    tensor = tw.as_tensor(base().T)
    for asked in (None, (0, 9), (1, 0), (1, 7), (2, 0)):
        capsule = tensor.__dlpack__(max_version=asked, dl_device=(1, 0), copy=False, stream=None)
        managed = read(capsule)
        assert isinstance(managed, Versioned if asked and asked >= (1, 0) else Legacy)
        if isinstance(managed, Versioned):
            assert (managed.major, managed.minor, managed.flags) == (1, 0, 0)
        form = managed.array
        assert (form.device_type, form.device_id, form.byte_offset) == (1, 0, 0)
        assert (form.data, form.ndim, form.shape[:3], form.strides[:3]) == (tensor.data_ptr(), 3, [4, 3, 2], [1, 4, 12])
    assert tensor.__dlpack_device__() == (1, 0)


def test_flags() -> None:
    for array, copy, flags in (
        (base(), None, 0),
        (locked(base()), None, READ_ONLY),
        (base(), True, COPIED),
        (locked(base())[::-1], True, COPIED),
    ):
        tensor = tw.as_tensor(array)
        capsule = tensor.__dlpack__(max_version=(1, 0), copy=copy)
        managed = read(capsule)
        assert managed.flags == flags
        assert (managed.array.data == tensor.data_ptr()) == (not copy)
        back = np.asarray(Tensor.from_capsule(capsule))
        assert back.flags.writeable == (flags != READ_ONLY)
        np.testing.assert_array_equal(back, array)


def test_an_empty_tensor_has_no_address() -> None:
    capsule = tw.as_tensor(base()[:0]).__dlpack__()
    assert read(capsule).array.data is None
    tensor = Tensor.from_capsule(capsule)
    assert tensor.shape == (0, 3, 4) and np.asarray(tensor).shape == (0, 3, 4)
    assert tw.ops.add(tensor, tensor).shape == (0, 3, 4)


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"stream": 1}, BufferError, "stream is None, not 1"),
        ({"dl_device": (2, 0)}, BufferError, r"not copied to \(2, 0\)"),
        ({"dl_device": (1, 1)}, BufferError, r"not copied to \(1, 1\)"),
        ({"dl_device": "cpu"}, TypeError, "dl_device is a tuple of two integers, not 'cpu'"),
        ({"max_version": 1}, TypeError, "max_version is a tuple of two integers, not 1"),
        ({"max_version": (1, "0")}, TypeError, "integer"),
        ({"version": 1}, TypeError, "version"),
    ],
)
def test_what_is_not_given(keywords: dict[str, Any], error: type[Exception], message: str) -> None:
    tensor = tw.as_tensor(base())
    count = sys.getrefcount(tensor)
    with pytest.raises(error, match=message):
        tensor.__dlpack__(**keywords)
    assert sys.getrefcount(tensor) == count


def test_field_has_no_dlpack_form() -> None:
    with pytest.raises(BufferError, match="DLPack has no element type for field"):
        Tensor.from_buffer(np.zeros(3, np.uint64), "field").__dlpack__()


# Capsules of others

TAKEN: dict[str, tuple[dict[str, Any], list[float]]] = {
    "as it is": ({}, [0, 1, 2, 3]),
    "no strides": ({"strides": None}, [0, 1, 2, 3]),
    "a byte offset": ({"byte_offset": 4, "shape": (3,)}, [1, 2, 3]),
    "strides": ({"shape": (2,), "strides": (2,)}, [0, 2]),
    "a stride without meaning": ({"shape": (1,), "strides": (1 << 62,)}, [0]),
    "no elements": ({"data": None, "shape": (0,)}, []),
    "a later minor version": ({"minor": 9}, [0, 1, 2, 3]),
}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("form", TAKEN)
def test_capsules_taken(form: str, legacy: bool) -> None:
    fields, numbers = TAKEN[form]
    producer = Producer(legacy, **fields)
    tensor = tw.from_dlpack(producer)
    assert (producer.made, producer.freed) == (1, 0)
    assert to_numpy(tensor).tolist() == numbers
    if numbers:
        assert tensor.data_ptr() == producer.numbers.ctypes.data + fields.get("byte_offset", 0)
    view = np.asarray(tensor)
    assert view.flags.writeable
    del tensor
    assert producer.freed == 0 or not numbers
    del view
    assert producer.freed == 1


def test_read_only_capsules_and_those_without_a_deleter() -> None:
    assert not np.asarray(tw.from_dlpack(Producer(flags=READ_ONLY))).flags.writeable
    producer = Producer(deleter=False)
    assert to_numpy(tw.from_dlpack(producer)).tolist() == [0, 1, 2, 3]
    assert producer.freed == 0


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "device": ({"device_type": 2, "device_id": 3}, r"its memory is on the device \(2, 3\), not the CPU"),
    "type": ({"code": 5}, "no element type for DLPack's code 5 of 32 bits"),
    "bits": ({"bits": 8}, "no element type for DLPack's code 2 of 8 bits"),
    "lanes": ({"lanes": 4}, "its elements are vectors of 4 lanes"),
    "misaligned": ({"byte_offset": 2, "shape": (3,)}, "the elements are not aligned to their size"),
    "no memory": ({"data": None}, "it has elements, but no memory"),
    "no shape": ({"shape": None}, "it has axes, but no shape"),
    "axes": ({"ndim": 33}, "a tensor has at most 32 axes, not 33"),
    "negative rank": ({"ndim": -1}, "a tensor has at most 32 axes, not -1"),
    "negative dim": ({"shape": (-1,)}, "no dim is negative"),
    "too large": ({"shape": (1 << 60,)}, "no dim is negative, and a tensor has at most 281474976710656 bytes"),
    "stride": ({"strides": (1 << 61,)}, "axis 0 has a stride out of range"),
    "back": ({"strides": (-(1 << 63),)}, "axis 0 has a stride out of range"),
    "name": ({"name": "tensor"}, "its capsule is no tensor's but named 'tensor'"),
}


def assert_refused(producer: Producer, message: str) -> None:
    """The capsule stays the producer's, whose destructor frees it once."""
    capsule = producer.__dlpack__()
    with pytest.raises((TypeError, ValueError), match=message):
        Tensor.from_capsule(capsule)
    assert name_of(capsule).encode() == producer.name and producer.freed == 0
    del capsule
    assert producer.freed == 1
    with pytest.raises(tw.CallTypeError, match=f"this dlpack_capsules.Producer cannot be a tensor: {message}"):
        tw.from_dlpack(producer)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("why", REFUSED)
def test_capsules_refused(why: str, legacy: bool) -> None:
    fields, message = REFUSED[why]
    producer = Producer(legacy, **fields)
    assert_refused(producer, message)
    gc.collect()
    assert producer.freed == producer.made


def test_a_later_version_is_refused() -> None:
    assert_refused(Producer(major=2, minor=1), "DLPack 2.1 is too new: versions up to 1 are known")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_capsule_is_used_once(legacy: bool) -> None:
    producer = Producer(legacy)
    capsule = producer.__dlpack__()
    tensor = Tensor.from_capsule(capsule)
    for _ in range(2):
        with pytest.raises(ValueError, match="its capsule is used already: each is for one consumer"):
            Tensor.from_capsule(capsule)
    del capsule
    assert producer.freed == 0 and to_numpy(tensor).tolist() == [0, 1, 2, 3]
    del tensor
    assert producer.freed == 1


def test_what_is_no_array() -> None:
    class Elsewhere(Producer):
        def __dlpack_device__(self) -> tuple[int, int]:
            return (2, 1)

    class Wrong(Producer):
        def __dlpack__(self, **keywords: Any) -> object:
            return 7

    elsewhere = Elsewhere()
    for face in (tw.from_dlpack, tw.as_tensor):
        with pytest.raises(tw.CallTypeError, match=r"is on the device \(2, 1\), not the CPU\nhelp: x.cpu\(\)"):
            face(elsewhere)
        with pytest.raises(tw.CallTypeError, match="__dlpack__ is to give a capsule, not 7"):
            face(Wrong())
    assert elsewhere.made == 0
    with pytest.raises(tw.CallTypeError, match="an array with __dlpack__ is needed, not list"):
        tw.from_dlpack([1.0])
    tensor = tw.as_tensor(base())
    assert tw.from_dlpack(tensor) is tensor


def test_values_that_are_not_those_in_memory_are_refused() -> None:
    class Negated(Producer):
        def is_neg(self) -> bool:
            return True

    negated = Negated()
    for face in (tw.from_dlpack, tw.as_tensor):
        with pytest.raises(tw.CallTypeError, match=r"opposite sign of its values; x.resolve_neg\(\)"):
            face(negated)
    assert negated.made == 0


# Lifetime


def test_the_memory_outlives_its_source() -> None:
    array = np.arange(1000.0)
    tensor = tw.from_dlpack(array)
    view = np.from_dlpack(tensor)
    count = sys.getrefcount(array)
    del tensor
    assert sys.getrefcount(array) == count
    del array
    assert view.sum() == 999 * 500


def test_nothing_grows() -> None:
    array, tensor, frozen = base(), tw.as_tensor(base()), tw.as_tensor(locked(base()))
    counts = [sys.getrefcount(x) for x in (array, tensor, frozen)]
    for _ in range(300):
        np.from_dlpack(tw.from_dlpack(array))
        np.from_dlpack(tensor), np.from_dlpack(frozen), np.asarray(tensor), tensor.__array__()
        for version in (None, (1, 0)):
            tensor.__dlpack__(max_version=version)  # a capsule that nobody consumes
            tensor.__dlpack__(max_version=version, copy=True)
        with pytest.raises(BufferError):
            frozen.__dlpack__()
    assert [sys.getrefcount(x) for x in (array, tensor, frozen)] == counts


def test_an_error_on_its_way_is_not_lost_in_the_deleter() -> None:
    producer = Producer()
    with pytest.raises(tw.CallTypeError, match="'y': an array is needed, not str"):
        tw.ops.add(producer, "text")
    assert (producer.made, producer.freed) == (1, 1)


@pytest.mark.parametrize("version", [None, (1, 0)])
def test_the_deleter_runs_on_any_thread_without_the_gil(version: tuple[int, int] | None) -> None:
    producer = Producer()
    managed = [take(tw.from_dlpack(producer).__dlpack__(max_version=version)) for _ in range(50)]
    assert producer.freed == 0 and all(m.array.data == producer.numbers.ctypes.data for m in managed)
    parts = managed[:20], managed[20:]
    threads = [threading.Thread(target=lambda part=part: [let_go(m) for m in part]) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert producer.freed == 50


# PyTorch


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch is not installed; .ci/run installs it")


@pytest.mark.parametrize("dtype", [*DTYPES, "bf16"])
def test_torch_both_ways(torch: Any, dtype: str) -> None:
    own = {"bool": "bool", "bf16": "bfloat16", "f": "float", "u": "uint", "i": "int"}
    name = own.get(dtype) or own[dtype[0]] + {"u": "", "i": "", "f": ""}[dtype[0]] + dtype[1:]
    source = torch.arange(6).reshape(2, 3).to(getattr(torch, name)).T
    for face in (tw.from_dlpack, tw.as_tensor):
        tensor = face(source)
        assert (tensor.dtype.code, tensor.shape, tensor.data_ptr()) == (dtype, (3, 2), source.data_ptr())
        assert tensor.strides == tuple(s * source.element_size() for s in source.stride())
        back = torch.from_dlpack(tensor)
        assert (back.dtype, back.data_ptr(), back.stride()) == (source.dtype, source.data_ptr(), source.stride())
        assert torch.equal(back, source)


def test_torch_layouts(torch: Any) -> None:
    whole = torch.arange(24.0).reshape(2, 3, 4)
    repeated, turned = whole[0, :, :1].expand(3, 5), whole.permute(2, 0, 1)
    for view in (whole[:, 1:, ::2], repeated, torch.tensor(2.0), whole[:, :0], turned):
        tensor = tw.as_tensor(view)
        assert torch.equal(torch.from_dlpack(tensor), view)
        assert np.array_equal(to_numpy(tensor), view.numpy())
        assert not view.numel() or tensor.data_ptr() == view.data_ptr() == torch.from_dlpack(tensor).data_ptr()


def test_torch_bf16_in_an_op(torch: Any) -> None:
    x = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    wanted = x + x
    assert torch.equal(torch.from_dlpack(tw.ops.add(tw.as_tensor(x), tw.as_tensor(x))), wanted)
    result = tw.ops.add(x, x)
    assert result.dtype == ml_dtypes.bfloat16
    assert torch.equal(torch.from_dlpack(tw.as_tensor(result)), wanted)


def test_torch_that_cannot_be_taken(torch: Any) -> None:
    grad, meta = torch.ones(2, requires_grad=True), torch.ones(2, device="meta")
    for call in (tw.as_tensor, tw.from_dlpack, lambda x: tw.ops.add(x, x)):
        with pytest.raises(tw.CallTypeError, match=r"torch.Tensor cannot be .*gradient, use tensor.detach\(\)"):
            call(grad)
        with pytest.raises(tw.CallTypeError, match="cannot be a tensor: .*meta"):
            call(meta)
        with pytest.raises(tw.CallTypeError, match="code 5 of 64 bits"):
            call(torch.ones(2) * 1j)


def test_torch_values_whose_sign_is_not_in_memory_are_refused(torch: Any) -> None:
    negated = torch.tensor([1 + 2j, 3 - 4j]).conj().imag
    for call in (tw.as_tensor, tw.from_dlpack, lambda x: tw.ops.add(x, x)):
        with pytest.raises(tw.CallTypeError, match=r"opposite sign.* x.resolve_neg\(\)"):
            call(negated)
        call(-torch.ones(2))
    assert to_numpy(tw.as_tensor(negated.resolve_neg())).tolist() == [-2, 4]


def test_torch_and_files(torch: Any, tmp_path: Path) -> None:
    """bf16 of PyTorch goes into a file and comes back; PyTorch may write to what is in the map."""
    x = torch.arange(6000).reshape(2, 3000).to(torch.bfloat16)
    path = tmp_path / "file"
    tw.safetensors.save_file({"x": x, "turned": x.T}, path)
    tensor = tw.safetensors.load_file(path)["x"]
    back = torch.from_dlpack(tensor)
    assert back.data_ptr() == tensor.data_ptr() and torch.equal(back, x)
    assert torch.equal(torch.from_dlpack(tw.safetensors.load_file(path)["turned"]), x.T)
    back.add_(1)
    assert torch.equal(back, x + 1)
    assert torch.equal(torch.from_dlpack(tw.safetensors.load_file(path)["x"]), x)


def test_memory_goes_through_torch_and_back(torch: Any) -> None:
    producer = Producer()
    tensor = torch.from_dlpack(tw.from_dlpack(producer))
    tensor += 1
    assert producer.numbers.tolist() == [1, 2, 3, 4] and producer.freed == 0
    again = tw.from_dlpack(tensor)
    del tensor
    assert producer.freed == 0 and to_numpy(again).tolist() == [1, 2, 3, 4]
    del again
    assert producer.freed == 1


def test_the_page_holds() -> None:
    page = (Path(__file__).parent.parent / "docs" / "interop.md").read_text()
    (section,) = re.findall(r"^## Arrays and DLPack\n(.*?)^## ", page, re.DOTALL | re.MULTILINE)
    (example,) = re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    exec(compile(example, "interop.md", "exec"), {})
