"""Files of tensors: beside the reference implementation, damaged in every way, cut off while they are written."""

from __future__ import annotations

import ctypes
import errno
import gc
import json
import os
import re
import resource
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tilewright as tw
from tilewright.runtime.safetensors import FORMATS, LARGEST_HEADER, NAMES, OTHERS, load_file, safe_open, save_file

Array = np.ndarray[Any, Any]
DTYPES = {dtype: np.dtype(ml_dtypes.bfloat16 if dtype == "bf16" else form) for dtype, form in FORMATS.items()}
OFTEN = settings(max_examples=60, deadline=None)


def reference() -> Any:
    return pytest.importorskip("safetensors", reason="the reference implementation is not installed")


def file_of(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    """A file with any header: bytes, a text, or what is said as JSON."""
    text = header if isinstance(header, str | bytes) else json.dumps(header)
    raw = text.encode() if isinstance(text, str) else text
    return (len(raw) if length is None else length).to_bytes(8, "little") + raw + data


def entry(dtype: object = "F32", shape: object = (), begin: object = 0, end: object = 4) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def bits(array: Array) -> bytes:
    return array.tobytes()


def contents(path: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {name: (t.dtype.code, t.shape, bits(np.asarray(t))) for name, t in load_file(path).items()}


def told(path: Path) -> str:
    with pytest.raises(tw.FileFormatError) as caught:
        load_file(path)
    assert caught.value.hint
    return caught.value.message.removeprefix(f"{path}: ")


def folder_of(factory: pytest.TempPathFactory) -> Path:
    return factory.mktemp("tensors")


@st.composite
def arrays(draw: st.DrawFn) -> Array:
    """Arrays of every dtype, to four axes in any order, with steps that skip, go backwards or stay."""
    dtype = DTYPES[draw(st.sampled_from(list(DTYPES)))]
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    steps = draw(st.lists(st.sampled_from([1, 1, 2, -1, 0]), min_size=len(shape), max_size=len(shape)))
    room = [n * max(1, abs(step)) for n, step in zip(shape, steps, strict=True)]
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    raw = rng.integers(0, 2 if dtype == np.bool_ else 256, int(np.prod(room)) * dtype.itemsize, np.uint8)
    array = raw.view(dtype).reshape(room)[tuple(slice(None, None, step or None) for step in steps)]
    array = np.lib.stride_tricks.as_strided(
        array, shape, [s if step else 0 for s, step in zip(array.strides, steps, strict=True)]
    )
    return array.transpose(draw(st.permutations(range(len(shape)))))


names = st.text(st.characters(codec="utf-8"), max_size=6).filter("__metadata__".__ne__)
files = st.dictionaries(names, arrays(), max_size=5)
texts = st.dictionaries(names, names, max_size=1)


@given(files, st.none() | texts)
@OFTEN
def test_what_is_saved_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, Array], metadata: dict[str, str] | None
) -> None:
    path = folder_of(tmp_path_factory) / "file"
    save_file(tensors, path, metadata)
    found = {name: (DTYPES[dtype], shape, raw) for name, (dtype, shape, raw) in contents(path).items()}
    assert found == {name: (a.dtype, a.shape, bits(a)) for name, a in tensors.items()}
    with safe_open(path) as file:
        assert file.metadata() == (metadata or {}) and file.keys() == list(found)
    save_file(load_file(path), path.with_name("again"), metadata)
    assert path.with_name("again").read_bytes() == path.read_bytes()


@given(files, st.none() | texts)
@OFTEN
def test_files_are_those_of_the_reference(
    tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, Array], metadata: dict[str, str] | None
) -> None:
    """Byte for byte, and it reads them; so what it writes is read too."""
    reference()
    from safetensors.numpy import save

    assume(tensors or metadata != {})  # of that, version 0.8 makes what is not JSON
    path = folder_of(tmp_path_factory) / "file"
    save_file(tensors, path, metadata)
    assert path.read_bytes() == save({name: np.array(a, order="C") for name, a in tensors.items()}, metadata)
    assert contents(path) == as_reference(path.read_bytes())


