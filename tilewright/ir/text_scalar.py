"""The text of names, indices, conditions and scalar expressions of loop IR.

Scalar text is a list of definitions ``%0 = ...`` and expressions over them: a node that is used more than once, or
whose text gets long, is defined once. Infix operations inside others stand in parentheses, and a literal says its
dtype (``1.5:f32``), so that nothing has to be inferred but the result dtypes of operations.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from tilewright.errors import InternalError
from tilewright.ir import index as ix
from tilewright.ir.index import Condition, Index
from tilewright.ir.scalar import OPS, Apply, CheckedIndex, Const, Expr, IndexValue, Param, Read, operands, walk

KEYWORDS = frozenset(
    """and at bitcast block cast check checked chunk else false for global if in index inf init input iter kernel nan
    not or ordered output parallel pass plan reduce register repeat run scalar scratch serial strided strides symbol
    tasks true unrolled vectorized where""".split()
)
"""Words of the grammar; a name that is one is quoted."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SLOT = re.compile(r"(?:dim|stride|out|offset|tasks|chunk|trips)\([^()\s]*\)\Z")
_WIDTH = 80


def name_text(name: str) -> str:
    """``name``, in backquotes where it would not be read as a name."""
    if _PLAIN.match(name) and name not in KEYWORDS:
        return name
    if not name or "`" in name or "\n" in name:
        raise InternalError(f"{name!r} cannot be a name in text")
    return f"`{name}`"


def index_text(index: Index) -> str:
    """An index, which parses back to the same object."""
    odd = {s: name_text(s) for s in ix.symbols(index) if not _SLOT.match(s)}
    return str(ix.substitute(index, {s: ix.symbol(q) for s, q in odd.items() if q != s}))


def condition_text(condition: Condition) -> str:
    """A condition, which parses back to the same object."""
    odd = {s: name_text(s) for s in ix.symbols(condition.index) if not _SLOT.match(s)}
    return str(ix.substitute_condition(condition, {s: ix.symbol(q) for s, q in odd.items() if q != s}))


def conditions_text(conditions: Iterable[Condition]) -> str:
    return " and ".join(map(condition_text, conditions)) or "true"


class ScalarText:
    """The texts of ``roots``: ``lines`` are the definitions they need, :meth:`text` gives each one's own."""

    def __init__(self, roots: Sequence[Expr]) -> None:
        self.lines: list[str] = []
        self._texts: dict[Expr, str] = {}
        self._infix: set[Expr] = set()
        nodes = dict.fromkeys(n for r in roots for n in walk(r))
        uses = Counter(o for n in nodes for o in operands(n)) + Counter(roots)
        for node in nodes:
            text = self._render(node)
            shared = uses[node] > 1 and not _is_leaf(node)
            if shared or (len(text) > _WIDTH and node not in roots):
                self.lines.append(f"%{len(self.lines)} = {text}")
                text = f"%{len(self.lines) - 1}"
            elif isinstance(node, Apply) and OPS[node.op].text:
                self._infix.add(node)
            self._texts[node] = text

    def text(self, root: Expr) -> str:
        """The text of one of the roots."""
        return self._texts[root]

    def index(self, index: Index | Expr) -> str:
        """The text of an index of a read or write; a data-dependent one is one of the roots."""
        return index_text(index) if isinstance(index, Index) else self._texts[index]

    def _render(self, e: Expr) -> str:
        if isinstance(e, Const):
            return constant_text(e)
        if isinstance(e, IndexValue):
            return f"index({index_text(e.index)})"
        if isinstance(e, Param):
            return name_text(e.name)
        if isinstance(e, Read):
            return self._read(e)
        if isinstance(e, CheckedIndex):
            place = f"{name_text(e.operand)} at {index_text(e.position)}"
            return f"checked({self._texts[e.value]}, 0..{index_text(e.extent)}, {place})"
        if isinstance(e, Apply):
            return self._apply(e)
        raise InternalError(f"loop IR has no scalar node {type(e).__name__}: {e!r}")

    def _read(self, e: Read) -> str:
        text = f"{name_text(e.tensor)}[{', '.join(map(self.index, e.indices))}]"
        if e.otherwise is not None:
            return f"({text} if {conditions_text(e.guard)} else {self._texts[e.otherwise]})"
        return f"({text} if {conditions_text(e.guard)})" if e.guard else text

    def _apply(self, e: Apply) -> str:
        symbol = OPS[e.op].text
        if OPS[e.op].result == "given":
            return f"{e.op}({e.dtype}, {self._texts[e.args[0]]})"
        if not symbol:
            return f"{e.op}({', '.join(self._texts[a] for a in e.args)})"
        first, *rest = (f"({self._texts[a]})" if a in self._infix else self._texts[a] for a in e.args)
        if rest:
            return f"{first} {symbol} {rest[0]}"
        enclosed = f"({first})" if isinstance(e.args[0], Const) else first
        return f"{symbol} {enclosed}" if symbol.isalpha() else f"{symbol}{enclosed}"


def constant_text(e: Const) -> str:
    """A literal with its dtype; ``true`` and ``false`` need none."""
    return str(e.value).lower() if e.dtype.kind == "bool" else f"{e.value!r}:{e.dtype}"


def _is_leaf(e: Expr) -> bool:
    return isinstance(e, (Const, IndexValue, Param)) or (isinstance(e, Read) and not operands(e))
