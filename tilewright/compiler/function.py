"""Functions of tensor IR as callables: what derivatives and traces become."""

from __future__ import annotations

from _blake2 import blake2b
from collections.abc import Callable, Mapping
from typing import Any

from tilewright.compiler import cache, driver
from tilewright.compiler.bundle import Case
from tilewright.compiler.callable import raiser
from tilewright.compiler.mode import mode
from tilewright.compiler.request import OperandClass
from tilewright.compiler.stages import Compilation, Job, Layout, definition_passes
from tilewright.dsl.axes import Axes
from tilewright.dsl.header import Parameter
from tilewright.errors import CallTypeError
from tilewright.ir.tensor import Function
from tilewright.ir.text_tensor import print_function
from tilewright.passes.pipeline import Pipeline
from tilewright.runtime import Op as CoreOp
from tilewright.runtime import Program, to_numpy, to_tensor
from tilewright.targets.target import get_target

Key = tuple[Any, ...]


class FunctionOp(CoreOp):
    """A callable of the inputs and run-time scalars of ``function``, compiled once per layout.

    It takes exactly the dtypes and ranks of the function's inputs. ``passes`` gives the tensor passes for a layout.
    """

    def __init__(
        self,
        function: Function,
        passes: Callable[[Layout], Pipeline] = definition_passes,
        target: str = "cpu",
        level: str | None = None,
    ) -> None:
        self.function = function
        self.passes = passes
        self.target = get_target(target, level)
        names = [t.name for t in function.inputs]
        form = f"{function.name}({', '.join([*names, *(s.name for s in function.scalars)])})"
        on_error = raiser(function.name, names, form, self._case)
        core = function.name, self.parameters(), self._compile, on_error, to_tensor, to_numpy
        super().__init__(*core, None, _axes(function))

    def parameters(self) -> list[Parameter]:
        """The parameters as the core binds them: operands, then run-time scalars by keyword."""
        operands: list[Parameter] = [(t.name, "tensor", None, False, None, False) for t in self.function.inputs]
        return operands + [(s.name, "scalar", s.dtype.name, False, None, True) for s in self.function.scalars]

    def text(self) -> str:
        """The function as canonical ``.tw``."""
        return print_function(self.function)

    def compilation(self, layout: Layout) -> Compilation:
        """The road for inputs with these unit axes."""
        return self._job(layout).compilation()

    def _job(self, layout: Layout) -> Job:
        return Job(self.function, layout, self.passes, self.target)

    def _case(self) -> Case:
        return driver.case_of(self._job({t.name: len(t.shape) - 1 for t in self.function.inputs}), mode())

    def meaning(self, operands: Mapping[str, OperandClass], attributes: Mapping[str, Any]) -> Function:
        """The function, its FMA and orders fixed, that a call with these operands runs. There are no attributes."""
        job = self._checked_job(operands)
        with driver.reported(job, mode()):
            return job.compilation().tensor

    def noted(self, key: Key) -> Function:
        """The function, its FMA and orders fixed, that a call with this key runs."""
        given = map(OperandClass.read, key[0])
        return self.meaning({t.name: c for t, c in zip(self.function.inputs, given, strict=True) if c is not None}, {})

    def _checked_job(self, operands: Mapping[str, OperandClass]) -> Job:
        for t in self.function.inputs:
            given = operands[t.name]
            if (given.dtype, given.rank) != (t.dtype, len(t.shape)):
                wanted, got = f"{t.dtype} of rank {len(t.shape)}", f"{given.dtype} of rank {given.rank}"
                raise CallTypeError(
                    f"{self.function.name}: operand {t.name!r} must be {wanted}, not {got}",
                    hint="other dtypes and ranks need a function of their own",
                )
        return self._job({name: given.unit_axis for name, given in operands.items()})

    def _compile(self, key: Key) -> Program:
        given = [found for found in map(OperandClass.read, key[0]) if found is not None]
        names = (t.name for t in self.function.inputs)
        job = self._checked_job(dict(zip(names, given, strict=True)))
        strided = zip(self.function.outputs, map(OperandClass.read, key[2] if len(key) > 2 else ()), strict=False)
        job = self._job({**job.layout, **{name: c.unit_axis for name, c in strided if c is not None}})
        entry, plain = self.entry(key), mode() == "off"
        found = cache.find(entry) if plain else None
        if found is not None:
            return found
        with driver.reported(job, mode()):
            made = driver.compiled(job, mode())
        if plain:
            cache.keep(entry, made)
        return made.program()

    def entry(self, key: Key) -> cache.Entry:
        """What the cache on disk calls the code of a call with this key: it is known by its text and its passes."""
        layout = {t.name: -1 for t in self.function.inputs}
        said = f"{self.text()}\0{self.passes(layout)}".encode()
        identity = blake2b(said, digest_size=20).hexdigest()
        return cache.Entry(self.function.name, identity, (), key, self.target.name, self.target.level)


def _axes(function: Function) -> Axes:
    """Each axis is one of its own."""
    outputs = [function.tensor(o) for o in function.outputs]
    patterns = [tuple((None,) * len(t.shape) for t in tensors) for tensors in (function.inputs, outputs)]
    return patterns[0], patterns[1], (), False, (False,) * len(function.inputs)
