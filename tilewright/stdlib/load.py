"""``tw.op``, ``tw.load`` and ``tw.family``: ops of a user's own, which may call shipped ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Concatenate, ParamSpec

from tilewright.compiler.op import Op
from tilewright.compiler.sources import load_ops
from tilewright.dsl.text import read_text
from tilewright.errors import UserError
from tilewright.stdlib.ops import definitions

if TYPE_CHECKING:
    from tilewright.compiler.family import Family
    from tilewright.dsl.build import OpBuilder

P = ParamSpec("P")


def op(source: str, *, target: str = "cpu", level: str | None = None) -> Op:
    """The op that ``source`` defines. Its first call for each combination of dtypes and layouts compiles.

    It may call shipped ops. Raises UserError (with place and remedy) for a wrong program, or for a text with more
    than one op.

    >>> import numpy as np, tilewright as tw
    >>> best = tw.op("op best(x: f32[..., C]) -> y: f32[...]:\\n    p = softmax(x)\\n    y[...] = max[c](p[..., c])")
    >>> best(np.zeros((2, 4), np.float32))
    array([0.25, 0.25], dtype=float32)
    """
    ops = load_ops(source, "<op>", target, level, definitions)
    if len(ops) != 1:
        hint = "tw.load(path) takes files with several" if ops else "write op NAME(...) -> ...:"
        raise UserError(f"expected one op, found {len(ops) or 'none'}", hint=hint)
    return next(iter(ops.values()))


def load(path: str | Path, *, target: str = "cpu", level: str | None = None) -> SimpleNamespace:
    """The ops of a ``.tw`` file as attributes; they may call each other and shipped ones.

    Shapes and dtypes are what each op declares. UserError (with place and remedy) for a wrong program, OSError for a
    file that cannot be read.

    >>> import tilewright as tw, tempfile
    >>> with tempfile.NamedTemporaryFile("w", suffix=".tw") as file:
    ...     _ = file.write("op twice(x: f32[N]) -> y: f32[N]:\\n    y[i] = 2 * x[i]\\n")
    ...     file.flush()
    ...     mine = tw.load(file.name)
    >>> mine.twice(tw.ones(2)).tolist()
    [2.0, 2.0]
    """
    return SimpleNamespace(**load_ops(read_text(path), str(path), target, level, definitions))


def family(write: Callable[Concatenate[OpBuilder, P], None]) -> Family[P]:
    """A family of ops: ``write(builder, *key)`` says what the op for a key is, ``family.op(*key)`` is that op.

    For what a text cannot leave open, such as the number of operands. Each op is made once; it may call shipped ops.

    >>> import numpy as np, tilewright as tw
    >>> @tw.family
    ... def add(b: tw.OpBuilder, n: int) -> None:
    ...     b.dtype("T", "number")
    ...     b.result("y", "T[...]")
    ...     b.statement("y[...] = " + " + ".join(b.operand(f"x{k}", "T[...]") + "[...]" for k in range(n)))
    >>> add.op(3)(np.arange(2), np.arange(2), np.arange(2)).tolist()
    [0, 3]
    """
    from tilewright.compiler.family import Family

    return Family(write, definitions)
