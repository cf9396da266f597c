"""The kernels that go step by step, in NumPy: their inputs, and what they make of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from grids import Array, grid


def definite(N: int) -> Array:
    """B B^T of a triangular B with ones on its diagonal."""
    B = grid(lambda i, j: 1 - j / N if j < i else float(i == j), N, N)
    return B @ B.T


# --- solvers ------------------------------------------------------------------------------------


def trisolv_inputs(N: int) -> tuple[Array, ...]:
    return grid(lambda i, j: 2 * (i + N - j + 1) / N if j <= i else 0, N, N), grid(lambda i: i, N)


def trisolv(L: Array, b: Array) -> Array:
    return np.linalg.solve(L, b)


def definite_inputs(N: int) -> tuple[Array, ...]:
    return (definite(N),)


def cholesky(A: Array) -> Array:
    return np.linalg.cholesky(A)


def lu(A: Array) -> Array:
    """Gaussian elimination without pivots; L is below the diagonal."""
    F = A.copy()
    for k in range(len(F)):
        F[k + 1 :, k] /= F[k, k]
        F[k + 1 :, k + 1 :] -= np.outer(F[k + 1 :, k], F[k, k + 1 :])
    return F


def ludcmp_inputs(N: int) -> tuple[Array, ...]:
    return definite(N), grid(lambda i: (i + 1) / (2 * N) + 4, N)


def ludcmp(A: Array, b: Array) -> Array:
    return np.linalg.solve(A, b)


def durbin_inputs(N: int) -> tuple[Array, ...]:
    return (grid(lambda i: N + 1 - i, N),)


def durbin(r: Array) -> Array:
    apart = np.abs(np.subtract.outer(np.arange(len(r)), np.arange(len(r))))
    return np.linalg.solve(np.where(apart == 0, 1, r[apart - 1]), -r)


def gramschmidt_inputs(M: int, N: int) -> tuple[Array, ...]:
    return (grid(lambda i, j: i * j % M / M * 100 + 10 + (100 if i == j else 0), M, N),)


def gramschmidt(A: Array) -> tuple[Array, Array]:
    Q, R = np.linalg.qr(A)
    signs = np.sign(np.diag(R))
    return Q * signs, R * signs[:, None]


# --- tables -------------------------------------------------------------------------------------


def floyd_warshall_inputs(N: int) -> tuple[Array, ...]:
    def path(i: int, j: int) -> int:
        return 999 if 0 in ((i + j) % 13, (i + j) % 7, (i + j) % 11) else i * j % 7 + 1

    return (grid(path, N, N).astype(np.int64),)


def floyd_warshall(path: Array) -> Array:
    found = path.copy()
    for k in range(len(found)):
        found = np.minimum(found, found[:, k, None] + found[k])
    return found


def nussinov_inputs(N: int) -> tuple[Array, ...]:
    return ((np.arange(N) + 1) % 4,)


def nussinov(sequence: Array) -> Array:
    count = len(sequence)
    table = np.zeros((count, count), np.int64)
    for i in reversed(range(count)):
        for j in range(i + 1, count):
            pair = table[i + 1, j - 1] + (i < j - 1 and sequence[i] + sequence[j] == 3)
            split = max((table[i, k] + table[k + 1, j] for k in range(i + 1, j)), default=0)
            table[i, j] = max(table[i, j - 1], table[i + 1, j], pair, split)
    return table


# --- stencils -----------------------------------------------------------------------------------


def jacobi_1d_inputs(N: int, T: int) -> tuple[Array, ...]:
    return grid(lambda i: (i + 2) / N, N), grid(lambda i: (i + 3) / N, N)


def jacobi_1d(A: Array, B: Array, T: int = 20) -> tuple[Array, Array]:
    A, B = A.copy(), B.copy()
    for _ in range(T):
        B[1:-1] = 0.33333 * (A[:-2] + A[1:-1] + A[2:])
        A[1:-1] = 0.33333 * (B[:-2] + B[1:-1] + B[2:])
    return A, B


def jacobi_2d_inputs(N: int, T: int) -> tuple[Array, ...]:
    return grid(lambda i, j: (i * (j + 2) + 2) / N, N, N), grid(lambda i, j: (i * (j + 3) + 3) / N, N, N)


def jacobi_2d(A: Array, B: Array, T: int = 10) -> tuple[Array, Array]:
    A, B = A.copy(), B.copy()
    for _ in range(T):
        for old, new in ((A, B), (B, A)):
            around = old[1:-1, :-2] + old[1:-1, 2:] + old[2:, 1:-1] + old[:-2, 1:-1]
            new[1:-1, 1:-1] = 0.2 * (old[1:-1, 1:-1] + around)
    return A, B


def seidel_2d_inputs(N: int, T: int) -> tuple[Array, ...]:
    return (grid(lambda i, j: (i * (j + 2) + 2) / N, N, N),)


def seidel_2d(A: Array, T: int = 10) -> Array:
    A = A.copy()
    for _ in range(T):
        for i in range(1, len(A) - 1):
            for j in range(1, len(A) - 1):
                A[i, j] = A[i - 1 : i + 2, j - 1 : j + 2].sum() / 9
    return A


def heat_3d_inputs(N: int, T: int) -> tuple[Array, ...]:
    return (grid(lambda i, j, k: 10 * (i + j + N - k) / N, N, N, N),)


def heat_3d(A: Array, T: int = 10) -> Array:
    A, inner = A.copy(), (slice(1, -1),) * 3
    for _ in range(2 * T):
        curved = sum(np.roll(A, 1, a) - 2 * A + np.roll(A, -1, a) for a in range(3))
        A[inner] += 0.125 * np.asarray(curved)[inner]
    return A


def fdtd_2d_inputs(NX: int, NY: int, T: int) -> tuple[Array, ...]:
    fields = ((1, NX), (2, NY), (3, NX))
    return *(grid(lambda i, j, a=a, n=n: i * (j + a) / n, NX, NY) for a, n in fields), grid(lambda t: t, T)


def fdtd_2d(ex: Array, ey: Array, hz: Array, source: Array) -> tuple[Array, Array, Array]:
    ex, ey, hz = ex.copy(), ey.copy(), hz.copy()
    for driven in source:
        ey[0] = driven
        ey[1:] -= 0.5 * np.diff(hz, axis=0)
        ex[:, 1:] -= 0.5 * np.diff(hz, axis=1)
        hz[:-1, :-1] -= 0.7 * (np.diff(ex, axis=1)[:-1] + np.diff(ey, axis=0)[:, :-1])
    return ex, ey, hz


def adi_inputs(N: int, T: int) -> tuple[Array, ...]:
    return (grid(lambda i, j: (i + N - j) / N, N, N),)


def adi(U: Array, T: int = 5) -> Array:
    """Half a step is implicit in one direction, with ones on the border, and explicit in the other."""
    U, N = U.copy(), len(U)
    a = N * N / T
    for _ in range(T):
        V = _half(U, a, a / 2)
        U[1:-1] = _half(V.T, a / 2, a).T[1:-1]
    return U


def _half(U: Array, implicit: float, explicit: float) -> Array:
    """For each inner column of ``U`` the system along it, whose right side is of the column and its neighbours."""
    N = len(U)
    system = np.diag(np.full(N, 1 + 2 * implicit)) - implicit * (np.eye(N, k=1) + np.eye(N, k=-1))
    system[0], system[-1] = np.eye(N)[0], np.eye(N)[-1]
    known = np.ones((N, N))
    known[:, 1:-1] = explicit * (U[:, :-2] + U[:, 2:]) + (1 - 2 * explicit) * U[:, 1:-1]
    known[0], known[-1] = 1, 1
    return np.linalg.solve(system, known)


KERNELS: dict[str, tuple[Callable[..., tuple[Array, ...]], Callable[..., Any]]] = {
    "adi": (adi_inputs, adi),
    "cholesky": (definite_inputs, cholesky),
    "durbin": (durbin_inputs, durbin),
    "fdtd-2d": (fdtd_2d_inputs, fdtd_2d),
    "floyd-warshall": (floyd_warshall_inputs, floyd_warshall),
    "gramschmidt": (gramschmidt_inputs, gramschmidt),
    "heat-3d": (heat_3d_inputs, heat_3d),
    "jacobi-1d": (jacobi_1d_inputs, jacobi_1d),
    "jacobi-2d": (jacobi_2d_inputs, jacobi_2d),
    "lu": (definite_inputs, lu),
    "ludcmp": (ludcmp_inputs, ludcmp),
    "nussinov": (nussinov_inputs, nussinov),
    "seidel-2d": (seidel_2d_inputs, seidel_2d),
    "trisolv": (trisolv_inputs, trisolv),
}
