"""The kernels in NumPy: for each its inputs, and what it makes of them, written from its mathematics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
ALPHA, BETA = 1.5, 1.2


def grid(function: Callable[..., Any], *shape: int) -> Array:
    """The array whose element at (i, j, ...) is ``function(i, j, ...)``."""
    found = np.fromfunction(np.vectorize(function, otypes=[float]), shape, dtype=int) if 0 not in shape else 0.0
    return np.broadcast_to(found, shape).astype(np.float64)


# --- products -----------------------------------------------------------------------------------


def gemm_inputs(NI: int, NJ: int, NK: int) -> tuple[Array, ...]:
    return (
        grid(lambda i, k: i * (k + 1) % NK / NK, NI, NK),
        grid(lambda k, j: k * (j + 2) % NJ / NJ, NK, NJ),
        grid(lambda i, j: (i * j + 1) % NI / NI, NI, NJ),
    )


def gemm(A: Array, B: Array, C: Array) -> Array:
    return BETA * C + ALPHA * A @ B


def two_mm_inputs(NI: int, NJ: int, NK: int, NL: int) -> tuple[Array, ...]:
    return (
        grid(lambda i, k: (i * k + 1) % NI / NI, NI, NK),
        grid(lambda k, j: k * (j + 1) % NJ / NJ, NK, NJ),
        grid(lambda j, n: (j * (n + 3) + 1) % NL / NL, NJ, NL),
        grid(lambda i, n: i * (n + 2) % NK / NK, NI, NL),
    )


def two_mm(A: Array, B: Array, C: Array, D: Array) -> Array:
    return BETA * D + ALPHA * A @ B @ C


def three_mm_inputs(NI: int, NJ: int, NK: int, NL: int, NM: int) -> tuple[Array, ...]:
    return (
        grid(lambda i, k: (i * k + 1) % NI / (5 * NI), NI, NK),
        grid(lambda k, j: (k * (j + 1) + 2) % NJ / (5 * NJ), NK, NJ),
        grid(lambda j, m: j * (m + 3) % NL / (5 * NL), NJ, NM),
        grid(lambda m, n: (m * (n + 2) + 2) % NK / (5 * NK), NM, NL),
    )


def three_mm(A: Array, B: Array, C: Array, D: Array) -> Array:
    return (A @ B) @ (C @ D)


def doitgen_inputs(NR: int, NQ: int, NP: int) -> tuple[Array, ...]:
    return grid(lambda r, q, s: (r * q + s) % NP / NP, NR, NQ, NP), grid(lambda s, p: s * p % NP / NP, NP, NP)


def doitgen(A: Array, C: Array) -> Array:
    return np.einsum("rqs,sp->rqp", A, C)


# --- triangles ----------------------------------------------------------------------------------


def symm_inputs(M: int, N: int) -> tuple[Array, ...]:
    return (
        grid(lambda i, j: (i + j) % 100 / M if j <= i else -999, M, M),
        grid(lambda i, j: (N + i - j) % 100 / M, M, N),
        grid(lambda i, j: (i + j) % 100 / M, M, N),
    )


def symm(A: Array, B: Array, C: Array) -> Array:
    return BETA * C + ALPHA * (np.tril(A) + np.tril(A, -1).T) @ B


def syrk_inputs(M: int, N: int) -> tuple[Array, ...]:
    return grid(lambda i, k: (i * k + 1) % N / N, N, M), grid(lambda i, j: (i * j + 2) % M / M, N, N)


def syrk(A: Array, C: Array) -> Array:
    return np.tril(BETA * C + ALPHA * A @ A.T) + np.triu(C, 1)


def syr2k_inputs(M: int, N: int) -> tuple[Array, ...]:
    return (
        grid(lambda i, k: (i * k + 1) % N / N, N, M),
        grid(lambda i, k: (i * k + 2) % M / M, N, M),
        grid(lambda i, j: (i * j + 3) % N / M, N, N),
    )


def syr2k(A: Array, B: Array, C: Array) -> Array:
    return np.tril(BETA * C + ALPHA * (A @ B.T + B @ A.T)) + np.triu(C, 1)


def trmm_inputs(M: int, N: int) -> tuple[Array, ...]:
    return (
        grid(lambda i, j: (i + j) % M / M if j < i else 1 if j == i else -999, M, M),
        grid(lambda i, j: (N + i - j) % N / N, M, N),
    )


def trmm(A: Array, B: Array) -> Array:
    return ALPHA * (np.tril(A, -1) + np.eye(len(A))).T @ B


# --- matrices and vectors -----------------------------------------------------------------------


def atax_inputs(M: int, N: int) -> tuple[Array, ...]:
    return grid(lambda i, j: (i + j) % N / (5 * M), M, N), grid(lambda j: 1 + j / N, N)


def atax(A: Array, x: Array) -> Array:
    return A.T @ (A @ x)


def bicg_inputs(M: int, N: int) -> tuple[Array, ...]:
    return grid(lambda i, j: i * (j + 1) % N / N, N, M), grid(lambda i: i / N, N), grid(lambda j: j / M, M)


def bicg(A: Array, r: Array, p: Array) -> tuple[Array, Array]:
    return A.T @ r, A @ p


def mvt_inputs(N: int) -> tuple[Array, ...]:
    vectors = (grid(lambda i, k=k: (i + k) % N / N, N) for k in (0, 1, 3, 4))
    return grid(lambda i, j: i * j % N / N, N, N), *vectors


def mvt(A: Array, x1: Array, x2: Array, y1: Array, y2: Array) -> tuple[Array, Array]:
    return x1 + A @ y1, x2 + A.T @ y2


def gemver_inputs(N: int) -> tuple[Array, ...]:
    vectors = (grid(lambda i, k=k: (i + 1) / (k * N), N) for k in (4, 2, 6, 8, 9))
    return grid(lambda i, j: i * j % N / N, N, N), grid(lambda i: i, N), *vectors


def gemver(A: Array, u1: Array, v1: Array, u2: Array, v2: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
    B = A + np.outer(u1, v1) + np.outer(u2, v2)
    x = BETA * B.T @ y + z
    return B, x, ALPHA * B @ x


def gesummv_inputs(N: int) -> tuple[Array, ...]:
    matrices = (grid(lambda i, j, k=k: (i * j + k) % N / N, N, N) for k in (1, 2))
    return *matrices, grid(lambda i: i / N, N)


def gesummv(A: Array, B: Array, x: Array) -> Array:
    return ALPHA * A @ x + BETA * B @ x


# --- statistics ---------------------------------------------------------------------------------


def covariance_inputs(M: int, N: int) -> tuple[Array, ...]:
    return (grid(lambda i, j: i * j / M, N, M),)


def covariance(data: Array) -> Array:
    centred = data - data.mean(0)
    return centred.T @ centred / (len(data) - 1)


def correlation_inputs(M: int, N: int) -> tuple[Array, ...]:
    return (grid(lambda i, j: i * j / M + i, N, M),)


def correlation(data: Array) -> Array:
    deviation = data.std(0)
    scaled = (data - data.mean(0)) / np.where(deviation <= 0.1, 1, deviation)
    found = scaled.T @ scaled / len(data)
    np.fill_diagonal(found, 1)
    return found


# --- filters ------------------------------------------------------------------------------------


def deriche_inputs(W: int, H: int) -> tuple[Array, ...]:
    return (grid(lambda i, j: (313 * i + 991 * j) % 65536 / 65535, W, H).astype(np.float32),)


def deriche(image: Array) -> Array:
    alpha = 0.25
    k = (1 - np.exp(-alpha)) ** 2 / (1 + 2 * alpha * np.exp(-alpha) - np.exp(2 * alpha))
    ahead = k, k * np.exp(-alpha) * (alpha - 1)
    behind = k * np.exp(-alpha) * (alpha + 1), -k * np.exp(-2 * alpha)
    past = 2**-alpha, -np.exp(-2 * alpha)

    def filtered(x: Array, here: int, weights: tuple[float, float]) -> Array:
        """Along the last axis; ``here`` is 0 if the first weight is for the element itself, 1 for the one before."""
        padded, y = np.pad(x, [(0, 0), (2, 0)]), np.zeros((len(x), x.shape[1] + 2))
        for j in range(2, y.shape[1]):
            own = weights[0] * padded[:, j - here] + weights[1] * padded[:, j - here - 1]
            y[:, j] = own + past[0] * y[:, j - 1] + past[1] * y[:, j - 2]
        return y[:, 2:]

    def smoothed(x: Array) -> Array:
        return filtered(x, 0, ahead) + filtered(x[:, ::-1], 1, behind)[:, ::-1]

    return smoothed(smoothed(image.astype(np.float64)).T).T


KERNELS: Mapping[str, tuple[Callable[..., tuple[Array, ...]], Callable[..., Any]]] = {
    "2mm": (two_mm_inputs, two_mm),
    "3mm": (three_mm_inputs, three_mm),
    "atax": (atax_inputs, atax),
    "bicg": (bicg_inputs, bicg),
    "correlation": (correlation_inputs, correlation),
    "covariance": (covariance_inputs, covariance),
    "deriche": (deriche_inputs, deriche),
    "doitgen": (doitgen_inputs, doitgen),
    "gemm": (gemm_inputs, gemm),
    "gemver": (gemver_inputs, gemver),
    "gesummv": (gesummv_inputs, gesummv),
    "mvt": (mvt_inputs, mvt),
    "symm": (symm_inputs, symm),
    "syr2k": (syr2k_inputs, syr2k),
    "syrk": (syrk_inputs, syrk),
    "trmm": (trmm_inputs, trmm),
}
"""What makes the inputs of a kernel from its sizes, and what the kernel makes of them."""
