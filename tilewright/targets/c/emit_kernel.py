"""A kernel of loop IR as a C function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tilewright.errors import InternalError, UnsupportedError
from tilewright.ir.index import Index
from tilewright.ir.loops import Block, Buffer, Iter, Kernel, Loop, Stmt, Write
from tilewright.ir.scalar import Expr, Param
from tilewright.ir.types import DType
from tilewright.records import dataclass
from tilewright.targets.c.emit_index import Scope, conjunction, index_text, operand_text
from tilewright.targets.c.emit_scalar import Scalars, c_type
from tilewright.targets.c.names import Names
from tilewright.targets.c.writer import Writer
from tilewright.targets.target import Numbering


def emit_kernel(kernel: Kernel, numbers: Numbering, name: str) -> str:
    """The definition of the function ``name`` for ``kernel``."""
    function = _Function(kernel, numbers)
    body = function.body()
    head = f"void {name}(const TwArgs *args, int64_t lo, int64_t hi, int64_t tid)"
    return "\n".join([head, "{", "    (void)tid;", *function.declarations, *body, "}"]) + "\n"


def parameter_text(dtype: DType, cell: str) -> str:
    """A run-time scalar out of its 8-byte cell, which holds its bytes at the little end."""
    unsigned = f"uint{dtype.bits}_t"
    if dtype.kind == "bool":
        return f"(uint8_t){cell} != 0"
    if dtype.kind == "float" and dtype.bits > 16:
        return f"tw_bits_{dtype}(({unsigned}){cell})"
    return f"({c_type(dtype)})({unsigned}){cell}"


class _Function:
    """What a kernel's statements need to know: names of its symbols, buffers and scalars.

    ``declarations`` grows as they are used: they are the first lines of the function.
    """

    def __init__(self, kernel: Kernel, numbers: Numbering) -> None:
        self.kernel, self.numbers = kernel, numbers
        self.names = Names()
        self.declarations: list[str] = []
        self._buffers = {b.name: b for b in kernel.buffers}
        hints = (*self._buffers, *numbers.scalars, *numbers.slots, *numbers.counters)
        self._names = {hint: self.names.fresh(hint) for hint in dict.fromkeys(hints)}
        self._declared: set[str] = set()

    # --- what comes from the arguments ------------------------------------------------------

    def _declare(self, key: str, type_: str, text: str) -> str:
        if key not in self._declared:
            self._declared.add(key)
            self.declarations.append(f"    {type_}{self._names[key]} = {text};")
        return self._names[key]

    def symbol(self, name: str) -> str:
        """A slot of the size table or a counter."""
        for array, slots in (("table", self.numbers.slots), ("counters", self.numbers.counters)):
            if name in slots:
                return self._declare(name, "const int64_t ", f"args->{array}[{slots[name]}]")
        raise InternalError(f"kernel {self.kernel.name}: nothing defines the symbol {name}")

    def parameter(self, node: Param) -> str:
        number = _number(self.numbers.scalars, node.name, "scalar", self.kernel)
        text = parameter_text(node.dtype, f"args->scalars[{number}]")
        return self._declare(node.name, f"const {c_type(node.dtype)} ", text)

    def operand(self, name: str) -> int:
        return _number(self.numbers.data, name, "operand", self.kernel)

    def _base(self, b: Buffer) -> str:
        if b.scope == "scratch":
            text = f"args->scratch + {self.symbol(f'offset({b.name})')}"
        else:
            text = f"args->data[{self.operand(b.name)}]"
        return self._declare(b.name, "char *const ", text)

    # --- elements ---------------------------------------------------------------------------

    def element(self, buffer: str, dtype: DType, indices: Sequence[str]) -> str:
        b = self._buffers.get(buffer)
        if b is None or b.dtype is not dtype or len(indices) != len(b.strides):
            raise InternalError(f"kernel {self.kernel.name}: no buffer {buffer} of {dtype} and rank {len(indices)}")
        if b.scope == "register":
            return f"{self._names[buffer]}[{_sum(indices, _in_elements(b), self.symbol)}]"
        offset = _sum(indices, b.strides, self.symbol)
        place = self._base(b) if offset == "0" else f"({self._base(b)} + {offset})"
        return f"*({c_type(dtype)} *){place}"

    # --- statements -------------------------------------------------------------------------

    def body(self) -> list[str]:
        """The lines of the task loop."""
        stmts, var, out = self.kernel.body, None, Writer(1)
        parallel = next((s for s in stmts if isinstance(s, Loop) and s.kind == "parallel"), None)
        if parallel is not None:
            if len(stmts) > 1:
                raise InternalError(f"kernel {self.kernel.name} has statements beside its parallel loop")
            stmts, var = parallel.body, parallel.var
        task = self.names.fresh(var or "task")
        with out.block(f"for (int64_t {task} = lo; {task} < hi; ++{task})"):
            if var is None:
                out.line(f"(void){task};")
            for b in self.kernel.buffers:
                if b.scope == "register":
                    out.line(f"{c_type(b.dtype)} {self._names[b.name]}[{_elements(b)}];")
            _Scope(self, out, {} if var is None else {var: task}, self.names).stmts(stmts)
        return out.lines


def _number(numbers: Mapping[str, int], name: str, what: str, kernel: Kernel) -> int:
    if name not in numbers:
        raise InternalError(f"kernel {kernel.name}: the plan has no {what} {name}")
    return numbers[name]


def _sum(indices: Sequence[str], strides: Sequence[Index], scope: Scope) -> str:
    """The offset ``indices . strides`` as C."""
    terms = []
    for i, stride in zip(indices, strides, strict=True):
        if i == "0" or stride.constant == 0:
            continue
        factor = i if i.isidentifier() or i.isdigit() else f"({i})"
        terms.append(factor if stride.constant == 1 else f"{factor} * {operand_text(stride, scope)}")
    return " + ".join(terms) or "0"


def _in_elements(b: Buffer) -> list[Index]:
    """The strides of a register buffer, counted in elements."""
    strides = [s // b.dtype.bytes for s in b.strides]
    if any(s.constant is None or n * b.dtype.bytes != s for s, n in zip(b.strides, strides, strict=True)):
        raise InternalError(f"the register buffer {b.name} has strides {b.strides}")
    return strides


def _elements(b: Buffer) -> int:
    """How long the array of a register buffer is."""
    reach = 1
    for extent, stride in zip(b.shape, _in_elements(b), strict=True):
        if extent.constant is None or stride.const < 0:
            raise InternalError(f"the register buffer {b.name} has shape {b.shape} and strides {b.strides}")
        reach += (extent.const - 1) * stride.const
    return reach


@dataclass(frozen=True)
class _Scope:
    """Statements under some loops: ``bound`` gives the C text of the variables bound so far."""

    function: _Function
    out: Writer
    bound: Mapping[str, str]
    names: Names

    def text(self, name: str) -> str:
        """A symbol: a variable bound around here, else of the kernel."""
        return self.bound[name] if name in self.bound else self.function.symbol(name)

    def stmts(self, stmts: Sequence[Stmt]) -> None:
        for s in stmts:
            if isinstance(s, Loop) and s.kind in ("serial", "parallel", "vectorized", "unrolled"):
                self._loop(s)
            elif isinstance(s, Block):
                self._block(s, alone=len(stmts) == 1)
            else:
                raise UnsupportedError(f"the c target has no {getattr(s, 'kind', type(s).__name__)} statement here")

    def _loop(self, s: Loop) -> None:
        inner = Names(self.names)
        var = inner.fresh(s.var)
        if s.kind == "unrolled":
            self.out.line(f"#pragma GCC unroll {s.extent}")
        with self.out.block(f"for (int64_t {var} = 0; {var} < {index_text(s.extent, self.text)}; ++{var})"):
            _Scope(self.function, self.out, {**self.bound, s.var: var}, inner).stmts(s.body)

    def _block(self, s: Block, alone: bool) -> None:
        if len(s.iters) != len(s.bindings) or len(s.writes) != len(s.values) or len(s.init) not in (0, len(s.writes)):
            raise InternalError(f"the block {s.name} has parts that do not match")
        self.out.line(f"/* {s.name} */")
        if s.predicate:
            with self.out.block(f"if ({conjunction(s.predicate, self.text)})"):
                self._instance(s)
        elif alone:
            self._instance(s)
        else:
            with self.out.block(""):
                self._instance(s)

    def _instance(self, s: Block) -> None:
        inner = _Scope(self.function, self.out, {}, Names(self.names))
        pairs = zip(s.iters, s.bindings, strict=True)
        bound = {it.name: inner.bind(it, index_text(binding, self.text)) for it, binding in pairs}
        inner = replace(inner, bound=bound)
        if s.init:
            first = [f"{bound[it.name]} == 0" for it in s.iters if it.kind == "reduce"]
            with self.out.block(f"if ({' && '.join(first)})" if first else ""):
                inner._store(s.writes, s.init)
        inner._store(s.writes, s.values)

    def bind(self, it: Iter, text: str) -> str:
        """The C text of an iteration variable: a name or number it is equal to, or a constant of its own."""
        if text.isidentifier() or text.isdigit():
            return text
        name = self.names.fresh(it.name)
        self.out.line(f"const int64_t {name} = {text};")
        return name

    def _store(self, writes: Sequence[Write], values: Sequence[Expr]) -> None:
        """Evaluates all values and places, then writes."""
        scalars = Scalars(self.function, self.text, Names(self.names), self.out)
        texts = [scalars.value(v) for v in values]
        stores = []
        for w, v, text in zip(writes, values, texts, strict=True):
            checks = scalars.checks(w.indices)
            place = self.function.element(w.buffer, v.dtype, scalars.places(w.indices))
            stores.append((checks, f"{place} = {text};"))
        for checks, store in stores:
            if checks:
                self.out.line(f"if ({' && '.join(checks)})")
            self.out.line(f"    {store}" if checks else store)
