"""DLPack capsules made and read by ctypes: another library that counts when its memory is given back."""

from __future__ import annotations

import ctypes
from ctypes import (
    POINTER,
    Structure,
    c_char_p,
    c_int,
    c_int32,
    c_int64,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

import numpy as np

Deleter = ctypes.CFUNCTYPE(None, c_void_p)  # called without the GIL


class Array(Structure):
    _fields_ = [
        ("data", c_void_p), ("device_type", c_int32), ("device_id", c_int32), ("ndim", c_int32), ("code", c_uint8),
        ("bits", c_uint8), ("lanes", c_uint16), ("shape", POINTER(c_int64)), ("strides", POINTER(c_int64)),
        ("byte_offset", c_uint64),
    ]  # fmt: skip


class Legacy(Structure):
    _fields_ = [("array", Array), ("context", c_void_p), ("deleter", Deleter)]


class Versioned(Structure):
    _fields_ = [
        ("major", c_uint32), ("minor", c_uint32), ("context", c_void_p), ("deleter", Deleter), ("flags", c_uint64),
        ("array", Array),
    ]  # fmt: skip


def _function(name: str, result: Any, *arguments: Any) -> Any:
    return ctypes.PYFUNCTYPE(result, *arguments)((name, ctypes.pythonapi))


Destructor = ctypes.PYFUNCTYPE(None, c_void_p)
_new = _function("PyCapsule_New", ctypes.py_object, c_void_p, c_char_p, Destructor)
_is_valid = _function("PyCapsule_IsValid", c_int, c_void_p, c_char_p)
_name = _function("PyCapsule_GetName", c_char_p, ctypes.py_object)
_pointer = _function("PyCapsule_GetPointer", c_void_p, ctypes.py_object, c_char_p)
_rename = _function("PyCapsule_SetName", c_int, ctypes.py_object, c_char_p)
_USED = {b"dltensor": b"used_dltensor", b"dltensor_versioned": b"used_dltensor_versioned"}


def name_of(capsule: object) -> str:
    return str(_name(capsule).decode())


def read(capsule: object) -> Legacy | Versioned:
    """What a capsule points to; valid while the capsule is there and unconsumed."""
    kind = Versioned if name_of(capsule).endswith("_versioned") else Legacy
    return kind.from_address(_pointer(capsule, _name(capsule)))


def take(capsule: object) -> Legacy | Versioned:
    """Consumes a capsule: who takes it calls the deleter."""
    managed = read(capsule)
    _rename(capsule, _USED[_name(capsule)])
    return managed


def let_go(managed: Legacy | Versioned) -> None:
    managed.deleter(ctypes.addressof(managed))


class Producer:
    """Four numbers 0 to 3 in f32 of another library; keywords change fields of what its capsules say of them.

    ``freed`` counts the calls of the deleter.
    """

    def __init__(self, legacy: bool = False, name: str = "", deleter: bool = True, **fields: Any) -> None:
        self.numbers, self.freed, self.made = np.arange(4, dtype=np.float32), 0, 0
        self._fields, self._kind = fields, Legacy if legacy else Versioned
        self.name = (name or ("dltensor" if legacy else "dltensor_versioned")).encode()
        self._deleter = Deleter(self._free) if deleter else Deleter()
        self._destructor = Destructor(self._unconsumed)
        self._kept: list[Any] = []

    def _free(self, address: int) -> None:
        self.freed += 1

    def _unconsumed(self, capsule: int) -> None:
        if _is_valid(capsule, self.name):
            self.freed += 1

    def _managed(self) -> Legacy | Versioned:
        changed = {
            "data": self.numbers.ctypes.data, "device_type": 1, "ndim": 1, "code": 2, "bits": 32, "lanes": 1,
            "shape": (4,), "strides": (1,), "major": 1, "deleter": self._deleter,
        } | self._fields  # fmt: skip
        managed = self._kind()
        for field, value in changed.items():
            if isinstance(value, tuple):
                value = (c_int64 * len(value))(*value)
            for place in (managed, managed.array):
                if field in dict(place._fields_):
                    setattr(place, field, value)
            self._kept.append(value)
        return managed

    def __dlpack__(self, **keywords: Any) -> object:
        if self._kind is Legacy and keywords:
            raise TypeError("an older library takes no keywords")
        managed = self._managed()
        self._kept.append(managed)
        self.made += 1
        return _new(ctypes.addressof(managed), self.name, self._destructor)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)
