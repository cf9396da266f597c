"""The shipped ops whose number of operands or axes is open: written by a builder, then as any other op."""

from __future__ import annotations

from tilewright.stdlib.families.einsum import einsum
from tilewright.stdlib.families.getitem import getitem
from tilewright.stdlib.families.join import concat, stack

__all__ = ["concat", "einsum", "getitem", "stack"]
