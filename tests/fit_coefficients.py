"""Fits the polynomials of ``passes/legalise/math/coefficients.py`` and rewrites it.

``python tests/fit_coefficients.py``

Each is the interpolation at Chebyshev points, computed with 60 digits (mpmath), lowest power first, each coefficient
rounded to the format. It is within a small factor of the minimax polynomial of its degree. What is
printed is the largest error on a grid.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpmath import mp, mpf

from tilewright.passes.legalise.math.exponential import EXP_TERMS

TARGET = Path(__file__).parent.parent / "tilewright" / "passes" / "legalise" / "math" / "coefficients.py"
mp.dps = 60

Real = Callable[[Any], Any]


@dataclass(frozen=True)
class Fit:
    """``f`` on ``low..high``; ``degrees``: for f32 and for f64; ``text`` is the comment.

    ``single``: the format of the coefficients for f32; ``single_high``: where its interval ends, if elsewhere.
    """

    name: str
    text: str
    f: Real
    low: Any
    high: Any
    degrees: tuple[int | None, int | None]
    single: str = "f"
    single_high: Any = None


def interpolate(f: Real, low: Any, high: Any, degree: int) -> list[Any]:
    """The monomial coefficients of the polynomial through the Chebyshev points of the interval."""
    n = degree + 1
    middle, half = (mpf(low) + high) / 2, (mpf(high) - low) / 2
    points = [middle + half * mp.cos((2 * k + 1) * mp.pi / (2 * n)) for k in range(n)]
    table = [f(x) for x in points]
    for order in range(1, n):
        for k in range(n - 1, order - 1, -1):
            table[k] = (table[k] - table[k - 1]) / (points[k] - points[k - order])
    result = [table[-1]]
    for k in range(n - 2, -1, -1):
        shifted = [mpf(0), *result]
        result = [a - points[k] * b for a, b in zip(shifted, [*result, mpf(0)], strict=True)]
        result[0] += table[k]
    return result


def rounded(value: Any, code: str) -> float:
    return float(struct.unpack(code, struct.pack(code, float(value)))[0])


def error(f: Real, low: Any, high: Any, coefficients: list[float]) -> float:
    """The binary exponent of the largest error on a grid."""
    points = [low + (mpf(high) - low) * (k + mpf("0.37")) / 300 for k in range(300)]
    return float(mp.log(max(abs(mp.polyval(coefficients[::-1], x) - f(x)) for x in points), 2))


def odd(f: Real) -> Real:
    """(f(s) / s - 1) / z in z = s^2."""
    return lambda z: (f(mp.sqrt(z)) / mp.sqrt(z) - 1) / z


def erfinv_of(w: Any) -> Any:
    """erfinv(p) / p where w = -log(1 - p^2)."""
    with mp.workdps(90):
        p = mp.sqrt(-mp.expm1(-w))
        return inverse_erf(p, -w) / p


def inverse_erf(p: Any, log_rest: Any) -> Any:
    """erfinv by Newton steps on log erfc; ``log_rest`` is log(1 - p^2)."""
    q = mp.exp(log_rest) / (1 + p)  # 1 - p
    x = mp.sqrt(-log_rest) if p > 0.9 else p
    for _ in range(60):
        step = (mp.erfc(x) - q) / (2 / mp.sqrt(mp.pi) * mp.exp(-x * x))
        x, last = x + step, x
        if abs(x - last) < mpf(10) ** -50:
            break
    return x


def log_tail(z: Any) -> Any:
    """(log((1+s)/(1-s)) / s - 2 - 2/3 z - 2/5 z^2) / z^3 in z = s^2."""
    return 2 * sum(z**k / (2 * k + 7) for k in range(45))


def sine_tail(z: Any) -> Any:
    """(sin(t)/t - 1 + z/6 - z^2/120) / z^3 in z = t^2."""
    return -sum((-z) ** k / mp.factorial(2 * k + 7) for k in range(30))


def exp_rest(r: Any) -> Any:
    """What the terms below r^EXP_TERMS leave of e^r, over r^EXP_TERMS."""
    return sum(r**k / mp.factorial(k + EXP_TERMS) for k in range(40))


QUARTER = (mp.pi / 4 * mpf("1.0001")) ** 2

FITS = [
    Fit("EXP2", "(2^f - 1) / f on |f| <= 1/2", lambda f: mp.expm1(f * mp.log(2)) / f, -0.5, 0.5, (6, 12)),
    Fit("TANH", "(tanh(s)/s - 1)/z, z = s^2, on s <= 0.6", odd(mp.tanh), 0, mpf("0.3601"), (5, 14)),
    Fit("ERF", "erf(s)/s - 1, z = s^2, on s <= 0.9", lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1, 0, 0.811, (6, 13)),
    Fit(
        "ERF_TAIL",
        "-log(erfc(1 + u)), on 0.9 <= 1 + u <= 4 (f32), 6 (f64)",
        lambda u: -mp.log(mp.erfc(u + 1)),
        mpf("-0.1001"),
        5,
        (9, 29),
        single_high=3,
    ),
    Fit("SIN", "(sin(r)/r - 1)/z, z = r^2, on r <= pi/4", odd(mp.sin), 0, QUARTER, (3, 7), "d"),
    Fit("COS", "(cos(r) - 1 + z/2)/z^2", lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, 0, QUARTER, (3, 7), "d"),
    Fit("ATAN", "(atan(t)/t - 1)/z, z = t^2, on t <= 1", odd(mp.atan), 0, 1, (10, 24)),
    Fit("ASIN", "(asin(s)/s - 1)/z, z = s^2, on s <= 1/2", odd(mp.asin), 0, mpf("0.25001"), (6, 15)),
    Fit(
        "ERFCX",
        "(1 + 2a) e^(a^2) erfc(a), t = (a - 4)/(a + 4)",
        lambda t: (
            (1 + 2 * (4 * (1 + t) / (1 - t))) * mp.exp((4 * (1 + t) / (1 - t)) ** 2) * mp.erfc(4 * (1 + t) / (1 - t))
        ),
        -1,
        mpf("0.76"),
        (None, 26),
    ),
    Fit("LOG_TAIL", "(log((1+s)/(1-s))/s - 2 - 2/3 z - 2/5 z^2)/z^3", log_tail, 0, mpf("0.02945"), (None, 7)),
    Fit("SINE_TAIL", "(sin(t)/t - 1 + z/6 - z^2/120)/z^3, t <= pi/2", sine_tail, 0, mpf("2.4675"), (None, 8)),
    Fit(
        "EXP_REST", f"(e^r - the sum of r^k/k! for k < {EXP_TERMS})/r^{EXP_TERMS}", exp_rest, -0.3467, 0.3467, (None, 7)
    ),
    Fit("ERFINV_NEAR", "erfinv(p)/p, u = -log(1 - p^2) - 3, on u <= 3", lambda u: erfinv_of(u + 3), -3, 3, (10, 25)),
    Fit(
        "ERFINV_MIDDLE",
        "erfinv(p)/p, u = sqrt(-log(1 - p^2)) - 3.25, up to 4.1",
        lambda u: erfinv_of((u + 3.25) ** 2),
        -0.81,
        0.85,
        (9, 23),
    ),
    Fit(
        "ERFINV_FAR",
        "erfinv(p)/p, u = sqrt(-log(1 - p^2)) - 5, up to 6.1",
        lambda u: erfinv_of((u + 5) ** 2),
        -1.05,
        1.1,
        (None, 22),
    ),
]


def literal(coefficients: list[float]) -> str:
    words = [c.hex() for c in coefficients]
    lines: list[str] = [""]
    for word in words:
        if len(lines[-1]) + len(word) > 100:
            lines.append("")
        lines[-1] += word + " "
    return "\n".join(f'        "{line}"' for line in lines)


def main() -> None:
    parts = [
        '"""Polynomials of the expansions, written by ``tests/fit_coefficients.py``: lowest power first."""',
        "",
        "from __future__ import annotations",
        "",
        "from collections.abc import Mapping",
        "",
        "from tilewright.ir.types import F32, F64, DType",
        "",
        "Coefficients = Mapping[DType, tuple[float, ...]]",
        "",
        "",
        "def _hex(text: str) -> tuple[float, ...]:",
        "    return tuple(map(float.fromhex, text.split()))",
        "",
        "",
    ]
    for fit in FITS:
        parts.append(f"# {fit.text}")
        parts.append(f"{fit.name}: Coefficients = {{")
        notes = []
        for dtype, degree, code in (("F32", fit.degrees[0], fit.single), ("F64", fit.degrees[1], "d")):
            if degree is not None:
                high = fit.high if dtype == "F64" else fit.single_high or fit.high
                coefficients = [rounded(c, code) for c in interpolate(fit.f, fit.low, high, degree)]
                parts.append(f"    {dtype}: _hex(\n{literal(coefficients)}\n    ),")
                notes.append(f"{dtype} 2^{error(fit.f, fit.low, high, coefficients):.1f}")
        parts.append("}")
        print(fit.name, *notes, flush=True)
    TARGET.write_text("\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
