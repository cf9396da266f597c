"""Runs loaded kernels through the ABI (see tilewright/testing/abi.py)."""

from tilewright.testing.abi import call_sizes, run

__all__ = ["call_sizes", "run"]
