"""Reads and writes as loads and stores, chosen by how far the address moves from lane to lane.

A step of 0 is one scalar access for all lanes, a step of the element size a vector, anything else a gather or scatter.
Lanes that take no part are masked; what all lanes have in common is a branch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from tilewright.errors import InternalError
from tilewright.ir.index import Index, const, product, symbol, total
from tilewright.ir.loops import Buffer, Kernel, Loop, walk
from tilewright.ir.scalar import CheckedIndex, Param
from tilewright.ir.types import DType
from tilewright.records import dataclass
from tilewright.targets.cpu.code import Function
from tilewright.targets.cpu.emit_index import Guard, Indices
from tilewright.targets.cpu.llvm_types import Value, mangled, memory_type, value_type, vector, zero
from tilewright.targets.target import Numbering

ARGS = {"data": 0, "table": 8, "scalars": 16, "scratch": 24, "status": 32, "counters": 40}
"""Byte offsets in TwArgs."""

INVARIANT = "!invariant.load !0"


@dataclass(frozen=True)
class Dynamic:
    """A data-dependent index and its value (i64); ``check`` says how it is checked, if it is."""

    value: Value
    check: CheckedIndex | None


Place = Union[Index, Dynamic]


@dataclass(frozen=True)
class Address:
    """Where lane l finds its element: at ``pointer`` + l * ``step`` bytes, or at ``pointer`` + ``offsets``[l].

    ``whole``: even lanes that take no part may be touched (private memory, known offsets).
    """

    pointer: str
    step: Index
    offsets: str | None = None
    whole: bool = False

    @property
    def same(self) -> bool:
        """Whether all lanes have one address."""
        return self.offsets is None and self.step.constant == 0


class Memory:
    """The loads and stores of one kernel.

    ``mask``: the lanes that take part now; None: all. ``held``: the checks that the block at hand has made.
    """

    def __init__(self, fn: Function, kernel: Kernel, numbers: Numbering) -> None:
        self.fn = fn
        self.kernel = kernel
        self.numbers = numbers
        self.indices = Indices(fn, self._size, _sizes(numbers, kernel))
        self.mask: str | None = None
        self.held: dict[tuple[CheckedIndex, Value, str | None, str | None], Value] = {}
        self._buffers = {b.name: b for b in kernel.buffers}
        self._bases: dict[str, str] = {}
        self._offsets: dict[tuple[str, tuple[object, ...]], Index] = {}

    @property
    def lanes(self) -> int:
        return self.indices.lanes.count if self.indices.lanes else 1

    # --- what the arguments hold ------------------------------------------------------------

    def _argument(self, name: str) -> str:
        """The pointer in ``TwArgs`` called ``name``."""
        if name not in self._bases:
            at = self.fn.let(f"getelementptr i8, ptr %args, i64 {ARGS[name]}", self.fn.entry)
            self._bases[name] = self.fn.let(f"load ptr, ptr {at}, {INVARIANT}", self.fn.entry)
        return self._bases[name]

    def _cell(self, array: str, number: int, type_: str) -> str:
        """What the 8-byte cell ``number`` of an array of the arguments starts with."""
        base = self._argument(array)
        at = self.fn.let(f"getelementptr i8, ptr {base}, i64 {8 * number}", self.fn.entry)
        return self.fn.let(f"load {type_}, ptr {at}, {INVARIANT}", self.fn.entry)

    def _size(self, name: str) -> str:
        if name in self.numbers.slots:
            return self._cell("table", self.numbers.slots[name], "i64")
        if name in self.numbers.counters:
            return self._cell("counters", self.numbers.counters[name], "i64")
        raise InternalError(f"kernel {self.kernel.name}: nothing defines the symbol {name}")

    def param(self, node: Param) -> Value:
        """A run-time scalar."""
        key = f"param {node.name}"
        if key not in self._bases:
            if node.name not in self.numbers.scalars:
                raise InternalError(f"kernel {self.kernel.name}: the plan has no scalar {node.name}")
            cell = self._cell("scalars", self.numbers.scalars[node.name], memory_type(node.dtype))
            if node.dtype.kind == "bool":
                cell = self.fn.let(f"trunc i8 {cell} to i1", self.fn.entry)
            self._bases[key] = cell
        return Value(self._bases[key])

    def _base(self, buffer: Buffer) -> str:
        key = f"buffer {buffer.name}"
        if key not in self._bases:
            self._bases[key] = self._make_base(buffer)
        return self._bases[key]

    def _make_base(self, buffer: Buffer) -> str:
        if buffer.scope == "register":
            return self.fn.let(f"alloca [{_register_bytes(buffer)} x i8], align 64", self.fn.entry)
        if buffer.scope == "scratch":
            return self.indices.pointer(self._argument("scratch"), symbol(f"offset({buffer.name})"))
        if buffer.name not in self.numbers.data:
            raise InternalError(f"kernel {self.kernel.name}: the plan has no operand {buffer.name}")
        return self._cell("data", self.numbers.data[buffer.name], "ptr")

    # --- addresses --------------------------------------------------------------------------

    def buffer(self, name: str, dtype: DType) -> Buffer:
        """The kernel's buffer ``name``, whose elements must be of ``dtype``."""
        found = self._buffers.get(name)
        if found is None or found.dtype is not dtype:
            raise InternalError(f"kernel {self.kernel.name}: no buffer {name} of {dtype}")
        return found

    def static_offset(self, name: str, indices: tuple[object, ...]) -> Index:
        """The byte offset that the affine ones of ``indices`` make."""
        key = (name, indices)
        if key not in self._offsets:
            pairs = zip(indices, self._buffers[name].strides, strict=True)
            self._offsets[key] = total(i * stride for i, stride in pairs if isinstance(i, Index))
        return self._offsets[key]

    def address(self, buffer: Buffer, static: Index, places: Sequence[Place]) -> Address:
        """The element at ``static`` bytes and the dynamic ones of ``places``."""
        base, step = self._base(buffer), self.indices.step(static)
        if step is None:
            found = Address(base, const(0), self.indices.value(static).text)
        else:
            start = self.indices.first(static)
            whole = buffer.scope == "register" and _inside(buffer, start, step, self.lanes)
            found = Address(self.indices.pointer(base, start), step, None, whole)
        for place, stride in zip(places, buffer.strides, strict=True):
            if isinstance(place, Dynamic):
                found = self._moved(found, place.value, stride)
        return found

    def _moved(self, address: Address, index: Value, stride: Index) -> Address:
        """``address`` plus a data-dependent index times ``stride``."""
        by = self.indices.value(stride)
        bytes_ = self._arithmetic("mul", index, by)
        if bytes_.lanes == 1:
            moved = self.fn.let(f"getelementptr i8, ptr {address.pointer}, i64 {bytes_.text}")
            return Address(moved, address.step, address.offsets)
        if not address.same:
            bytes_ = self._arithmetic("add", Value(self._lane_offsets(address), self.lanes), bytes_)
        return Address(address.pointer, const(0), bytes_.text)

    def _arithmetic(self, op: str, a: Value, b: Value) -> Value:
        lanes = max(a.lanes, b.lanes)
        x, y = (self.fn.widen(v, "i64", lanes) for v in (a, b))
        return Value(self.fn.let(f"{op} {vector('i64', lanes)} {x}, {y}"), lanes)

    def _lane_offsets(self, address: Address) -> str:
        if address.offsets is not None or self.indices.lanes is None:
            return str(address.offsets)
        value = self.indices.value(symbol(self.indices.lanes.var) * address.step)
        return self.fn.widen(value, "i64", self.lanes)

    def _pointers(self, address: Address) -> str:
        """A vector of pointers, one per lane."""
        offsets = self._lane_offsets(address)
        return self.fn.let(f"getelementptr i8, ptr {address.pointer}, {vector('i64', self.lanes)} {offsets}")

    # --- checks -----------------------------------------------------------------------------

    def _both(self, a: str | None, b: str | None, lanes: int) -> str | None:
        """The conjunction of two conditions, where None stands for true."""
        if a is None or b is None:
            return b if a is None else a
        return self.fn.let(f"and {vector('i1', lanes)} {a}, {b}")

    def guarded(self, guard: Guard, places: Sequence[Place]) -> Guard:
        """``guard`` and the lanes that take part and all checks of ``places``; failures are noted."""
        same, own = guard.same, self._both(self.mask, guard.own, self.lanes)
        for place in places:
            if isinstance(place, Dynamic) and place.check is not None:
                key = place.check, place.value, same, own
                holds = self.held[key] = self.held.get(key) or self._checked(*key)
                if holds.lanes == 1:
                    same = self._both(same, holds.text, 1)
                else:
                    own = self._both(own, holds.text, self.lanes)
        return Guard(same, own)

    def _checked(self, check: CheckedIndex, value: Value, same: str | None, own: str | None) -> Value:
        extent, position = self.indices.value(check.extent), self.indices.value(check.position)
        lanes = max(value.lanes, extent.lanes, position.lanes)
        kind, mask = vector("i64", lanes), vector("i1", lanes)
        index, limit, where = (self.fn.widen(v, "i64", lanes) for v in (value, extent, position))
        holds = self.fn.let(f"icmp ult {kind} {index}, {limit}")
        fails = self.fn.let(f"xor {mask} {holds}, {'true' if lanes == 1 else 'splat (i1 true)'}")
        part = own if lanes > 1 else None if own is None else self.fn.any_lane(own, self.lanes)
        failing = str(self._both(part, fails, lanes))
        some = failing if lanes == 1 else self.fn.any_lane(failing, lanes)
        with self.indices.arm(str(self._both(same, some, 1)), likely=False):
            self._note(check.operand, lanes, failing, where, index)
        return Value(holds, lanes)

    def _note(self, operand: str, lanes: int, fails: str, position: str, index: str) -> None:
        """Reports what fails to the status record, lane by lane."""
        at = self.fn.let(f"getelementptr i8, ptr %args, i64 {ARGS['status']}")
        status = self.fn.let(f"load ptr, ptr {at}")
        number = self.numbers.operand(operand)
        if lanes == 1:
            self.fn.do(f"call void @tw.note(ptr {status}, i1 {fails}, i64 {number}, i64 {position}, i64 {index})")
            return
        with self.fn.loop("0", str(lanes), entered=True) as lane:
            kinds = (("i1", fails), ("i64", position), ("i64", index))
            one = [self.fn.let(f"extractelement {vector(t, lanes)} {v}, i64 {lane}") for t, v in kinds]
            self.fn.do(f"call void @tw.note(ptr {status}, i1 {one[0]}, i64 {number}, i64 {one[1]}, i64 {one[2]})")

    # --- loads ------------------------------------------------------------------------------

    def read(self, buffer: Buffer, static: Index, places: Sequence[Place], guard: Guard, fallback: Value) -> Value:
        """The element where ``guard`` holds and all indices are inside, else ``fallback``; nothing is loaded there."""
        active = self.guarded(guard, places)
        address = self.address(buffer, static, places)
        if buffer.scope == "register":
            return self._element(buffer, address, active, fallback)
        key = address, active, fallback, self.mask, self.lanes
        loads = self.fn.known.loads.setdefault(buffer.name, {})
        if key not in loads:
            loads[key] = self._element(buffer, address, active, fallback)
        return loads[key]

    def _element(self, buffer: Buffer, address: Address, active: Guard, fallback: Value) -> Value:
        type_ = value_type(buffer.dtype)
        split = active.own is not self.mask
        lanes = self.lanes if split or not address.same or fallback.lanes > 1 else 1
        same = active.same
        if address.same and split:
            same = self._both(same, self.fn.any_lane(str(active.own), self.lanes), 1)
        otherwise = self.fn.widen(fallback, type_, lanes)
        if same is None:
            return Value(self._load(address, buffer.dtype, active.own, otherwise, lanes), lanes)
        with self.indices.arm(same) as arm:
            loaded = self._load(address, buffer.dtype, active.own, otherwise, lanes)
        return Value(self.fn.merge(arm, vector(type_, lanes), loaded, otherwise), lanes)

    def _load(self, address: Address, dtype: DType, mask: str | None, fallback: str, lanes: int) -> str:
        """``lanes`` elements, with ``fallback`` where ``mask`` is off."""
        kind = vector(value_type(dtype), lanes)
        one_or_vector = address.offsets is None and address.step.constant in (0, dtype.bytes)
        if one_or_vector and (mask is None or address.same or address.whole):
            loaded = self._plain_load(address, dtype, 1 if address.same else lanes)
            if address.same and lanes > 1:
                loaded = self.fn.widen(Value(loaded), value_type(dtype), lanes)
            if mask is None or lanes == 1:
                return loaded
            loaded = self.fn.let(f"freeze {kind} {loaded}")
            return self.fn.let(f"select {vector('i1', lanes)} {mask}, {kind} {loaded}, {kind} {fallback}")
        return self._from_memory(self._masked_load(address, dtype, mask, fallback, lanes), dtype, lanes)

    def _plain_load(self, address: Address, dtype: DType, lanes: int) -> str:
        kind = vector(memory_type(dtype), lanes)
        loaded = self.fn.let(f"load {kind}, ptr {address.pointer}, align {dtype.bytes}")
        return self._from_memory(loaded, dtype, lanes)

    def _masked_load(self, address: Address, dtype: DType, mask: str | None, fallback: str, lanes: int) -> str:
        kind, short = vector(memory_type(dtype), lanes), mangled(memory_type(dtype), lanes)
        on = (vector("i1", lanes), mask or "splat (i1 true)")
        rest = (kind, self._to_memory(fallback, dtype, lanes) if mask else zero(memory_type(dtype), lanes))
        if address.offsets is None and address.step.constant == dtype.bytes:
            pointer = (f"ptr align {dtype.bytes}", address.pointer)
            return self.fn.call(f"masked.load.{short}.p0", kind, [pointer, on, rest])
        pointers = (f"{vector('ptr', lanes)} align {dtype.bytes}", self._pointers(address))
        return self.fn.call(f"masked.gather.{short}.v{lanes}p0", kind, [pointers, on, rest])

    # --- stores -----------------------------------------------------------------------------

    def write(self, buffer: Buffer, static: Index, places: Sequence[Place], value: Value) -> None:
        """Stores ``value`` in the lanes that take part, where all indices are inside."""
        active = self.guarded(Guard(), places)
        address = self.address(buffer, static, places)
        self.fn.known.write(buffer.name)
        lanes = 1 if address.same else self.lanes
        if value.lanes > lanes:
            raise InternalError(f"kernel {self.kernel.name}: lanes write different values to one cell of {buffer.name}")
        text = self.fn.widen(value, value_type(buffer.dtype), lanes)
        if active.same is None:
            self._store(address, buffer.dtype, text, active.own, lanes)
            return
        with self.indices.arm(active.same):
            self._store(address, buffer.dtype, text, active.own, lanes)

    def _store(self, address: Address, dtype: DType, value: str, mask: str | None, lanes: int) -> None:
        in_row = address.offsets is None and address.step.constant == dtype.bytes
        if mask is not None and in_row and address.whole:
            value, mask = self._blended(address, dtype, value, mask, lanes), None
        kind, text = vector(memory_type(dtype), lanes), self._to_memory(value, dtype, lanes)
        if address.same or (in_row and mask is None):
            self.fn.do(f"store {kind} {text}, ptr {address.pointer}, align {dtype.bytes}")
            return
        short, on = mangled(memory_type(dtype), lanes), (vector("i1", lanes), mask or "splat (i1 true)")
        if in_row:
            pointer = (f"ptr align {dtype.bytes}", address.pointer)
            self.fn.call_void(f"masked.store.{short}.p0", [(kind, text), pointer, on])
        else:
            pointers = (f"{vector('ptr', lanes)} align {dtype.bytes}", self._pointers(address))
            self.fn.call_void(f"masked.scatter.{short}.v{lanes}p0", [(kind, text), pointers, on])

    def _blended(self, address: Address, dtype: DType, value: str, mask: str, lanes: int) -> str:
        """``value`` where ``mask`` is on, else what is there: keeps private memory promotable to registers."""
        kind = vector(value_type(dtype), lanes)
        old = self._plain_load(address, dtype, lanes)
        return self.fn.let(f"select {vector('i1', lanes)} {mask}, {kind} {value}, {kind} {old}")

    def _from_memory(self, text: str, dtype: DType, lanes: int) -> str:
        return self._resized("trunc", text, dtype, memory_type(dtype), value_type(dtype), lanes)

    def _to_memory(self, text: str, dtype: DType, lanes: int) -> str:
        return self._resized("zext", text, dtype, value_type(dtype), memory_type(dtype), lanes)

    def _resized(self, how: str, text: str, dtype: DType, source: str, to: str, lanes: int) -> str:
        if source == to:
            return text
        return self.fn.let(f"{how} {vector(source, lanes)} {text} to {vector(to, lanes)}")


def _sizes(numbers: Numbering, kernel: Kernel) -> frozenset[str]:
    """The symbols that are never negative once the checks hold: those from outside, and loop variables."""
    outside = [s for s in (*numbers.slots, *numbers.counters) if not s.startswith("stride(")]
    return frozenset(outside).union(s.var for s, _ in walk(kernel.body) if isinstance(s, Loop))


def _register_bytes(buffer: Buffer) -> int:
    extents = [e.constant for e in (*buffer.shape, *buffer.strides)]
    if None in extents:
        raise InternalError(f"register buffer {buffer.name} has no constant shape")
    return max(1, product(buffer.shape).const) * buffer.dtype.bytes


def _inside(buffer: Buffer, start: Index, step: Index, lanes: int) -> bool:
    """Whether all lanes stay in the buffer, whatever the mask says."""
    if start.constant is None or step.constant is None:
        return False
    ends = (start.const, start.const + step.const * (lanes - 1))
    return min(ends) >= 0 and max(ends) + buffer.dtype.bytes <= _register_bytes(buffer)
