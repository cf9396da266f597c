"""A plan as LLVM modules: its kernels, with the function that notes a failed index, and ``sizes``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tilewright.errors import InternalError
from tilewright.ir.capabilities import Capabilities
from tilewright.ir.plan import Check, Plan, head, tail
from tilewright.targets.cpu.code import RUN_ONCE, Function, Module
from tilewright.targets.cpu.emit_index import Indices
from tilewright.targets.cpu.emit_loops import emit_kernel
from tilewright.targets.cpu.emit_operations import Operations
from tilewright.targets.cpu.llvm_types import Value
from tilewright.targets.target import numbering

MODULE_CHARACTERS = 6000
"""So much text is worth a module of its own, which another thread may compile."""


def emit(plan: Plan, capabilities: Capabilities, target: str, header: str) -> Iterator[str]:
    """The modules of ``plan``, each as soon as it is written.

    ``header`` says layout and triple. UnsupportedError names what ``target`` cannot express.
    """
    yield _sizes(plan, header)
    numbers, left = numbering(plan), list(plan.kernels)
    while left:
        module = Module(header)
        operations = Operations(module, capabilities)
        while left and module.characters < MODULE_CHARACTERS:
            emit_kernel(operations, left.pop(0), numbers, target)
        if any("@tw.note" in f for f in module.functions):
            module.functions.append(_NOTE)
        yield module.text()


def _sizes(plan: Plan, header: str) -> str:
    """Straight-line code: every slot of the tail is computed and stored, then the checks choose the result."""
    module = Module(header)
    fn = Function(module, "i32 @sizes(ptr noalias %head, ptr noalias %tail) #0")
    known: dict[str, str] = {}
    indices = Indices(fn, _slots(fn, head(plan), known), _dims(plan))
    for n, (name, value) in enumerate(tail(plan)):
        known[name] = indices.scalar(value)
        at = fn.let(f"getelementptr i8, ptr %tail, i64 {8 * n}")
        fn.do(f"store i64 {known[name]}, ptr {at}")
    fn.current.end = f"ret i32 {_first_failure(fn, indices, plan.checks)}"
    fn.finish()
    return module.text(RUN_ONCE)


def _slots(fn: Function, names: list[str], known: dict[str, str]) -> Callable[[str], str]:
    numbers = {name: n for n, name in enumerate(names)}

    def load(name: str) -> str:
        if name in known:
            return known[name]
        if name not in numbers:
            raise InternalError(f"sizes: nothing defines the symbol {name}")
        at = fn.let(f"getelementptr i8, ptr %head, i64 {8 * numbers[name]}")
        return fn.let(f"load i64, ptr {at}")

    return load


def _dims(plan: Plan) -> frozenset[str]:
    """The slots that are never negative: dims."""
    return frozenset(name for name in head(plan) if name.startswith("dim("))


def _first_failure(fn: Function, indices: Indices, checks: tuple[Check, ...]) -> str:
    result = "0"
    for n in range(len(checks), 0, -1):
        holds = indices.holds(checks[n - 1].condition)
        if isinstance(holds, Value):
            result = fn.let(f"select i1 {holds.text}, i32 {result}, i32 {n}")
        elif not holds:
            result = str(n)
    return result


# The status record is (lock, code, operand, position, value); the lowest (operand, position) stays.
_NOTE = """\
define internal void @tw.note(ptr %status, i1 %fails, i64 %operand, i64 %position, i64 %value) cold noinline nounwind {
start:
  br i1 %fails, label %acquire, label %done
acquire:
  %taken = cmpxchg ptr %status, i64 0, i64 1 acquire monotonic
  %free = extractvalue { i64, i1 } %taken, 1
  br i1 %free, label %compare, label %acquire
compare:
  %code.at = getelementptr i8, ptr %status, i64 8
  %operand.at = getelementptr i8, ptr %status, i64 16
  %position.at = getelementptr i8, ptr %status, i64 24
  %value.at = getelementptr i8, ptr %status, i64 32
  %code = load i64, ptr %code.at
  %old.operand = load i64, ptr %operand.at
  %old.position = load i64, ptr %position.at
  %none = icmp eq i64 %code, 0
  %before = icmp slt i64 %operand, %old.operand
  %same = icmp eq i64 %operand, %old.operand
  %earlier = icmp slt i64 %position, %old.position
  %first = and i1 %same, %earlier
  %lower = or i1 %before, %first
  %wins = or i1 %none, %lower
  br i1 %wins, label %store, label %release
store:
  store i64 1, ptr %code.at
  store i64 %operand, ptr %operand.at
  store i64 %position, ptr %position.at
  store i64 %value, ptr %value.at
  br label %release
release:
  store atomic i64 0, ptr %status release, align 8
  br label %done
done:
  ret void
}
"""
