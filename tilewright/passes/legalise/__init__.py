"""Legalisation: a plan rewritten in the operations that a target has.

What a target lacks is expanded into branch-free scalar IR, the same on all targets, so that the bits of a
result do not depend on who computed it.
"""

from tilewright.passes.legalise.expand import expansion, legalise, signature

__all__ = ["expansion", "legalise", "signature"]
