"""How much of what a text may hold."""

from __future__ import annotations

MAX_DIGITS = 50
"""Of a whole number in any text: more than any dtype has, and few enough to compute with."""
MAX_INDEX_DEPTH = 50
"""Of divisions, remainders and extrema inside each other."""
