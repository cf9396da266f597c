"""Remedies for texts that do not follow the grammar: in words and, where it is clear, as edits."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lark import Token
from lark.exceptions import UnexpectedInput, UnexpectedToken

from tilewright.dsl.layout import LayoutError
from tilewright.dsl.mend import Fix, replaced, stretch, wrapped
from tilewright.source import Edit, Span

Remedy = tuple[str | None, Fix]
Parses = Callable[[str], bool]

_CHARACTERS = {
    "≤": "<=", "≥": ">=", "≠": "!=", "×": "*", "·": "*", "−": "-", "–": "-", "÷": "/", "→": "->", "…": "...",
    "!": "not ", "{": "[", "}": "]",
}  # fmt: skip
_WORDS = {
    "def": ("op", "an op begins with `op`"),
    "fn": ("op", "an op begins with `op`"),
    "kernel": ("op", "an op begins with `op`"),
}
_HINTS = {
    "import": "a text has ops only, and they need no import",
    "else": "a guarded read stands in parentheses: (x[i - 1] else 0)",
    "for": "axes run by themselves: y[i] = ... says every element",
    "return": "results are assigned: y[i] = ...",
    "@": "a matrix product is sum[k](a[i, k] * b[k, j])",
    "while": "there are no loops: axes run by themselves, and y[i] may read (y[i - 1] else 0)",
}
_INSERTED = {"COLON": ":", "RPAR": ")", "RSQB": "]", "COMMA": ",", "EQUAL": "=", "LPAR": "("}
_STARTS = ("NAME", "INT", "FLOAT", "LPAR", "STAR")
_LEFT_OUT = (")", "]", ",", ":", ";", "+", "*", "=", "?")
_CLOSING = {")": "RSQB", "]": "RPAR"}
_PREFIX = re.compile(r"\b(np|numpy|math|torch|jnp|tf|F|xp)$")


def character(char: str, span: Span) -> Remedy:
    """For a character that no token has."""
    text, at = span.source.text, span.offsets[0]
    if char in _CHARACTERS:
        written = _CHARACTERS[char]
        return f"write {written.strip()!r}", replaced(span, written)
    prefix = _PREFIX.search(text[:at])
    if char == "." and prefix:
        return "functions have no prefix", replaced(stretch(span, prefix.start(), at + 1), "")
    if char == ".":
        return "tensors have no methods and attributes: the sum of x is sum[i](x[i])", ()
    if char == "\\":
        return "a line goes on inside of brackets", ()
    return "comments start with #", replaced(span, "") if char in "$`" else ()


def unexpected(e: UnexpectedInput, token: Token, span: Span, expected: str, parses: Parses) -> Remedy:
    """For a token that may not stand where it does."""
    if token == ".":
        return character(".", span)
    for special in (_header, _operator, _block, _word, _statement):
        hint, fix = special(token, span, expected)
        if hint:
            return hint, fix
    return _inserted(e, token, span, expected) or _left_out(token, span, parses) or (None, ())


def _header(token: Token, span: Span, expected: str) -> Remedy:
    text, at = span.source.text, span.offsets[0]
    before = text[:at].rstrip()
    result = re.search(r"->\s*(\w+)$", before)
    if expected == "':'" and result and token == "[":
        return "name the result: -> y: f32[N]", replaced(stretch(span, result.start(1), result.start(1)), "y: ")
    if expected == "':'" and token in ("]", ","):
        return "say what it may be: any, number, float, index or bool", replaced(span.start, ": number")
    if expected == "':'" and token == "[":
        return "say its dtype: x: f32[N]", replaced(span.start, ": f32")
    if token == "<" and re.search(r"\bop\s+\w+$", before):
        closing = text.find(">", at)
        fix = (*replaced(span, "["), *replaced(stretch(span, closing, closing + 1), "]")) if closing > at else ()
        return "dtype variables stand in brackets: op f[T: float](...)", fix
    if text[at : at + 2] == "=>":
        return "write '->'", replaced(stretch(span, at, at + 2), "->")
    if token in (")", ",") and expected == "'=' or '['":
        return _unfinished(before, span)
    if expected == "a name" and re.search(r"\bop$", before):
        return _misnamed(token, span)
    return None, ()


def _unfinished(before: str, span: Span) -> Remedy:
    """A parameter that says a dtype only: an operand without dims, or, behind a star, an attribute without a value."""
    kind = re.search(r"\w+$", before)
    if re.search(r"\(?\*\s*,[^()]*$", before) and kind:
        default = {"bool": "false", "int": "0"}.get(kind[0], "0.0")
        return f"an attribute has a default: = {default}", replaced(span.start, f" = {default}")
    return "an operand has dims, as in x: f32[N], or x: f32[] for one value", replaced(span.start, "[]")


def _misnamed(token: Token, span: Span) -> Remedy:
    if token.type == "INT":
        return "a name begins with a letter", replaced(span.start, "op_")
    return (
        ("choose another name: this is a word of the language", replaced(span.end, "_"))
        if token.isalpha()
        else ("give the op a name", ())
    )


def _operator(token: Token, span: Span, expected: str) -> Remedy:
    text, at = span.source.text, span.offsets[0]
    twice = stretch(span, at - 1, at + 1) if at and text[at - 1 : at] == token else None
    if token.type == "COMPARE" and "operator" in expected:
        return "comparisons do not chain: write a < b and b < c", _unchained(span)
    if token == "*" and twice:
        return "a power is pow(a, b)", _power(span)
    if token in ("&", "|") and twice:
        word = "and" if token == "&" else "or"
        return f"write `{word}`", replaced(twice, word)
    if token == "<-":
        return "'<-' is an arrow; write '< -' for \"less than minus\"", replaced(span, "< -")
    if token == "=" and re.search(r"\b(axis|axes|dim|dims|keepdims?)$", text[:at].rstrip()):
        return "a reduction names its axes: sum[j](x[i, j])", ()
    if token in ("*", "/") and re.search(r"@\s*\d+$", text[:at].rstrip()):
        return "as in @ 4096 x 64", replaced(span, "x")
    if token == "[" and text[at - 1 : at] == "]":
        return "one pair of brackets: x[i, j]", replaced(stretch(span, at - 1, at + 1), ", ")
    if token.type == "NAME" and "operator" in expected and text[at - 1].isdigit():
        digits = str(token).replace("_", "")
        return "a number has digits only", replaced(span, digits if digits.isdigit() else "")
    if token.type in ("NAME", "LPAR") and "operator" in expected and re.search(r"[\d)\]]$", text[:at].rstrip()):
        return "write '*' here", replaced(span.start, "* ")
    if token == "=" and "operator" in expected:
        return "compare with ==", replaced(span, "==")
    return None, ()


def _power(star: Span) -> Fix:
    """``pow(a, b)`` for ``a ** b``, of which ``star`` is the second star; a and b are names, numbers or brackets."""
    text, at = star.source.text, star.offsets[0]
    group = r"(?:\((?:[^()]|\([^()]*\))*\)|\[[^\[\]]*\])"
    base = re.search(rf"((?:\w+|{group})(?:{group})*)\s*$", text[: at - 1])
    exponent = re.match(rf"\s*(-?[\w.]+{group}*|{group})", text[at + 1 :])
    if not base or not exponent:
        return ()
    whole = stretch(star, base.start(1), at + 1 + exponent.end(1))
    return replaced(whole, f"pow({base[1]}, {exponent[1]})")


def _unchained(second: Span) -> Fix:
    """``a < b and b < c`` for ``a < b < c``, of which ``second`` is the second sign."""
    before = second.source.text[: second.offsets[0]]
    middle = re.search(r"[<>=]=?\s*([^<>=]*?)\s*$", before)
    return replaced(second.start, f"and {middle[1]} ") if middle and middle[1] else ()


def _block(token: Token, span: Span, expected: str) -> Remedy:
    lines = span.source.text.split("\n")
    if token.type == "_INDENT":
        above = next((t for t in reversed(lines[: span.line - 1]) if t.strip()), "")
        margin = above[: len(above) - len(above.lstrip())]
        own = lines[span.line - 1]
        before = Span(span.source, span.line, 1, span.line, len(own) - len(own.lstrip()) + 1)
        return "blocks follow a line that ends in ':'", replaced(before, margin)
    if expected == "an indented block" and token.type in ("$END", "_DEDENT"):
        return "say what the results are: y[i] = ...", ()
    if expected == "an indented block":
        end = next((n for n in range(span.line, len(lines)) if lines[n].startswith("op ")), len(lines))
        moved = (n for n in range(span.line - 1, end) if lines[n].strip())
        edits = (Edit(Span(span.source, n + 1, 1, n + 1, 1), "    ") for n in moved)
        return "indent what belongs to it", tuple(edits)
    return None, ()


def _word(token: Token, span: Span, expected: str) -> Remedy:
    if token in _WORDS:
        written, hint = _WORDS[token]
        return hint, replaced(span, written) if written == "op" else ()
    if token == "if":
        return "choose between values with where(condition, a, b)", _where(span)
    before = span.source.text[: span.offsets[0]].rstrip(" ")
    if token == ":" and before[-1:] in "[,(" or token == "]" and before[-1:] == ":":
        return "there are no slices: name the axis, as in y[i] = x[i, 0]", ()
    if token == "in" and (loop := re.match(r" in range\((\w+)\)", span.source.text[span.offsets[0] - 1 :])):
        fix = replaced(stretch(span, span.offsets[0] - 1, span.offsets[0] - 1 + loop.end()), f": {loop[1]}")
        return f"axes run by themselves; steps that need each other are for i: {loop[1]}:", fix
    previous = re.search(r"\b(for|return|while|def|elif)$", before)
    return _HINTS.get(previous[1] if previous else str(token)), ()


def _where(word: Span) -> Fix:
    """``where(c, a, b)`` for ``a if c else b`` that is the whole right side of a line."""
    line = word.source.line(word.line)
    found = re.fullmatch(r"(.*?[^=<>!]=\s+)(.+) if (.+) else (.+)", line)
    if not found:
        return ()
    whole = Span(word.source, word.line, found.end(1) + 1, word.line, len(line) + 1)
    return replaced(whole, f"where({found[3]}, {found[2]}, {found[4]})")


def _statement(token: Token, span: Span, expected: str) -> Remedy:
    if token == "[" and expected == "'('":
        return "name the axes: y[i] = ..., or y[] = ... for a single value", ()
    if token in ("-", "*", "//", "/") and span.source.text[span.offsets[1] : span.offsets[1] + 1] == "=":
        return "results are assigned once: y[i] = ...; to add up, y[i] += ...", ()
    if token.type in ("SLASH", "STRING") and not span.source.line(span.line)[: span.column - 1].strip():
        return "comments start with #", replaced(span, f"# {token[1:-1]}" if token.type == "STRING" else "#")
    if token == "," and re.fullmatch(r"\s*\w+", span.source.line(span.line)[: span.column - 1]):
        names = re.match(r"\s*(\w+(?:\s*,\s*\w+)+)", span.source.line(span.line))
        fix = (
            wrapped(Span(span.source, span.line, names.start(1) + 1, span.line, names.end(1) + 1), "(") if names else ()
        )
        return "several results stand in parentheses: (a, b) = ...", fix
    if token == "edition":
        first = Span(span.source, 1, 1, 1, 1)
        line = Span(span.source, span.line, 1, span.line, len(span.source.line(span.line)) + 1)
        return "it stands on the first line", (Edit(first, f"{line.text.strip()}\n"), Edit(line, ""))
    if token.type == "FLOAT" and expected == "the end of the line":
        return "leave it out", replaced(span, "")
    if expected == "'('" and token.type == "_NEWLINE" or expected == "a name" and token.type in ("INT", "FLOAT"):
        return "say which element: y[i] = x[i]; y = op(x) calls an op", ()
    if expected.endswith("'op' or 'schedule'") and token.type == "NAME":
        return "statements stand in an op, indented: op f(x: f32[N]) -> y: f32[N]:", ()
    if expected == "'->'":
        return "name the results: op f(x: f32[N]) -> y: f32[N]:", ()
    return None, ()


def _inserted(e: UnexpectedInput, token: Token, span: Span, expected: str) -> Remedy | None:
    """A sign that is missing in front of the token, if one goes with it, or the right bracket for it."""
    state: Any = e.interactive_parser if isinstance(e, UnexpectedToken) else None
    if state is None:
        return None
    if token in _CLOSING and _INSERTED[_CLOSING[token]] in expected:
        sign = _INSERTED[_CLOSING[token]]
        return f"write {sign!r}", replaced(span, sign)
    first = ("COMMA",) if token.type in _STARTS else ()
    for kind in (*first, *_INSERTED):
        sign = _INSERTED[kind]
        if kind in state.accepts():
            trial = state.copy(deepcopy_values=False)
            trial.feed_token(Token(kind, sign))
            if token.type in trial.accepts():
                return f"write {sign!r} here", replaced(span.start, sign)
    return None


def _left_out(token: Token, span: Span, parses: Parses) -> Remedy | None:
    """Nothing in its place, if that is all that is wrong."""
    text, (first, last) = span.source.text, span.offsets
    if token in _LEFT_OUT and parses(text[:first] + text[last:]):
        return "leave it out", replaced(span, "")
    return None


def laid_out(e: LayoutError, place: Span) -> Fix:
    """For a bracket that is never closed, or a line whose indentation is that of no block."""
    if e.token in ("(", "["):
        return closed(place, str(e.token)) if e.hint == "close it" else ()
    return aligned(place) if "indented" in e.message else ()


def aligned(place: Span) -> Fix:
    """The line indented like the one above it."""
    lines = place.source.text.split("\n")
    above = next((t for t in reversed(lines[: place.line - 1]) if t.strip()), "")
    before = Span(place.source, place.line, 1, place.line, place.column)
    return replaced(before, above[: len(above) - len(above.lstrip())])


def closed(bracket: Span, sign: str) -> Fix:
    """The closing bracket for one that is open, at the end of its line."""
    line = bracket.source.line(bracket.line).partition("#")[0].rstrip()
    at = len(line) if not line.endswith(":") else len(line) - 1
    return replaced(Span(bracket.source, bracket.line, at + 1, bracket.line, at + 1), {"(": ")", "[": "]"}[sign])
