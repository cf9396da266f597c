"""What stands before the kernels: the types of the ABI and the helper functions that are used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tilewright.ir.types import ALL, DType

ABI = """\
typedef struct {
    int64_t lock, code, operand, position, value;  /* code 0: no error */
} TwStatus;

typedef struct {
    void *const *data;        /* inputs, then outputs */
    const int64_t *table;     /* the size table: head, then tail */
    const uint64_t *scalars;  /* one cell per run-time scalar */
    char *scratch;            /* 64-byte aligned, shared by all tasks */
    TwStatus *status;
    const int64_t *counters;  /* one per enclosing repeat, outermost first */
} TwArgs;
"""

C_TYPES = {
    "bool": "uint8_t",
    **{f"i{b}": f"int{b}_t" for b in (8, 16, 32, 64)},
    **{f"u{b}": f"uint{b}_t" for b in (8, 16, 32, 64)},
    "f32": "float",
    "f64": "double",
}
"""The C type of a value, in memory too."""

_FIXED = {
    "tw_floordiv": """\
/* Floor division; by 0 it gives 0, and it wraps around. */
static inline int64_t tw_floordiv(int64_t a, int64_t b)
{
    if (b == 0)
        return 0;
    if (b == -1)
        return (int64_t)(0 - (uint64_t)a);
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}
""",
    "tw_floormod": """\
/* The remainder of floor division; by 0 it gives 0. */
static inline int64_t tw_floormod(int64_t a, int64_t b)
{
    if (b == 0 || b == -1)
        return 0;
    const int64_t r = a % b;
    return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}
""",
    "tw_min": """\
static inline int64_t tw_min(int64_t a, int64_t b)
{
    return b < a ? b : a;
}
""",
    "tw_max": """\
static inline int64_t tw_max(int64_t a, int64_t b)
{
    return a < b ? b : a;
}
""",
    "tw_ctz": """\
/* The number of trailing zero bits of a positive value. */
static inline int64_t tw_ctz(int64_t a)
{
    int64_t n = 0;
    for (; a > 0 && !(a & 1); a >>= 1)
        ++n;
    return n;
}
""",
    "tw_note": """\
/* Notes an index that is out of range; of several the one with the lowest (operand, position) stays. */
static void tw_note(TwStatus *status, int64_t operand, int64_t position, int64_t value)
{
    int64_t unlocked = 0;
    while (!__atomic_compare_exchange_n(&status->lock, &unlocked, 1, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        unlocked = 0;
    if (!status->code || operand < status->operand || (operand == status->operand && position < status->position)) {
        status->code = 1;
        status->operand = operand;
        status->position = position;
        status->value = value;
    }
    __atomic_store_n(&status->lock, 0, __ATOMIC_RELEASE);
}
""",
}


def _pun(name: str, source: str, to: str) -> str:
    return f"""\
static inline {to} {name}({source} x)
{{
    union {{ {source} from; {to} to; }} u = {{ x }};
    return u.to;
}}
"""


def saturating_name(source: DType, to: DType) -> str:
    """The helper that casts a float to an integer."""
    return f"tw_{source}_to_{to}"


def _saturating(source: DType, to: DType) -> str:
    signed = to.kind == "int"
    power = to.bits - signed
    least, low = (f"-0x1p{power}", f"INT{to.bits}_MIN") if signed else ("0", "0")
    high = f"{'INT' if signed else 'UINT'}{to.bits}_MAX"
    return f"""\
/* Truncates; outside of the range it saturates, NaN gives 0. */
static inline {C_TYPES[to.name]} {saturating_name(source, to)}({C_TYPES[source.name]} x)
{{
    if (x != x)
        return 0;
    return x <= {least} ? {low} : x >= 0x1p{power} ? {high} : ({C_TYPES[to.name]})x;
}}
"""


def _helpers() -> Iterator[tuple[str, str]]:
    yield from _FIXED.items()
    for name, source, to in (
        ("tw_f32_bits", "float", "uint32_t"),
        ("tw_bits_f32", "uint32_t", "float"),
        ("tw_f64_bits", "double", "uint64_t"),
        ("tw_bits_f64", "uint64_t", "double"),
    ):
        yield name, _pun(name, source, to)
    for source_type in (t for t in ALL if t.kind == "float" and t.name in C_TYPES):
        for to_type in (t for t in ALL if t.is_integer):
            yield saturating_name(source_type, to_type), _saturating(source_type, to_type)


HELPERS = dict(_helpers())


def used_helpers(text: str) -> Iterable[str]:
    """The definitions of the helpers that ``text`` calls."""
    used = set(re.findall(r"\btw_\w+", text))
    return [definition for name, definition in HELPERS.items() if name in used]
