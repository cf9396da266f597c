"""Functions of tensor IR as callables: what derivatives and traces become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tilewright.compiler.callable import Parameter, raiser
from tilewright.compiler.stages import Compilation, Layout, definition_passes
from tilewright.errors import CallTypeError
from tilewright.ir.tensor import Function
from tilewright.ir.text_tensor import print_function
from tilewright.passes.pipeline import Pipeline
from tilewright.runtime import Op as CoreOp
from tilewright.runtime import Program, to_numpy, to_tensor
from tilewright.targets.target import get_target

Key = tuple[tuple[tuple[str, int, int] | None, ...], tuple[Any, ...]]


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
        parameters: list[Parameter] = [(t.name, "tensor", None, False, None, False) for t in function.inputs]
        parameters += [(s.name, "scalar", s.dtype.name, False, None, True) for s in function.scalars]
        names = [t.name for t in function.inputs]
        form = f"{function.name}({', '.join([*names, *(s.name for s in function.scalars)])})"
        super().__init__(
            function.name, parameters, self._compile, raiser(function.name, names, form), to_tensor, to_numpy
        )

    def text(self) -> str:
        """The function as canonical ``.tw``."""
        return print_function(self.function)

    def compilation(self, layout: Layout) -> Compilation:
        """The road for inputs with these unit axes."""
        return Compilation(self.function, layout, self.target, self.passes(layout))

    def _compile(self, key: Key) -> Program:
        layout = {}
        for t, given in zip(self.function.inputs, key[0], strict=True):
            if given is None or (given[0], given[1]) != (t.dtype.name, len(t.shape)):
                got = "nothing" if given is None else f"{given[0]} with {given[1]} axes"
                wanted = f"{t.dtype} with {len(t.shape)} axes"
                raise CallTypeError(f"{self.function.name}: operand {t.name!r} is {wanted}, got {got}")
            layout[t.name] = given[2]
        return self.compilation(layout).program()
