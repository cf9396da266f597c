"""Lowering: from a function of tensor IR to a plan of unscheduled loop-IR kernels."""

from tilewright.passes.lower.fit import fit_sizes
from tilewright.passes.lower.function import lower

__all__ = ["fit_sizes", "lower"]
