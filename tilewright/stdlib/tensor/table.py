"""Which ops a function of tensors is made of, where that is not the op of its name, and PyTorch's parameters, where
they are not those that the op's declaration gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from tilewright.runtime._core import Function
from tilewright.stdlib import ops
from tilewright.stdlib.tensor import forms

FLOATS = ("f16", "bf16", "f32", "f64")
INTS = ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64")
BOOL = ("bool",)


class Row(NamedTuple):
    """The ops that a function tries in this order, each with the dtypes that it is for (None: all that it takes), the
    parameters (:func:`tilewright.stdlib.tensor.forms.form`), and per op the ranks of operands that it is for."""

    ops: Mapping[str, Sequence[str] | None]
    signature: str | None = None
    ranks: tuple[tuple[int, ...], ...] = ()
    widens: bool = False


ROWS: Mapping[str, Row] = {
    # arithmetic
    "add": Row({"add": None, "logical_or": BOOL, "add_scaled": None}, "input, other, *, alpha=1"),
    "sub": Row({"sub": None, "sub_scaled": None}, "input, other, *, alpha=1"),
    "mul": Row({"mul": None, "logical_and": BOOL}),
    "true_divide": Row({"div": None}),
    "floor_divide": Row({"floor_divide": None, "floor_divide_float": None}),
    "trunc_divide": Row({"trunc_divide": None, "trunc_divide_float": None}),
    "fmod": Row({"fmod": None, "fmod_int": None}),
    "sign": Row({"sign": None, "clone": BOOL}),
    "pow": Row({"pow": None, "pow_int": None}, "input, other->exponent"),
    "fmax": Row({"fmax": None, "maximum": None}),
    "fmin": Row({"fmin": None, "minimum": None}),
    "floor": Row({"floor": None, "clone": INTS}),
    "ceil": Row({"ceil": None, "clone": INTS}),
    "trunc": Row({"trunc": None, "clone": INTS}),
    "round": Row({"round": None, "clone": INTS}),
    "clamp": Row({"clamp": None, "clamp_min": None, "clamp_max": None}, "input, min=None, max=None"),
    "addcmul": Row({"addcmul": None}, "input, a->tensor1, b->tensor2, *, value=1"),
    "addcdiv": Row({"addcdiv": None}, "input, a->tensor1, b->tensor2, *, value=1"),
    "bitwise_and": Row({"bitwise_and": None, "logical_and": BOOL}),
    "bitwise_or": Row({"bitwise_or": None, "logical_or": BOOL}),
    "bitwise_xor": Row({"bitwise_xor": None, "logical_xor": BOOL}),
    "bitwise_not": Row({"bitwise_not": None, "logical_not": BOOL}),
    # reductions and scans
    "sum": Row({"sum": FLOATS, "sum_whole": None}),
    "prod": Row({"prod": FLOATS, "prod_whole": None}),
    "cumsum": Row({"cumsum": FLOATS, "cumsum_whole": None}),
    "cumprod": Row({"cumprod": FLOATS, "cumprod_whole": None}),
    "logsumexp": Row({"logsumexp": None}, widens=True),
    "norm": Row({"norm": None}, "input, p=2.0, dim=None, keepdim=False, dtype=None"),
    "quantile": Row({"quantile": None}, "input, q, dim=-1, keepdim=False"),
    "kthvalue": Row({"kthvalue": None}, "input, k, dim=-1, keepdim=False"),
    "topk": Row({"topk": None}, "input, k, dim=-1, largest=True, sorted=True"),
    "sort": Row({"sort": None}, "input, dim=-1, descending=False, stable=True"),
    "argsort": Row({"argsort": None}, "input, dim=-1, descending=False, stable=True"),
    "normalize": Row({"normalize": None}, "input, p=2.0, dim=1, eps=1e-12"),
    # products
    "matmul": Row(
        {"dot": None, "mv": None, "vm": None, "matmul": None},
        "input, other",
        ((1, 1), (-1, 1), (1, -1), (-1, -1)),
    ),
    "mm": Row({"matmul": None}, "a->input, b->mat2", ((2, 2),)),
    "bmm": Row({"matmul": None}, "a->input, b->mat2", ((3, 3),)),
    "mv": Row({"mv": None}, "a->input, input->vec", ((2, 1),)),
    "dot": Row({"dot": None}, "input, other->tensor", ((1, 1),)),
    "vecdot": Row({"dot": None}, "input, other, dim=-1"),
    "outer": Row({"outer": None}, "input, other->vec2", ((1, 1),)),
    "addmm": Row({"addmm": None}, "input, a->mat1, b->mat2, *, beta=1, alpha=1"),
    "bilinear": Row({"bilinear": None}, "input->input1, other->input2, weight, bias=None"),
    # places
    "where": Row({"where": None}, "condition, input, other"),
    "roll": Row({"roll": None}, "input, shifts, dim->dims"),
    "flip": Row({"flip": None}, "input, dim->dims"),
    "scatter": Row({"scatter": None}, "input, dim, index, source->src"),
    "scatter_add": Row({"scatter_add": None}, "input, dim, index, source->src"),
    "take_along_dim": Row({"take_along_dim": None}, "input, index->indices, dim=-1"),
    "embedding": Row({"embedding": None}, "idx->input, weight"),
    "one_hot": Row({"one_hot": None}, "index->input, num_classes"),
    "tril": Row({"tril": None}, "input, diagonal=0"),
    "triu": Row({"triu": None}, "input, diagonal=0"),
}

ALIASES: Mapping[str, str] = {
    "absolute": "abs", "acosh": "acosh", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh",
    "arctan": "atan", "arctan2": "atan2", "arctanh": "atanh", "multiply": "mul", "subtract": "sub", "negative": "neg",
    "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le", "not_equal": "ne", "concat": "cat",
    "concatenate": "cat", "clip": "clamp", "fix": "trunc", "inner": "vecdot", "sgn": "sign", "divide": "div",
}  # fmt: skip
"""Other names that PyTorch has for functions."""

METHODS_ALONE = ("trace",)
"""Functions whose names mean something else in ``tw``: they are methods."""

DRAWN = "a function that draws from a generator is made of it"
MADE = "a function of new tensors is made of it: tw.arange and its like"
COUNTED = "how much it gives depends on the elements: a function counts first"
VIEW = "a view has its name"
PART = "it is part of the function"

WITHOUT: Mapping[str, str] = {
    "attention": "scaled_dot_product_attention", "grouped_attention": "scaled_dot_product_attention",
    "bernoulli": DRAWN, "dropout": DRAWN, "feature_dropout": DRAWN, "normal": DRAWN, "randint": DRAWN,
    "randperm": DRAWN, "uniform": DRAWN,
    "take": "a function of arrays of any shape is made of it",
    "nonzero": COUNTED, "masked_select": COUNTED, "unique": COUNTED, "unique_consecutive": COUNTED,
    "unique_count": COUNTED, "count_runs": COUNTED,
    "arange": MADE, "arange_whole": MADE, "eye": MADE, "fill": MADE, "linspace": MADE, "logspace": MADE,
    "diagonal": VIEW, "transpose": VIEW, "unfold": VIEW,
    "add_scaled": f"{PART} add", "sub_scaled": f"{PART} sub", "trunc_divide_float": f"{PART} div",
    "floor_divide_float": f"{PART} floor_divide", "fmod_int": f"{PART} fmod", "pow_int": f"{PART} pow",
    "sum_whole": f"{PART} sum", "prod_whole": f"{PART} prod", "cumsum_whole": f"{PART} cumsum",
    "cumprod_whole": f"{PART} cumprod", "convert": f"{PART} to", "vm": f"{PART} matmul",
}  # fmt: skip
"""Ops that are no functions under their own names, and why."""


@cache
def names() -> tuple[str, ...]:
    """The functions of the core: those of the table, then one per op that is in none of its rows."""
    return tuple(dict.fromkeys([*ROWS, *(n for n in ops.names() if n not in WITHOUT)]))


@cache
def form(name: str) -> forms.Form:
    """What the function ``name`` takes, which the core calls; ``name_`` is the one that writes into its operand."""
    if name not in names() and name.endswith("_"):
        plain = form(name[:-1])
        arguments = tuple(a for a in plain.arguments if a.role not in ("out", "dtype"))
        return plain._replace(name=name, arguments=arguments, in_place=True)
    row = ROWS.get(name, Row({name: None}))
    headers = [ops.header(op) for op in row.ops]
    made = forms.form(name, headers, list(row.ops.values()), row.signature, row.ranks)
    floats_alone = not any({*accepts[0]} & {*BOOL, *INTS} for accepts in made.accepts if accepts)
    return made._replace(widens=floats_alone and (row.widens or made.axes == "none"))


@cache
def get(name: str) -> Function:
    """The function of the core called ``name``."""
    return forms.function(form(name))


def writes(name: str) -> bool:
    """Whether the function ``name`` has one that writes into its first operand: its result is of the shape of that."""
    header = form(name).headers[0]
    first = header.inputs[0] if header.inputs else None
    same = len(header.results) == 1 and first is not None and header.results[0][2] == first[2]
    return same and forms.is_method(form(name)) and form(name).arguments[0].target == 0