def as_reference(content: bytes) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {
        name: (NAMES[t["dtype"]], tuple(t["shape"]), bytes(t["data"])) for name, t in reference().deserialize(content)
    }


def test_a_file_by_hand(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(
        file_of('{"b":{"shape":[2],"dtype":"BF16","data_offsets":[2,6]},"a":{"dtype":"I16","shape":[],'
                '"data_offsets":[0,2]},"__metadata__":{"k":"v"}} \n', b"\x01\x02\x80\x3f\x00\xc0")
    )  # fmt: skip
    with safe_open(tmp_path / "file") as file:
        assert file.keys() == ["a", "b"] and file.metadata() == {"k": "v"}
        a, b = file.get_tensor("a"), file.get_tensor("b")
    assert (a.dtype.code, a.shape, int(np.asarray(a))) == ("i16", (), 513)
    assert (b.dtype.code, b.shape) == ("bf16", (2,))
    assert np.asarray(b).view(ml_dtypes.bfloat16).tolist() == [1.0, -2.0]


WRONG = {
    "nothing": (b"", "0 bytes are no safetensors file"),
    "no length": (b"\2\0\0\0\0\0\0", "7 bytes are no safetensors file"),
    "huge header": (file_of("{}", length=LARGEST_HEADER + 1), "a header of 100000001 bytes; the format allows"),
    "cut off": (file_of("{}", length=3), "a header of 3 bytes is longer than the file of 10"),
    "no header": (file_of(""), "the header does not begin with {"),
    "a list": (file_of("[]"), "the header does not begin with {"),
    "leading space": (file_of(" {}"), "the header does not begin with {"),
    "not UTF-8": (file_of(b'{"\xff":1}'), "byte 2 of the header is not UTF-8"),
    "not JSON": (file_of("{,}"), "the header is not JSON: Expecting property name"),
    "two objects": (file_of("{}{}"), "the header is not JSON: Extra data"),
    "half a surrogate pair": (file_of('{"__metadata__":{"a":"\\ud800"}}'), "the header is not JSON: 'utf-8' codec"),
    "deep": (file_of('{"a":' + "[" * 100_000), "the header is not JSON: maximum recursion depth"),
    "long number": (file_of('{"a":' + "9" * 5000 + "}"), "the header is not JSON: Exceeds the limit"),
    "twice": (file_of('{"a":%s,"a":%s}' % ((json.dumps(entry()),) * 2), bytes(4)), "the header has 'a' twice"),
    "dtype twice": (file_of('{"a":{"dtype":"U8","dtype":"I8","shape":[],"data_offsets":[0,1]}}', b"1"),
                    "the header has 'dtype' twice"),
    "metadata twice": (file_of('{"__metadata__":{},"__metadata__":{}}'), "the header has '__metadata__' twice"),
    "text twice": (file_of('{"__metadata__":{"k":"","k":""}}'), "the header has 'k' twice"),
    "metadata null": (file_of({"__metadata__": None}), "__metadata__ is not a map of strings to strings"),
    "metadata number": (file_of({"__metadata__": {"a": 1}}), "__metadata__ is not a map of strings to strings"),
    "entry": (file_of({"a": 3}), "tensor 'a' is 3, not an object of dtype, shape and data_offsets"),
    "no shape": (file_of({"a": {"dtype": "U8", "data_offsets": [0, 1]}}, b"1"), "tensor 'a' is {'dtype': 'U8', "),
    "more": (file_of({"a": entry() | {"strides": []}}, bytes(4)), "tensor 'a' is {'dtype': 'F32', "),
    "dtype": (file_of({"a": entry("f32")}, bytes(4)), "tensor 'a': dtype 'f32' is unknown"),
    "dtype list": (file_of({"a": entry(["F32"])}, bytes(4)), "tensor 'a': dtype ['F32'] is unknown"),
    "shape": (file_of({"a": entry(shape=1)}, bytes(4)), "tensor 'a': shape 1 is not a list of non-negative integers"),
    "negative": (file_of({"a": entry(shape=[-1, -1])}, bytes(4)), "tensor 'a': shape [-1, -1] is not a list of"),
    "minus nothing": (file_of('{"a":{"dtype":"U8","shape":[-0],"data_offsets":[0,0]}}'), "tensor 'a': shape ['-0'] is"),
    "float": (file_of({"a": entry(shape=[1.0])}, bytes(4)), "tensor 'a': shape [1.0] is not a list of"),
    "bool": (file_of({"a": entry(shape=[True])}, bytes(4)), "tensor 'a': shape [True] is not a list of"),
    "text": (file_of({"a": entry(shape=["1"])}, bytes(4)), "tensor 'a': shape ['1'] is not a list of"),
    "offset": (file_of({"a": entry(begin=False)}, bytes(4)), "tensor 'a': data_offsets [False, 4] is not a list of"),
    "one offset": (file_of({"a": entry() | {"data_offsets": [0]}}), "tensor 'a': data_offsets (0,) are not a begin"),
    "backwards": (file_of({"a": entry(begin=8, end=4)}, bytes(8)), "tensor 'a': data_offsets (8, 4) are not a begin"),
    "axes": (file_of({"a": entry(shape=[1] * 33)}, bytes(4)), "tensor 'a': 33 axes"),
    "size": (file_of({"a": entry(shape=[2, 3])}, bytes(4)),
             "tensor 'a': F32 of shape (2, 3) takes 24 bytes, not the 4 of its data_offsets"),
    "product wraps to 0": (file_of({"a": entry(shape=[2**32, 2**32], end=0)}),
                           "tensor 'a': shape (4294967296, 4294967296) has more than 2^48 bytes"),
    "huge beside 0": (file_of({"a": entry(shape=[0, 2**63, 2], end=0)}), "tensor 'a': shape (0, 922337203685477580"),
    "huge": (file_of({"a": entry(shape=[2**46 + 1], end=2**48 + 4)}), "tensor 'a': shape (70368744177665,) has mo"),
    "outside": (file_of({"a": entry()}, bytes(3)), "tensor 'a' ends at byte 4 of 3 bytes of data"),
    "far outside": (file_of({"a": entry("U8", [1], 2**64, 2**64 + 1)}), "tensor 'a' ends at byte 184467440737095"),
    "overlap": (file_of({"a": entry(begin=2, end=6), "b": entry()}, bytes(6)), "tensor 'a' overlaps tensor 'b'"),
    "same place": (file_of({"b": entry(), "a": entry()}, bytes(4)), "tensor 'b' overlaps tensor 'a'"),
    "nothing inside": (file_of({"a": entry("U8", [4]), "b": entry("U8", [0], 2, 2)}, bytes(4)), "tensor 'b' overlaps "),
    "hole": (file_of({"a": entry(), "b": entry(begin=5, end=9)}, bytes(9)), "tensor 'b': 1 bytes before it are"),
    "hole first": (file_of({"a": entry(begin=4, end=8)}, bytes(8)), "tensor 'a': 4 bytes before it are no tensor's"),
    "rest": (file_of({"a": entry()}, bytes(6)), "the last 2 bytes are no tensor's"),
    "only rest": (file_of("{}", b"1"), "the last 1 bytes are no tensor's"),
    "third bool": (file_of({"a": entry("BOOL", [3], 0, 3)}, b"\0\1\2"), "tensor 'a': a bool is neither 0 nor 1"),
}  # fmt: skip
WRONG |= {dtype: (file_of({"a": entry(dtype)}), f"tensor 'a': there are no tensors of {dtype}") for dtype in OTHERS}
BEYOND = {"leading space", "twice", "text twice", "metadata null", "more", "axes", "huge beside 0", "third bool"}
"""What the reference reads all the same: what we refuse beyond what it does."""


@pytest.mark.parametrize("content, message", WRONG.values(), ids=WRONG)
def test_what_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "wrong.safetensors"
    path.write_bytes(content)
    assert told(path).startswith(message)


@pytest.mark.parametrize("kind", [k for k in WRONG if k not in OTHERS])
def test_what_the_reference_refuses_of_it(kind: str) -> None:
    try:
        reference().deserialize(WRONG[kind][0])
    except reference().SafetensorError:
        assert kind not in BEYOND
    else:
        assert kind in BEYOND


def test_long_foreign_texts_are_shortened(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(file_of({"a" * 10_000: entry("b" * 10_000)}))
    assert len(told(tmp_path / "file")) < 500


def test_remedies(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(file_of({"a": entry("F8_E4M3", [4])}, bytes(4)))
    with pytest.raises(ValueError, match="help: convert it to F32 or BF16 where the file is made"):
        load_file(tmp_path / "file")
    (tmp_path / "file").write_bytes(file_of({"a": entry()}, bytes(3)))
    with pytest.raises(tw.UserError, match="help: the file is damaged or was not written whole; get or write it anew"):
        load_file(tmp_path / "file")
    with pytest.raises(FileNotFoundError):
        load_file(tmp_path / "absent")


SOUND = file_of(
    {
        "__metadata__": {"k": "v", "é": "\n"},
        "w": entry("F64", [2, 1], 0, 16),
        "v": entry("BF16", [3], 16, 22),
        "m": entry("BOOL", [2], 22, 24),
        "n": entry("I8", [0, 7], 24, 24),
    },
    bytes(range(22)) + b"\0\1",
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A sound file with bits flipped, bytes of headers in the place of others, bytes put in or left out, or its end.

    In half of them the length of the header is mended, so that more is seen of what is after it.
    """
    head, content = SOUND[:8], bytearray(SOUND[8:])
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(content) - 1))
        match draw(st.sampled_from(["flip", "replace", "insert", "remove", "cut"])):
            case "flip":
                content[at] ^= 1 << draw(st.integers(0, 7))
            case "replace":
                content[at] = draw(st.sampled_from(b'0123459 "{}[],:-eFIU8'))
            case "insert":
                content[at:at] = draw(st.binary(min_size=1, max_size=3))
            case "remove":
                del content[at : at + draw(st.integers(1, 4))]
            case _:
                del content[at + 1 :]
        content = content or bytearray(b"{")
    mended = max(len(content) - 24, 0).to_bytes(8, "little")
    at, bit = draw(st.integers(0, 7)), draw(st.integers(0, 7))
    flipped = bytes(byte ^ (1 << bit if i == at else 0) for i, byte in enumerate(head))
    return draw(st.sampled_from([head, mended, mended, flipped])) + content


@given(damaged())
@settings(max_examples=400, deadline=None)
def test_damaged_files_are_refused_or_read_as_by_the_reference(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    try:
        found = contents(path)
    except tw.FileFormatError as error:
        assert str(path) in error.message and error.hint
        return
    assert found == as_reference(content)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    for size in range(len(SOUND)):
        (tmp_path / "file").write_bytes(SOUND[:size])
        assert told(tmp_path / "file")


@contextmanager
def refused_replace(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        yield


@contextmanager
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupt)
        yield


@contextmanager
def full_disk(_: pytest.MonkeyPatch) -> Iterator[None]:
    """No file grows beyond 100 kB: the system refuses in the middle of the second tensor."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("failure", [refused_replace, interrupted, full_disk])
@pytest.mark.parametrize("old", [None, b"what was there"])
def test_a_write_that_fails_leaves_what_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Any, old: bytes | None
) -> None:
    path = tmp_path / "file"
    if old is not None:
        path.write_bytes(old)
    big = np.zeros(20_000, np.float32)
    with failure(monkeypatch), pytest.raises((OSError, KeyboardInterrupt)):
        save_file({"a": big, "b": big}, path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == ({} if old is None else {"file": old})


def test_the_file_is_whole_when_it_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_size))
    save_file({"a": np.zeros(100, np.float32)}, tmp_path / "file")
    assert synced == [(tmp_path / "file").stat().st_size]
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_mode_links_and_long_names(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    (tmp_path / "link").symlink_to(path)
    before = os.umask(0o027)
    try:
        save_file({}, tmp_path / "link")
    finally:
        os.umask(before)
    assert (tmp_path / "link").is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert load_file(tmp_path / "link") == {}


def test_a_relative_path_is_of_the_folder_it_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_file({"a": np.int8(3)}, "file")
    assert int(np.asarray(load_file("file")["a"])) == 3


class Odd:
    """No string, though it is a key."""


@pytest.mark.parametrize(
    "tensors, metadata, message",
    [
        ([("a", 1)], None, "tensors is a mapping, not list"),
        ({1: np.zeros(1)}, None, "the name of a tensor is a string, not int"),
        ({"__metadata__": np.zeros(1)}, None, "no tensor can be named __metadata__"),
        ({"\ud800": np.zeros(1)}, None, r"the name of a tensor is '\\ud800', which UTF-8 cannot say"),
        ({"a": [1.0]}, None, "tensor 'a': an array is needed, not list"),
        ({"a": np.zeros(1, complex)}, None, "tensor 'a': there are no tensors of complex128"),
        ({"a": np.uint8([[0, 1], [2, 1]]).view("?").T}, None, "tensor 'a': a bool is neither 0 nor 1"),
        ({"a": tw.Tensor.from_buffer(np.zeros(1, "u8"), "field")}, None, "tensor 'a': the format has no dtype field"),
        ({}, "text", "metadata is a mapping, not str"),
        ({}, {"a": 1}, "each key and value of metadata is a string, not int"),
        ({}, {Odd(): "a"}, "each key and value of metadata is a string, not Odd"),
    ],
)  # fmt: skip
def test_what_cannot_be_saved(tmp_path: Path, tensors: Any, metadata: Any, message: str) -> None:
    with pytest.raises((tw.CallError, tw.CallTypeError), match=message):
        save_file(tensors, tmp_path / "file", metadata)
    assert not list(tmp_path.iterdir())


def maps(path: Path) -> list[range]:
    """The addresses at which the file, or what was it, is mapped."""
    found = []
    for line in Path("/proc/self/maps").read_text().splitlines():
        if str(path) in line:
            begin, end = line.split()[0].split("-")
            found.append(range(int(begin, 16), int(end, 16)))
    return found


def test_tensors_lie_in_the_map(tmp_path: Path) -> None:
    path = tmp_path / "file"
    save_file({dtype: np.ones(5, form) for dtype, form in DTYPES.items()}, path)
    loaded = load_file(path)
    (place,) = maps(path)
    raw = path.read_bytes()
    for dtype, tensor in loaded.items():
        at = tensor.data_ptr() - place.start
        assert tensor.data_ptr() in place and raw[at : at + tensor.nbytes] == bits(np.ones(5, DTYPES[dtype]))


@pytest.mark.parametrize("dtype", [d for d in DTYPES if DTYPES[d].itemsize > 1])
def test_misaligned_data_are_copied(tmp_path: Path, dtype: str) -> None:
    path, item = tmp_path / "file", DTYPES[dtype].itemsize
    header = json.dumps({"a": entry(dtype.upper(), [3], 0, 3 * item)})
    values = np.array([1, 0, 3], DTYPES[dtype])
    for padding in range(8):
        text = header + " " * (-len(header) % 8 + padding)
        path.write_bytes(file_of(text, bits(values)))
        tensor = load_file(path)["a"]
        assert tensor.data_ptr() % item == 0 and bits(np.asarray(tensor)) == bits(values)
        assert any(tensor.data_ptr() in place for place in maps(path)) == (padding % item == 0)


def test_the_map_lives_as_long_as_a_tensor(tmp_path: Path) -> None:
    path = tmp_path / "file"
    save_file({"a": np.arange(100_000, dtype=np.float32), "b": np.zeros(3, np.int8)}, path)
    with safe_open(path) as file:
        a = file.get_tensor("a")
    path.unlink()
    del file
    gc.collect()
    assert maps(path) and np.array_equal(np.asarray(a), np.arange(100_000))
    assert np.asarray(tw.ops.add(a, a))[-1] == 199_998
    view = np.asarray(a)
    del a
    gc.collect()
    assert view[-1] == 99_999 and maps(path)
    del view
    gc.collect()
    assert not maps(path)


@pytest.mark.parametrize("padding", [0, 1])
def test_tensors_are_read_only(tmp_path: Path, padding: int) -> None:
    """Those in the map, and those that are copied since their data are not aligned."""
    text = json.dumps({"a": entry()})
    (tmp_path / "file").write_bytes(file_of(text + " " * (-len(text) % 8 + padding), bytes(4)))
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(load_file(tmp_path / "file")["a"])[()] = 1


def test_who_writes_all_the_same_changes_no_file_and_no_other_map(tmp_path: Path) -> None:
    """As PyTorch does, which has no read-only tensors."""
    path = tmp_path / "file"
    save_file({"a": np.arange(5000)}, path)
    before, (tensor,), (other,) = path.read_bytes(), load_file(path).values(), load_file(path).values()
    ctypes.memset(tensor.data_ptr(), 255, tensor.nbytes)
    assert set(np.asarray(tensor).tolist()) == {-1}
    assert path.read_bytes() == before and np.array_equal(np.asarray(other), np.arange(5000))


def test_a_file_may_be_larger_than_memory(tmp_path: Path) -> None:
    size = 1 << 40
    path = tmp_path / "file"
    header = file_of({f"t{i}": entry("U8", [size], i * size, (i + 1) * size) for i in range(4)})
    with open(path, "wb") as file:
        file.write(header)
        try:
            file.truncate(len(header) + 4 * size)
        except OSError as error:
            pytest.skip(f"the disk takes no sparse file of 4 TiB: {error}")
    if Path("/proc/sys/vm/overcommit_memory").read_text().strip() == "2":
        pytest.skip("the system promises no memory that it does not have (vm.overcommit_memory is 2)")
    loaded = load_file(path)
    path.unlink()
    assert [t.nbytes for t in loaded.values()] == [size] * 4


def test_a_file_is_replaced_by_what_was_loaded_from_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    save_file({"a": np.full(50_000, 7, np.int16), "b": np.full(9, 8, np.int8)}, path)
    loaded = load_file(path)
    save_file({"b": loaded["b"], "c": np.zeros(20_000)}, path)
    assert set(np.asarray(loaded["a"]).tolist()) == {7}
    assert sorted(contents(path)) == ["b", "c"] and np.asarray(load_file(path)["b"]).tolist() == [8] * 9


def test_get_tensor_says_what_is_wrong(tmp_path: Path) -> None:
    save_file({"a": np.zeros(3)}, tmp_path / "file")
    with safe_open(tmp_path / "file") as file, pytest.raises(tw.CallError, match="has no tensor 'b'"):
        file.get_tensor("b")
    with pytest.raises(tw.CallError, match="is closed"):
        file.get_tensor("a")


def test_only_what_is_asked_for_is_looked_at(tmp_path: Path) -> None:
    """A bool that is none is found with its tensor."""
    content = file_of({"a": entry("BOOL", [1], 0, 1), "b": entry("BOOL", [1], 1, 2)}, b"\2\1")
    (tmp_path / "file").write_bytes(content)
    with safe_open(tmp_path / "file") as file:
        assert np.asarray(file.get_tensor("b")).tolist() == [True]
        with pytest.raises(tw.FileFormatError, match="tensor 'a': a bool is neither 0 nor 1"):
            file.get_tensor("a")


def test_the_page_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parent.parent / "docs" / "interop.md").read_text()
    (section,) = re.findall(r"^## safetensors\n(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"^```python\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    assert examples
    for example in examples:
        exec(compile(example, "interop.md", "exec"), {})
