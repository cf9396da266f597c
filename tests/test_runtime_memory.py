"""Tensors and the memory and references that they and the ops hold."""

from __future__ import annotations

import gc
import os
import sys
import weakref
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from runtime_probe import BASE, Maker, Refused, operand

from tilewright.errors import CallTypeError
from tilewright.runtime import Op, Tensor, dtypes, to_numpy, to_tensor


@pytest.fixture
def make() -> Maker:
    return Maker()


def test_references_are_returned(make: Maker) -> None:
    op, array = make.add(), np.array([1, 2], np.float32)
    tensor, wrong = to_tensor(array), np.zeros(3, np.float32)
    op(tensor, tensor)

    def counts() -> list[int]:
        return [sys.getrefcount(each) for each in (op, array, tensor, wrong, None, Tensor)]

    before = counts()
    for _ in range(100):
        op(tensor, array), op(array, b=array)
        for second in (wrong, "text", None):
            with pytest.raises(Refused):
                op(tensor, second)
        with pytest.raises(Refused):
            op(tensor)
    del second
    gc.collect()
    assert counts()[:4] == before[:4]
    assert counts()[4] - before[4] < 100 and counts()[5] - before[5] < 5


def test_memory_does_not_grow(make: Maker) -> None:
    op, rows = make.copy(), np.zeros((100, 100), np.int32)
    tensor = to_tensor(rows)

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def many() -> None:
        for _ in range(3000):
            op(tensor), op(rows), op(rows.T)
            with pytest.raises(Refused):
                op(None)

    many()
    before = resident()
    many()
    assert resident() - before < 4 << 20


def test_what_an_op_holds_is_freed(make: Maker) -> None:
    class Held:
        pass

    class Sub(Op):
        self_reference: Any

    held = [Held()]
    gone = weakref.ref(held[0])
    op = make.op([operand("x")], lambda key: make.program("where", 2, 3, [], 3, [], keepalive=held.pop()), Sub)
    op(np.zeros(1))
    op.self_reference = op  # type: ignore[attr-defined]
    gc.collect()
    assert gone() is not None
    del op
    gc.collect()
    assert gone() is None


def test_borrowed_memory_is_let_go() -> None:
    memory = bytearray(16)
    tensor = Tensor.from_buffer(memory)
    with pytest.raises(BufferError):
        memory.append(0)
    view = np.asarray(tensor)
    del tensor
    with pytest.raises(BufferError):
        memory.append(0)
    del view
    memory.append(0)


def test_a_subclass_is_called_alike(make: Maker) -> None:
    class Named(Op):
        pass

    op, a = make.add(Named), np.array([1, 2], np.float32)
    assert op.name == op.__name__ == "probe"
    np.testing.assert_array_equal(op(a, b=a), [2, 4])
    np.testing.assert_array_equal(op(*(a, a)), [2, 4])


# Arrays, which calls read and make by NumPy's C API

ONE = {"b": "i8", "h": "i16", "i": "i32", "l": "i64", "q": "i64", "B": "u8", "H": "u16", "I": "u32", "L": "u64"}
ONE |= {"Q": "u64", "?": "bool", "e": "f16", "f": "f32", "d": "f64"}


@pytest.mark.parametrize("code", ONE)
def test_every_type_of_numpy(make: Maker, code: str) -> None:
    """A call sees of an array what the buffer protocol tells, and gives arrays of the types NumPy itself would."""
    array = np.arange(6).reshape(2, 3).astype(code)
    size = array.itemsize
    op = make.op([operand("x")], lambda key: make.program("where", 4, 3, [(key[0][0][0], [0, 1])], 5, []))
    result = op(array[:, ::-1])
    assert make.keys == [(((ONE[code], 2, -1, 0),), ())]
    assert ONE[code] == Tensor.from_buffer(array).dtype.code
    assert type(result) is np.ndarray and result.dtype == array.dtype and result.shape == (2, 3)
    assert result.dtype.num == np.dtype(f"{array.dtype.kind}{size}").num
    assert result.strides == (3 * size, size) and result.ctypes.data % 64 == 0
    assert result.flags.writeable and result.flags.aligned and not result.flags.owndata
    assert isinstance(result.base, Tensor) and result.base.data_ptr() == result.ctypes.data


def test_what_a_call_sees_of_an_array(make: Maker) -> None:
    """Its memory, read-only where the array is; aligned, in a copy if need be."""
    op = make.add()

    def seen(array: Any) -> Tensor:
        with pytest.raises(Refused) as refused:
            op(array, np.zeros(99, np.float32))
        kind, (_, operands) = refused.value.args
        assert kind == "check" and operands[0].shape == array.shape
        np.testing.assert_array_equal(np.asarray(operands[0]), array)
        return operands[0]  # type: ignore[no-any-return]

    array = np.arange(4, dtype=np.float32)
    assert seen(array).data_ptr() == array.ctypes.data and np.asarray(seen(array)).flags.writeable
    assert seen(array[::-2]).strides == (-8,) and seen(array[::-2]).data_ptr() == array[::-2].ctypes.data
    array.flags.writeable = False
    assert seen(array).data_ptr() == array.ctypes.data and not np.asarray(seen(array)).flags.writeable
    shifted = np.frombuffer(b"\0" + array.tobytes(), np.uint8)[1:].view(np.float32)
    assert shifted.ctypes.data % 4 and seen(shifted).data_ptr() % 4 == 0


