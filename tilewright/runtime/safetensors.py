"""Tensors in files of the safetensors format: read by memory map, written whole or not at all.

A file is the length of its header (8 bytes, little end first), the header (JSON: dtype, shape and place of each
tensor, and texts under ``__metadata__``), the data. The format: https://github.com/huggingface/safetensors.

>>> import tempfile, numpy as np, tilewright as tw
>>> folder = tempfile.TemporaryDirectory()
>>> path = folder.name + "/model.safetensors"
>>> tw.safetensors.save_file({"scale": np.float32([1, 2])}, path, metadata={"made by": "hand"})
>>> tw.safetensors.load_file(path)["scale"].shape
(2,)
>>> with tw.safetensors.safe_open(path) as file:
...     file.keys(), file.metadata(), np.asarray(file.get_tensor("scale"))
(['scale'], {'made by': 'hand'}, array([1., 2.], dtype=float32))
>>> folder.cleanup()
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from math import prod
from mmap import MAP_PRIVATE, PROT_READ, PROT_WRITE, mmap
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from tilewright.errors import CallError, CallTypeError, FileFormatError
from tilewright.runtime import Tensor, cells, to_tensor

__all__ = ["TensorFile", "load_file", "safe_open", "save_file"]

METADATA = "__metadata__"
MAP_NORESERVE = 0x4000 if sys.platform == "linux" else 0
"""Which Python's mmap has from 3.13 on: a private map larger than memory is not refused."""
LARGEST_HEADER = 100_000_000
LARGEST_TENSOR = 1 << 48
"""Bytes, an empty axis counted as one element: the core's limit."""
MOST_AXES = 32
FORMATS = {
    "u64": "<u8", "i64": "<i8", "f64": "<f8", "f32": "<f4", "u32": "<u4", "i32": "<i4",
    "bf16": "<u2", "f16": "<f2", "u16": "<u2", "i16": "<i2", "i8": "i1", "u8": "u1", "bool": "?",
}  # fmt: skip
"""NumPy's format of each dtype that files can hold, in the order in which their tensors are written; bf16 as bits."""
NAMES = {dtype.upper(): dtype for dtype in FORMATS}
"""Our dtype by the format's name of it."""
OTHERS = "C64 F4 F6_E2M3 F6_E3M2 F8_E4M3 F8_E4M3FNUZ F8_E5M2 F8_E5M2FNUZ F8_E8M0".split()
"""Dtypes of the format that there are no tensors of."""
DAMAGED = "the file is damaged or was not written whole; get or write it anew"
MISWRITTEN = "the program that wrote the file is at fault; write it anew, with tilewright.safetensors.save_file say"


