"""Text to syntax tree."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from lark import Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError
from lark.tree import Meta
from lark.visitors import Transformer_NonRecursive, v_args

from tilewright.dsl import mend, mend_syntax
from tilewright.dsl import syntax as ast
from tilewright.dsl.editions import require_newest
from tilewright.dsl.grammar import parser
from tilewright.dsl.layout import MAX_NESTING, LayoutError
from tilewright.dsl.limits import MAX_DIGITS
from tilewright.errors import SyntaxUserError
from tilewright.source import Source, Span

_WORDS = {
    "NAME": "a name",
    "INT": "a number",
    "FLOAT": "",
    "STRING": "",
    "BYTES": "",
    "VALUE": "a value",
    "_NEWLINE": "the end of the line",
    "_INDENT": "an indented block",
    "_DEDENT": "",
    "WHERE": "",
    "COMBINE": "'+='",
    "GRADIENT": "",
    "$END": "the end of the text",
}
_INFIX = {"COMPARE", "BAR", "CARET", "AMPERSAND", "SHIFT", "PLUS", "SLASH", "OR", "AND"}
_OPERATORS = {*_INFIX, "MINUS", "STAR", "TILDE", "NOT"}
_UNITS = {"KiB": 10, "MiB": 20, "GiB": 30}
_PREFIXES = {"NAME", "INT", "FLOAT", "LPAR", "MINUS", "TILDE"}


def parse(text: str, name: str = "<string>") -> ast.Module:
    """The module that ``text`` says. SyntaxUserError if it does not follow the grammar."""
    source = Source(text, name)
    try:
        # the first line break gives the layout its outermost indentation; _span takes it off again
        tree = parser().parse("\n" + text + "\n")
    except LayoutError as e:
        place = _place(e.token, source)
        fix = mend_syntax.laid_out(e, place)
        raise SyntaxUserError(e.message, place, e.hint, fix) from None
    except UnexpectedInput as e:
        raise _explain(e, source) from None
    module = _build(tree, source)
    _check_depth(module)
    return module


def _build(tree: Tree[Token], source: Source) -> ast.Module:
    try:
        module = _Builder(source).transform(tree)
    except VisitError as e:
        raise e.orig_exc from None
    assert isinstance(module, ast.Module)
    return module


def _parses(text: str) -> bool:
    try:
        parser().parse("\n" + text + "\n")
    except (LayoutError, UnexpectedInput):
        return False
    return True


def _check_depth(module: ast.Module) -> None:
    """Later stages may recurse once what they walk is known to be shallow."""
    for node, depth in ast.walk(*module.ops, *module.schedules):
        if depth > MAX_NESTING:
            raise SyntaxUserError(
                f"this is nested over {MAX_NESTING} deep", node.span, "give a part of it a name of its own"
            )


# --- errors ---------------------------------------------------------------------------------


def _place(token: Token, source: Source) -> Span:
    """Where a token begins; of a line break, the first thing on the line after it."""
    after = token.type == "_NEWLINE"
    line, column = (token.end_line, token.end_column) if after else (token.line, token.column)
    return _one_column(source, (line or 2) - 1, column or 1)


def _one_column(source: Source, line: int, column: int) -> Span:
    """The character there; past the last line, the end of the text."""
    lines = source.text.split("\n")
    if line > len(lines):
        line, column = len(lines), len(lines[-1]) + 1
    return Span(source, line, column, line, column + 1)


def _explain(e: UnexpectedInput, source: Source) -> SyntaxUserError:
    if isinstance(e, UnexpectedCharacters):
        span = Span(source, e.line - 1, e.column, e.line - 1, e.column + 1)
        message = f"{e.char!r} does not belong in source text"
        return SyntaxUserError(message, span, *mend_syntax.character(e.char, span))
    token = e.token if isinstance(e, UnexpectedToken) else Token("$END", "")
    span = _token_span(token, source)
    expected = _expected(e.accepts or e.expected if isinstance(e, UnexpectedToken) else ())
    remedy = mend_syntax.unexpected(e, token, span, expected, _parses)
    return SyntaxUserError(f"{_describe(token)}, expected {expected}", span, *remedy)


def _token_span(token: Token, source: Source) -> Span:
    if token.type in ("_INDENT", "_DEDENT"):
        return _one_column(source, (token.end_line or 2) - 1, token.end_column or 1)
    if token.type == "$END" or token.line is None or token.line - 2 > source.text.count("\n"):
        return _one_column(source, source.text.count("\n") + 2, 1)
    line, column = token.line - 1, token.column or 1
    return Span(source, line, column, line, column + (1 if token.type.startswith("_") else len(token)))


def _describe(token: Token) -> str:
    if token.type == "_INDENT":
        return "unexpected indentation"
    if token.type in ("_NEWLINE", "_DEDENT", "$END"):
        return "the line ends too early" if token.type == "_NEWLINE" else "the block ends too early"
    return f"unexpected {str(token)!r}"


def _expected(kinds: Collection[str]) -> str:
    if _PREFIXES <= set(kinds):
        kinds = set(kinds) - _PREFIXES | {"VALUE"}
    words = sorted({_word(k) for k in kinds if k not in _OPERATORS} - {""}, key=lambda w: (w[0] == "'", w))
    if _INFIX & set(kinds):
        words.append("an operator")
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words) or "something else"


def _word(kind: str) -> str:
    if kind in _WORDS:
        return _WORDS[kind]
    pattern = next((t.pattern.value for t in parser().terminals if t.name == kind), kind)
    return f"'{pattern}'"


# --- building -------------------------------------------------------------------------------


@v_args(meta=True)
class _Builder(Transformer_NonRecursive[Token, Any]):
    """Turns lark's tree into ours, bottom up."""

    def __init__(self, source: Source) -> None:
        super().__init__(visit_tokens=False)
        self.source = source

    def __default__(self, data: str, children: list[Any], meta: Meta) -> Any:
        return tuple(children)

    def _span(self, meta: Meta | Token) -> Span:
        if isinstance(meta, Meta) and meta.empty:
            return Span(self.source, 1, 1, 1, 2)
        places = meta.line, meta.column, meta.end_line, meta.end_column
        line, column, end_line, end_column = (p or 1 for p in places)
        return Span(self.source, line - 1, column, end_line - 1, end_column)

    def _until(self, meta: Meta, last: ast.Statement) -> Span:
        """From where the rule began to the end of its last statement, the indentation of the next line left out."""
        return replace(self._span(meta), end_line=last.span.end_line, end_column=last.span.end_column)

    def _name(self, token: Token) -> ast.Name:
        return ast.Name(self._span(token), str(token))

    def _names(self, tokens: Sequence[Token]) -> tuple[ast.Name, ...]:
        return tuple(map(self._name, tokens))

    # module and ops

    def module(self, meta: Meta, parts: list[Any]) -> ast.Module:
        ops = tuple(p for p in parts if isinstance(p, ast.Op))
        return ast.Module(self.source, ops, tuple(p for p in parts if isinstance(p, ast.Schedule)))

    def edition(self, meta: Meta, parts: list[Token]) -> None:
        require_newest(str(parts[0]), self._span(parts[0]))

    def op(self, meta: Meta, parts: list[Any]) -> ast.Op:
        name, variables, parameters, results, equals, (*body, gradient) = parts
        operands, attributes, scalars = self._sort_parameters(parameters)
        header = self._span(name), str(name), variables, operands, attributes, scalars, results
        return ast.Op(*header, tuple(body), gradient or (), equals)

    def op_line(self, meta: Meta, parts: list[Any]) -> tuple[Any, ...]:
        return (*parts, None)

    def equals(self, meta: Meta, parts: list[Token]) -> ast.Name:
        return self._name(parts[0])

    def gradient(self, meta: Meta, parts: list[Any]) -> tuple[ast.Statement, ...]:
        statements: tuple[ast.Statement, ...] = parts[1]
        return statements

    def _sort_parameters(self, parameters: tuple[Any, ...]) -> tuple[tuple[Any, ...], ...]:
        """Operands stand before ``*``, attributes and run-time scalars after it."""
        after = False
        for p in parameters:
            if isinstance(p, Token):
                if after:
                    fix = mend.left_out(self._span(p))
                    raise SyntaxUserError("a second '*'", self._span(p), "one '*' ends the operands", fix)
                after = True
            elif isinstance(p, ast.Operand) == after:
                what = "an operand stands before '*'" if after else "attributes and scalars stand after '*'"
                star = next((self._span(t) for t in parameters if isinstance(t, Token)), None)
                fix = mend.moved(p.span, star, before=after)
                raise SyntaxUserError(f"{p.name!r} is on the wrong side: {what}", p.span, "move it", fix)
        kinds = (ast.Operand, ast.Attribute, ast.Scalar)
        return tuple(tuple(p for p in parameters if isinstance(p, k)) for k in kinds)

    def variable(self, meta: Meta, parts: list[Token]) -> ast.Variable:
        return ast.Variable(self._span(meta), str(parts[0]), self._name(parts[1]))

    def operand(self, meta: Meta, parts: list[Any]) -> ast.Operand:
        name, dtype, dims, optional = parts
        return ast.Operand(self._span(meta), str(name), self._name(dtype), dims, optional is not None)

    def attribute(self, meta: Meta, parts: list[Any]) -> ast.Attribute:
        return ast.Attribute(self._span(meta), str(parts[0]), parts[1], parts[2])

    def kind(self, meta: Meta, parts: list[Any]) -> ast.Kind:
        if isinstance(parts[0], Token):
            return ast.Kind(self._span(meta), self._name(parts[0]), parts[1])
        return ast.Kind(self._span(meta), None, None, parts[0])

    def choices(self, meta: Meta, parts: list[Any]) -> tuple[ast.Text, ...]:
        return tuple(p for p in parts if isinstance(p, ast.Text))

    def several(self, meta: Meta, parts: list[Any]) -> ast.Several:
        return ast.Several(self._span(meta), tuple(p for p in parts if p is not None))

    def scalar(self, meta: Meta, parts: list[Any]) -> ast.Scalar:
        return ast.Scalar(self._span(meta), str(parts[0]), self._name(parts[1]), parts[2])

    def star(self, meta: Meta, parts: list[Token]) -> Token:
        return parts[0]

    def result(self, meta: Meta, parts: list[Any]) -> ast.Result:
        return self._result(self._span(meta), str(parts[0]), parts[1])

    def _result(self, span: Span, name: str, shape: tuple[Any, ...]) -> ast.Result:
        dtype, dims, condition, otherwise = shape
        other = otherwise and self._result(span, name, otherwise)
        return ast.Result(span, name, self._name(dtype), dims, condition, other)

    def pack(self, meta: Meta, parts: list[Token | None]) -> ast.Pack:
        return ast.Pack(self._span(meta), str(parts[0] or ""))

    # schedules

    def schedule(self, meta: Meta, parts: list[Any]) -> ast.Schedule:
        (subject, statement), roles, target, condition, rewrites = parts
        axes, tensors = roles or (None, None)
        inner = statement and self._name(statement)
        place = self._name(target)
        header = self._span(meta), self._name(subject), inner, axes, tensors or (), place, condition
        return ast.Schedule(*header, rewrites)

    def rewrite(self, meta: Meta, parts: list[Any]) -> ast.Rewrite:
        targets, primitive, *given = parts
        args, keywords = self._arguments(given)
        return ast.Rewrite(self._span(meta), targets or (), self._name(primitive), args, keywords)

    def _arguments(self, given: Sequence[Any]) -> tuple[tuple[Any, ...], tuple[ast.Keyword, ...]]:
        """What stands by position, then what by keyword."""
        args, keywords = [], []
        for part in (g for g in given if g is not None):
            if isinstance(part, ast.Keyword):
                keywords.append(part)
            elif keywords:
                hint = "what is given by position comes first"
                raise SyntaxUserError("this stands after a keyword", self._span_of(part), hint)
            else:
                args.append(part)
        return tuple(args), tuple(keywords)

    def _span_of(self, part: Token | ast.Node) -> Span:
        return part.span if isinstance(part, ast.Node) else self._span(part)

    # statements

    def conditional(self, meta: Meta, parts: list[Any]) -> ast.If:
        condition, then, otherwise = parts
        chained = (otherwise,) if isinstance(otherwise, ast.If) else otherwise or ()
        return ast.If(self._until(meta, (*then, *chained)[-1]), condition, then, chained)

    def steps(self, meta: Meta, parts: list[Any]) -> ast.Steps:
        *axes, down, body = parts
        return ast.Steps(self._until(meta, body[-1]), tuple(axes), down is not None, body)

    def step(self, meta: Meta, parts: list[Any]) -> ast.Axis:
        return ast.Axis(self._span(meta), self._name(parts[0]), parts[1])

    def assign(self, meta: Meta, parts: list[Any]) -> ast.Assign:
        target, axes, value = parts
        targets = self._names([target]) if isinstance(target, Token) else target
        return ast.Assign(self._span(meta), targets, axes, value)

    def scatter(self, meta: Meta, parts: list[Any]) -> ast.Scatter:
        target, indices, sign, *rest = parts
        combine = {"+=": "add"}.get(str(sign), str(sign)[:-1])
        return self._scatter(meta, target, indices, combine, *rest)

    def overwrite(self, meta: Meta, parts: list[Any]) -> ast.Scatter:
        target, indices, *rest = parts
        return self._scatter(meta, target, indices, "set", *rest)

    def _scatter(
        self, meta: Meta, target: Token, indices: Any, combine: str, value: Any, axes: Any, start: Any
    ) -> ast.Scatter:
        begin = start and self._name(start)
        return ast.Scatter(self._span(meta), self._name(target), indices, combine, value, axes, begin)

    def invoke(self, meta: Meta, parts: list[Any]) -> ast.Invoke:
        target, function, *given = parts
        targets = self._names([target]) if isinstance(target, Token) else target
        args, keywords = self._arguments(given)
        return ast.Invoke(self._span(meta), targets, self._name(function), self._names(args), keywords)

    def keyword(self, meta: Meta, parts: list[Any]) -> ast.Keyword:
        return ast.Keyword(self._span(meta), self._name(parts[0]), parts[1])

    def declare(self, meta: Meta, parts: list[Any]) -> ast.Declare:
        return ast.Declare(self._span(meta), self._name(parts[0]), self._name(parts[1]), parts[2])

    def require(self, meta: Meta, parts: list[Any]) -> ast.Require:
        return ast.Require(self._span(meta), parts[0])

    def axis(self, meta: Meta, parts: list[Any]) -> ast.Axis:
        value, extent, order = parts
        return ast.Axis(self._span(meta), value, extent, *(order or ()))

    def order(self, meta: Meta, parts: list[Token | None]) -> tuple[int, int]:
        size, by, width = parts
        if by is not None and by != "x":
            raise SyntaxUserError(f"unexpected {str(by)!r}, expected 'x'", self._span(by), "as in @ 4096 x 64")
        chunk, lanes = self._whole(size) if size else 0, self._whole(width) if width else 1
        if lanes & (lanes - 1) or not 0 < lanes <= max(chunk, 1):
            hint = "as in @ 4096 x 64: lanes are a power of two, at most the chunk"
            raise SyntaxUserError(f"{lanes} lanes of chunks of {chunk} are no order", self._span(meta), hint)
        return chunk, lanes

    # expressions

    def guarded(self, meta: Meta, parts: list[Any]) -> ast.Guarded:
        return ast.Guarded(self._span(meta), *parts)

    def binary(self, meta: Meta, parts: list[Any]) -> ast.Binary:
        left, op, right = parts
        return ast.Binary(self._span(meta), str(op), left, right)

    def unary(self, meta: Meta, parts: list[Any]) -> ast.Unary:
        return ast.Unary(self._span(meta), str(parts[0]), parts[1])

    def integer(self, meta: Meta, parts: list[Token]) -> ast.Number:
        return ast.Number(self._span(meta), self._whole(parts[0]))

    def bytes(self, meta: Meta, parts: list[Token]) -> ast.Number:
        number, unit = parts[0][:-3], parts[0][-3:]
        digits = Token.new_borrow_pos("INT", number, parts[0])
        return ast.Number(self._span(meta), self._whole(digits) << _UNITS[unit])

    def _whole(self, token: Token) -> int:
        if len(token) > MAX_DIGITS:
            raise SyntaxUserError("this number fits no dtype", self._span(token), "integers have at most 64 bits")
        return int(token)

    def real(self, meta: Meta, parts: list[Token]) -> ast.Number:
        return ast.Number(self._span(meta), float(parts[0]))

    def text(self, meta: Meta, parts: list[Token]) -> ast.Text:
        return ast.Text(self._span(meta), str(parts[0])[1:-1])

    def name(self, meta: Meta, parts: list[Token]) -> ast.Name:
        return self._name(parts[0])

    def element(self, meta: Meta, parts: list[Any]) -> ast.Element:
        return ast.Element(self._span(meta), self._name(parts[0]), parts[1])

    def reduce(self, meta: Meta, parts: list[Any]) -> ast.Reduce:
        return ast.Reduce(self._span(meta), self._name(parts[0]), parts[1], parts[2])

    def fold(self, meta: Meta, parts: list[Any]) -> ast.Fold:
        kind, axes, accumulators, arrow, values, merge = parts
        others, merged = merge or ((), ())
        elements = arrow == ("<-",)
        return ast.Fold(self._span(meta), self._name(kind), axes, accumulators, elements, values, others, merged)

    def accumulator(self, meta: Meta, parts: list[Any]) -> ast.Accumulator:
        name, dtype, init = parts
        return ast.Accumulator(self._span(meta), str(name), dtype and self._name(dtype), init)

    def names(self, meta: Meta, parts: list[Token]) -> tuple[ast.Name, ...]:
        return self._names(parts)

    def call(self, meta: Meta, parts: list[Any]) -> ast.Call:
        return ast.Call(self._span(meta), self._name(parts[0]), parts[1])

    def paren(self, meta: Meta, parts: list[ast.Expr]) -> ast.Expr:
        return parts[0]
