"""The methods of tensors that are functions too; ``methods.pyi``, which ``make docs`` writes, lists them."""

from __future__ import annotations


class Methods:
    """What tensors inherit: :func:`tilewright.stdlib.tensor.functions.install` fills it."""

    __slots__ = ()