class _Entry(NamedTuple):
    """What the header says of a tensor. The data are at ``begin`` to ``end`` after the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


class TensorFile:
    """An open file: what is in it is known and checked, tensors are made as they are asked for. A context manager.

    Tensors stay valid after it is closed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)
        self._map: mmap | None = _map(self.path)
        self._start, header = _read_header(self.path, self._map)
        self._metadata = _check_metadata(self.path, header.pop(METADATA, {}))
        entries = {name: _check_entry(f"{self.path}: tensor {_shown(name)}", e) for name, e in header.items()}
        self._entries = dict(sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end, item[0])))
        _check_places(self.path, self._entries, len(self._map) - self._start)

    def __enter__(self) -> TensorFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. The map stays as long as there are tensors in it."""
        self._map = None

    def keys(self) -> list[str]:
        """The names of the tensors, in the order of their data."""
        return list(self._entries)

    def metadata(self) -> dict[str, str]:
        """The texts that were saved with the tensors."""
        return dict(self._metadata)

    def get_tensor(self, name: str) -> Tensor:
        """The tensor of that name: read-only, in the map; of a copy where the data are not aligned to their size.

        CallError where there is none, or the file is closed. FileFormatError for a bool that is neither 0 nor 1.
        """
        if self._map is None:
            raise CallError(f"{self.path} is closed", hint="get tensors inside of the with statement")
        if name not in self._entries:
            raise CallError(f"{self.path} has no tensor {_shown(name)}", hint=f"keys() names all {len(self._entries)}")
        dtype, shape, begin, _ = self._entries[name]
        data = np.ndarray(shape, FORMATS[dtype], self._map, self._start + begin)
        if _has_wrong_bools(data):
            raise FileFormatError(f"{self.path}: tensor {_shown(name)}: a bool is neither 0 nor 1", hint=MISWRITTEN)
        data = np.require(data, data.dtype.newbyteorder("="), ["ALIGNED"])
        data.flags.writeable = False
        return Tensor.from_buffer(data, dtype)


def safe_open(path: str | os.PathLike[str]) -> TensorFile:
    """Open a file of tensors: ``with safe_open(path) as file:`` and then ``file.get_tensor(name)``.

    Only the header is read, and all of it is checked: FileFormatError says what is wrong. OSError where there is no
    such file.
    """
    return TensorFile(path)


def load_file(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """All tensors of a file by name, in the order of their data.

    They are read-only and lie in a map of the file, which lives as long as one of them: nothing is read before it is
    used, but what bools are. A library that writes to them all the same, as PyTorch does, changes its process' copy of
    the page, and no file. Changes that are made to the file in place show in them, and the system ends a process
    that uses what was cut off; files that are replaced, as :func:`save_file` does, stay as they were for who has them.

    FileFormatError where the file is not of the format, or holds dtypes that there are no tensors of; OSError where it
    cannot be read.
    """
    with safe_open(path) as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def save_file(
    tensors: Mapping[str, object], path: str | os.PathLike[str], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors, or arrays, by name, and texts about them.

    The file appears whole, in the place of what was there, or not at all: it is written under another name in the same
    folder, and renamed when the system has it on disk. The largest elements come first, so that all are aligned.

    CallError for a name, text or bool that cannot be written, CallTypeError for what is no tensor, OSError where the
    system refuses.
    """
    order = list(FORMATS).index
    ordered = sorted(_named_tensors(tensors).items(), key=lambda item: (order(item[1].dtype.code), item[0]))
    header = _make_header(ordered, metadata)
    target = os.path.realpath(path)
    part = os.path.join(os.path.dirname(target), f".{os.urandom(8).hex()}.part")
    try:
        with open(part, "xb") as file:
            _write(file, header, [tensor for _, tensor in ordered])
        os.replace(part, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise


def _map(path: str) -> mmap:
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < 8:
            raise FileFormatError(f"{path}: {size} bytes are no safetensors file", hint=DAMAGED)
        return mmap(file.fileno(), 0, MAP_PRIVATE | MAP_NORESERVE, PROT_READ | PROT_WRITE)


def _read_header(path: str, data: mmap) -> tuple[int, dict[str, Any]]:
    """Where the data start, and the header's JSON object."""
    length = int.from_bytes(data[:8], "little")
    if length > LARGEST_HEADER:
        raise FileFormatError(
            f"{path}: a header of {length} bytes; the format allows {LARGEST_HEADER}",
            hint="this may be no safetensors file",
        )
    if length > len(data) - 8:
        raise FileFormatError(
            f"{path}: a header of {length} bytes is longer than the file of {len(data)}", hint=DAMAGED
        )
    return 8 + length, _parse(path, data[8 : 8 + length])


def _parse(path: str, header: bytes) -> dict[str, Any]:
    if not header.startswith(b"{"):
        raise FileFormatError(f"{path}: the header does not begin with {{", hint="this may be no safetensors file")
    try:
        text = header.decode()
        parsed: dict[str, Any] = json.loads(text, object_pairs_hook=_unique, parse_int=_integer)
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path}: byte {error.start} of the header is not UTF-8", hint=DAMAGED) from None
    except _DuplicateError as error:
        raise FileFormatError(f"{path}: the header has {_shown(error.key)} twice", hint=MISWRITTEN) from None
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{path}: the header is not JSON: {error}", hint=DAMAGED) from None
    return parsed


class _DuplicateError(Exception):
    def __init__(self, key: str) -> None:
        self.key = key


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise _DuplicateError(key)
        for text in (key, value):
            if isinstance(text, str):
                text.encode()  # escapes may make half a surrogate pair, which is a ValueError here
        found[key] = value
    return found


def _integer(text: str) -> int | str:
    """JSON's ``-0`` is not a non-negative integer."""
    return text if text == "-0" else int(text)


def _check_metadata(path: str, metadata: object) -> dict[str, str]:
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise FileFormatError(f"{path}: {METADATA} is not a map of strings to strings", hint=MISWRITTEN)
    return metadata


