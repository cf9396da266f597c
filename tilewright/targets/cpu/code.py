"""LLVM text in the making: a module, its functions, and their basic blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field

from tilewright.records import dataclass
from tilewright.targets.cpu.llvm_types import Value, splat, vector

Argument = tuple[str, str]
"""A type and a value."""

METADATA = """\
!0 = !{}
!1 = !{!"branch_weights", i32 1, i32 1048576}
attributes #0 = { nounwind }
"""

MODULE = "; module: "
"""Begins the text of a module; what is special about it follows in the same line."""

STRIDED = "loops that multiply by sizes"
"""Of a module in whose loops it pays to make products by addition."""

RUN_ONCE = "runs once per call"
"""Of a module whose code is not worth the time that optimising takes."""


@dataclass(eq=False)
class BasicBlock:
    """Straight-line code; the terminator is kept apart, so that code can be added to a finished block."""

    label: str
    lines: list[str] = field(default_factory=list)
    end: str = ""


class Arm:
    """A conditional piece of a function: the block before it, its first and its last one."""

    def __init__(self, head: BasicBlock, first: BasicBlock) -> None:
        self.head, self.first, self.last = head, first, first


@dataclass
class Module:
    """The finished functions and what they call; ``strided``: whether loops inside of tasks multiply by sizes."""

    header: str
    functions: list[str] = field(default_factory=list)
    declared: dict[str, str] = field(default_factory=dict)
    strided: bool = False

    @property
    def characters(self) -> int:
        """How long the functions are."""
        return sum(map(len, self.functions))

    def text(self, about: str = "") -> str:
        """The whole module; its first line says what is special ``about`` it."""
        about = about or (STRIDED if self.strided else "")
        return "\n".join([MODULE + about, self.header, *self.functions, *self.declared.values(), METADATA])


class Known:
    """What has been computed where the code at hand is: values that stay, and by buffer what was loaded since it was
    last written to.
    """

    def __init__(self) -> None:
        self.values: dict[object, str] = {}
        self.loads: dict[str, dict[object, Value]] = {}
        self.written: set[str] = set()

    def write(self, buffer: str) -> None:
        """The elements of ``buffer`` are no longer what they were."""
        self.loads.pop(buffer, None)
        self.written.add(buffer)

    def inside(self, again: bool) -> Known:
        """What is known at the start of code inside; ``again``: it may have run before, and written anything."""
        made = Known()
        made.values = dict(self.values)
        made.loads = {} if again else {buffer: dict(loads) for buffer, loads in self.loads.items()}
        return made

    def after(self, inside: Known) -> None:
        """Code inside is over."""
        for buffer in inside.written:
            self.write(buffer)


class Function:
    """One function; instructions go to ``current`` unless another block is named."""

    def __init__(self, module: Module, signature: str) -> None:
        self.known = Known()
        self.module = module
        self.signature = signature
        self._count = 0
        self._blocks: list[BasicBlock] = []
        self.entry = self.current = self.start()

    def finish(self) -> None:
        """Hands the text to the module."""
        lines = [f"define {self.signature} {{"]
        for b in self._blocks:
            lines += [f"{b.label}:", *b.lines, f"  {b.end}"]
        self.module.functions.append("\n".join([*lines, "}\n"]))

    # --- instructions -----------------------------------------------------------------------

    def let(self, instruction: str, at: BasicBlock | None = None) -> str:
        """Appends ``instruction``; the name of its result."""
        self._count += 1
        name = f"%v{self._count}"
        (at or self.current).lines.append(f"  {name} = {instruction}")
        return name

    def do(self, instruction: str) -> None:
        self.current.lines.append(f"  {instruction}")

    def call(self, name: str, result: str, arguments: Sequence[Argument], at: BasicBlock | None = None) -> str:
        """A call of the intrinsic ``llvm.name``, declared on the way."""
        return self.let(self._call(name, result, arguments), at)

    def call_void(self, name: str, arguments: Sequence[Argument]) -> None:
        self.do(self._call(name, "void", arguments))

    def _call(self, name: str, result: str, arguments: Sequence[Argument]) -> str:
        types = ", ".join(t.split(" ")[0] if t.startswith("ptr ") else t for t, _ in arguments)
        self.module.declared[name] = f"declare {result} @llvm.{name}({types})"
        return f"call {result} @llvm.{name}({', '.join(f'{t} {v}' for t, v in arguments)})"

    def widen(self, value: Value, type_: str, lanes: int, at: BasicBlock | None = None) -> str:
        """``value`` in every lane."""
        if value.lanes == lanes:
            return value.text
        if not value.text.startswith("%"):
            return splat(type_, value.text)
        key = type_, lanes, value.text
        found = None if at else self.known.values.get(key)
        if found is None:
            wide = vector(type_, lanes)
            first = self.let(f"insertelement {wide} poison, {type_} {value.text}, i64 0", at)
            found = self.let(f"shufflevector {wide} {first}, {wide} poison, <{lanes} x i32> zeroinitializer", at)
            if at is None:
                self.known.values[key] = found
        return found

    def any_lane(self, mask: str, lanes: int, at: BasicBlock | None = None) -> str:
        """Whether any bit of ``mask`` is set, as an i1."""
        bits = self.let(f"bitcast <{lanes} x i1> {mask} to i{lanes}", at)
        return self.let(f"icmp ne i{lanes} {bits}, 0", at)

    # --- control flow -----------------------------------------------------------------------

    def start(self) -> BasicBlock:
        """A new block after all others, now the current one."""
        block = BasicBlock(f"b{len(self._blocks)}")
        self._blocks.append(block)
        self.current = block
        return block

    @contextmanager
    def arm(self, condition: str, likely: bool = True) -> Iterator[Arm]:
        """Code written inside runs where ``condition`` (an i1) holds; afterwards the current block is the join."""
        arm = Arm(self.current, self.start())
        with self._inside(again=False):
            yield arm
        arm.last = self.current
        join = self.start()
        weights = "" if likely else ", !prof !1"
        arm.last.end = f"br label %{join.label}"
        arm.head.end = f"br i1 {condition}, label %{arm.first.label}, label %{join.label}{weights}"

    @contextmanager
    def _inside(self, again: bool) -> Iterator[None]:
        """Code that need not run, or runs several times: what is known in it is not known after it."""
        outside, self.known = self.known, self.known.inside(again)
        yield
        outside.after(self.known)
        self.known = outside

    def merge(self, arm: Arm, type_: str, inside: str, outside: str) -> str:
        """After ``arm``: the value ``inside`` if it ran, else ``outside``."""
        return self.let(f"phi {type_} [ {inside}, %{arm.last.label} ], [ {outside}, %{arm.head.label} ]")

    @contextmanager
    def loop(self, start: str, stop: str, entered: bool) -> Iterator[str]:
        """Code written inside runs for start <= i < stop; gives the name of i. ``entered``: start < stop for sure."""
        head = self.current
        first = "true" if entered else self.let(f"icmp slt i64 {start}, {stop}")
        body = self.start()
        i = self.let("phi")
        with self._inside(again=True):
            yield i
        following = self.let(f"add nuw nsw i64 {i}, 1")
        again = self.let(f"icmp slt i64 {following}, {stop}")
        last, after = self.current, self.start()
        body.lines[0] = f"  {i} = phi i64 [ {start}, %{head.label} ], [ {following}, %{last.label} ]"
        last.end = f"br i1 {again}, label %{body.label}, label %{after.label}"
        head.end = f"br label %{body.label}" if entered else f"br i1 {first}, label %{body.label}, label %{after.label}"
