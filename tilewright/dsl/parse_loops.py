"""Text to kernels and plans: the inverse of ``ir/text_loops.py``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from lark import Token, Tree

from tilewright.dsl.reading import Node, Reader
from tilewright.errors import InternalError, TilewrightError
from tilewright.ir import index as ix
from tilewright.ir.index import Condition, Index
from tilewright.ir.loops import Block, Buffer, Iter, Kernel, Loop, Stmt, Write
from tilewright.ir.plan import Check, Phase, Plan, Repeat, Step
from tilewright.ir.scalar import (
    OPS,
    Apply,
    CheckedIndex,
    Const,
    Expr,
    IndexValue,
    Param,
    Read,
    apply,
    literal,
)
from tilewright.ir.tensor import ScalarInput, Tensor
from tilewright.ir.types import BOOL, BY_NAME, DType

_GRAMMAR = "loops.lark"
_STARTS = ("plan", "kernel", "index", "condition")
_INFIX = {info.text: name for name, info in OPS.items() if info.text and info.arity == 2}
_PREFIX = {info.text: name for name, info in OPS.items() if info.text and info.arity == 1}
_FUNCTIONS = {name for name, info in OPS.items() if not info.text and info.result != "given"}


def parse_kernel(text: str, name: str = "<string>") -> Kernel:
    """The kernel that ``text`` says. SyntaxUserError if it is none."""
    return _read(text, name, "kernel", lambda names, tree: _KernelBuilder(names, tree).kernel())


def parse_plan(text: str, name: str = "<string>") -> Plan:
    """The plan that ``text`` says. SyntaxUserError if it is none."""
    return _read(text, name, "plan", _plan)


def parse_index(text: str, name: str = "<string>") -> Index:
    """The index that ``text`` says. SyntaxUserError if it is none."""
    return _read(text, name, "index", _Names.index)


def parse_condition(text: str, name: str = "<string>") -> Condition:
    """The condition that ``text`` says. SyntaxUserError if it is none."""
    return _read(text, name, "condition", _Names.condition)


def _read[T](text: str, name: str, start: str, build: Callable[[_Names, Tree[Any]], T]) -> T:
    return build(_Names(Reader(text, name, _GRAMMAR, _STARTS)), Tree("x", []))