def test_a_result_keeps_its_memory(make: Maker) -> None:
    rows = make.copy()(BASE)[2:4]
    for _ in range(3):
        make.copy()(BASE * 0)
    np.testing.assert_array_equal(rows, BASE[2:4])


@pytest.mark.parametrize("dtype", ["complex64", "M8[s]", "m8[s]", "O", "S8", "longdouble", "f4,f4"])
def test_arrays_of_other_types_are_refused(make: Maker, dtype: str) -> None:
    with pytest.raises(Refused, match="no tensor"):
        make.copy()(np.zeros(2, dtype))


def test_subclasses_and_many_axes(make: Maker) -> None:
    op = make.op([operand("x")], lambda key: make.program("where", 2 * key[0][0][1], 3, [], 0, []))
    for array in (np.ma.masked_array(BASE), BASE.view(np.recarray)):
        np.testing.assert_array_equal(make.copy()(array), BASE)
    op(np.zeros((1,) * 32))
    with pytest.raises(Refused, match="at most 32 axes"):
        op(np.zeros((1,) * 33))
    with pytest.raises(Refused, match=f"at most {1 << 48} bytes"):
        op(np.broadcast_to(np.zeros(1), (1 << 24, 1 << 24)))


# Tensors

TYPES = "?bhilBHILefd"
NAMES = ["bool", "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f16", "f32", "f64"]


@pytest.mark.parametrize(("code", "name"), list(zip(TYPES, NAMES, strict=True)))
def test_tensors_and_arrays(code: str, name: str) -> None:
    array = np.arange(6).reshape(2, 3).astype(code)[:, ::-1]
    tensor = Tensor.from_buffer(array)
    assert (tensor.dtype.code, tensor.shape, tensor.strides) == (name, (2, 3), array.strides)
    assert (tensor.nbytes, tensor.data_ptr()) == (array.nbytes, array.ctypes.data)
    for view in (to_numpy(tensor), np.asarray(tensor)):
        assert view.dtype == array.dtype and view.ctypes.data == array.ctypes.data
        np.testing.assert_array_equal(view, array)
    interface = dict(array.__array_interface__)
    del interface["descr"]
    assert tensor.__array_interface__ == interface


def test_bits_of_other_types() -> None:
    bits = np.array([0x3F80, 0x4000], np.uint16)
    tensor = Tensor.from_buffer(bits, "bf16")
    assert tensor.dtype is dtypes.bfloat16 and np.asarray(tensor).dtype == ml_dtypes.bfloat16
    assert to_numpy(tensor).dtype == ml_dtypes.bfloat16 and to_numpy(tensor).tolist() == [1, 2]
    assert to_tensor(to_numpy(tensor)).data_ptr() == bits.ctypes.data
    field = Tensor.from_buffer(np.zeros(3, np.uint64), "field")
    assert field.dtype is dtypes.field and np.asarray(field).dtype == np.uint64
    with pytest.raises(TypeError, match="a buffer of 2-byte elements cannot be read as f32"):
        Tensor.from_buffer(bits, "f32")
    with pytest.raises(TypeError, match="unknown dtype 'f8'"):
        Tensor.from_buffer(bits, "f8")


def test_bfloat16_arrays_go_through_an_op(make: Maker) -> None:
    array = np.ones((3, 2), ml_dtypes.bfloat16)
    op = make.op([operand("x")], lambda key: make.program("copy", 4, 5, [("bf16", [4, 5])], 6, []))
    result = op(array)
    assert result.dtype == ml_dtypes.bfloat16 and result.shape == (3, 2)
    assert make.keys == [((("bf16", 2, 1, 0),), ())]


def test_foreign_and_misaligned_arrays_are_copied(make: Maker) -> None:
    swapped = BASE.astype(">i4")
    shifted = np.frombuffer(b"\0" + BASE.tobytes(), np.uint8)[1:].view(np.int32).reshape(BASE.shape)
    assert not shifted.flags.aligned
    apart = np.zeros(4, [("a", np.int8), ("b", np.int32)])["b"]
    for array, why in (
        (swapped, "no element type for the buffer format '>i'"),
        (shifted, "not aligned"),
        (apart, "not aligned"),
    ):
        with pytest.raises(TypeError, match=why):
            Tensor.from_buffer(array)
        np.testing.assert_array_equal(np.asarray(to_tensor(array)), array)
    np.testing.assert_array_equal(make.copy()(swapped), BASE)
    np.testing.assert_array_equal(make.copy()(shifted), BASE)


def test_to_tensor_refuses_what_is_no_array() -> None:
    tensor = to_tensor(BASE)
    assert to_tensor(tensor) is tensor
    for wrong in (1, [1.0, 2.0], "text", None):
        with pytest.raises(CallTypeError, match=f"an array is needed, not {type(wrong).__name__}"):
            to_tensor(wrong)


def test_buffers_of_a_tensor() -> None:
    tensor = to_tensor(BASE)
    assert bytes(memoryview(tensor)) == BASE.tobytes()
    assert np.array_equal(np.array(memoryview(tensor).tolist()), BASE)
    with pytest.raises(TypeError, match="cannot create"):
        Tensor()