def _check_entry(where: str, entry: object) -> _Entry:
    """An entry that is in itself sound."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise FileFormatError(
            f"{where} is {_shown(entry)}, not an object of dtype, shape and data_offsets", hint=MISWRITTEN
        )
    dtype = _check_dtype(where, entry["dtype"])
    shape = _check_naturals(where, "shape", entry["shape"])
    offsets = _check_naturals(where, "data_offsets", entry["data_offsets"])
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        raise FileFormatError(f"{where}: data_offsets {_shown(offsets)} are not a begin and an end", hint=MISWRITTEN)
    _check_size(where, dtype, shape, offsets[1] - offsets[0])
    return _Entry(dtype, shape, offsets[0], offsets[1])


def _check_dtype(where: str, dtype: object) -> str:
    if dtype in OTHERS:
        raise FileFormatError(
            f"{where}: there are no tensors of {dtype}", hint="convert it to F32 or BF16 where the file is made"
        )
    if not isinstance(dtype, str) or dtype not in NAMES:
        raise FileFormatError(f"{where}: dtype {_shown(dtype)} is unknown", hint=f"known are {', '.join(NAMES)}")
    return NAMES[dtype]


def _check_naturals(where: str, what: str, numbers: object) -> tuple[int, ...]:
    if isinstance(numbers, list) and all(type(n) is int and n >= 0 for n in numbers):
        return tuple(numbers)
    raise FileFormatError(f"{where}: {what} {_shown(numbers)} is not a list of non-negative integers", hint=MISWRITTEN)


def _check_size(where: str, dtype: str, shape: tuple[int, ...], size: int) -> None:
    if len(shape) > MOST_AXES:
        raise FileFormatError(f"{where}: {len(shape)} axes", hint=f"a tensor has at most {MOST_AXES}; reshape it")
    item = np.dtype(FORMATS[dtype]).itemsize
    if prod(max(n, 1) for n in shape) * item > LARGEST_TENSOR:
        raise FileFormatError(f"{where}: shape {_shown(shape)} has more than 2^48 bytes", hint=DAMAGED)
    if prod(shape) * item != size:
        raise FileFormatError(
            f"{where}: {dtype.upper()} of shape {_shown(shape)} takes {prod(shape) * item} bytes, not the {size} "
            "of its data_offsets",
            hint=MISWRITTEN,
        )


def _check_places(path: str, entries: dict[str, _Entry], size: int) -> None:
    """The entries, in order, share out ``size`` bytes of data without overlap or rest."""
    end, before = 0, "the header"
    for name, entry in entries.items():
        here = f"{path}: tensor {_shown(name)}"
        if entry.end > size:
            raise FileFormatError(f"{here} ends at byte {entry.end} of {size} bytes of data", hint=DAMAGED)
        if entry.begin < end:
            raise FileFormatError(f"{here} overlaps {before}", hint=MISWRITTEN)
        if entry.begin > end:
            raise FileFormatError(f"{here}: {entry.begin - end} bytes before it are no tensor's", hint=MISWRITTEN)
        end, before = entry.end, f"tensor {_shown(name)}"
    if end < size:
        raise FileFormatError(f"{path}: the last {size - end} bytes are no tensor's", hint=DAMAGED)


def _named_tensors(tensors: Mapping[str, object]) -> dict[str, Tensor]:
    found = {}
    for key, tensor in _items("tensors", tensors):
        name = _check_text("the name of a tensor", key)
        if name == METADATA:
            raise CallError(f"no tensor can be named {METADATA}", hint="texts are given as metadata=")
        try:
            found[name] = to_tensor(tensor)
        except CallTypeError as error:
            raise CallTypeError(f"tensor {_shown(name)}: {error.message}", hint=error.hint) from None
        if found[name].dtype.code not in FORMATS:
            raise CallTypeError(f"tensor {_shown(name)}: the format has no dtype {found[name].dtype.code}")
        if _has_wrong_bools(cells(found[name])):
            raise CallError(
                f"tensor {_shown(name)}: a bool is neither 0 nor 1", hint="x.view(numpy.uint8) != 0 makes bools"
            )
    return found


def _has_wrong_bools(data: np.ndarray[Any, Any]) -> bool:
    return data.dtype == np.bool_ and int(data.view(np.uint8).max(initial=0)) > 1


def _items(what: str, mapping: object) -> Iterable[tuple[object, object]]:
    if isinstance(mapping, Mapping):
        return mapping.items()
    raise CallTypeError(f"{what} is a mapping, not {type(mapping).__name__}", hint="a dict of name to value is one")


def _check_text(what: str, text: object) -> str:
    if not isinstance(text, str):
        raise CallTypeError(f"{what} is a string, not {type(text).__name__}", hint="str(x) makes one")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CallError(f"{what} is {_shown(text)}, which UTF-8 cannot say") from None
    return text


def _make_header(tensors: Sequence[tuple[str, Tensor]], metadata: Mapping[str, str] | None) -> bytes:
    """Length and JSON, padded with spaces so that the data begin at a multiple of 8 bytes."""
    header: dict[str, object] = {}
    if metadata is not None:
        header[METADATA] = texts = dict(_items("metadata", metadata))
        for text in (*texts.keys(), *texts.values()):
            _check_text("each key and value of metadata", text)
    end = 0
    for name, tensor in tensors:
        begin, end = end, end + tensor.nbytes
        header[name] = {"dtype": tensor.dtype.code.upper(), "shape": tensor.shape, "data_offsets": (begin, end)}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > LARGEST_HEADER:
        raise CallError(f"names and metadata take {len(text)} bytes; the format allows {LARGEST_HEADER}")
    return len(text).to_bytes(8, "little") + text


def _write(file: BinaryIO, header: bytes, tensors: Sequence[Tensor]) -> None:
    """To the disk, so that after a loss of power too the file has all of it, or is the one before."""
    file.write(header)
    for tensor in tensors:
        file.write(np.asarray(cells(tensor), FORMATS[tensor.dtype.code], order="C").data)
    file.flush()
    os.fsync(file.fileno())


def _shown(value: object) -> str:
    """What a header has, in a message: foreign, so perhaps long."""
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
