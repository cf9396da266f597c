"""Where random numbers come from: a generator counts how many numbers of one endless sequence were drawn.

The sequence is Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011),
keyed by the seed: number i is the same whatever the threads, the target and the layout of the tensor.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from tilewright.errors import CallError, CallTypeError
from tilewright.runtime import Tensor, to_tensor
from tilewright.runtime.dtypes import uint8
from tilewright.stdlib.tensor.arguments import integer, placed, source

__all__ = [
    "Generator", "default_generator", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state",
]  # fmt: skip

_FULL = 1 << 64


class Generator:
    """A source of random numbers: a seed, and how many blocks of four were drawn. Not safe for several threads at once.

    It starts with the seed 67280421310721. The numbers are those of Philox4x32-10, keyed by the seed.

    >>> import tilewright as tw
    >>> g = tw.Generator().manual_seed(3)
    >>> a = tw.rand(4, generator=g)
    >>> a.tolist() == tw.rand(4, generator=tw.Generator().manual_seed(3)).tolist()
    True
    """

    def __init__(self, device: Any = "cpu") -> None:
        placed(device, False)
        self._seed, self._drawn = 67280421310721, 0

    def manual_seed(self, seed: int) -> Generator:
        """Starts the sequence of ``seed``, a whole number of 64 bits, negative ones from the end; returns itself.

        CallTypeError for what is no int, CallError for more bits.

        >>> import tilewright as tw
        >>> tw.Generator().manual_seed(-1).initial_seed() == 2**64 - 1
        True
        """
        number = integer("manual_seed(): the seed", seed)
        if not -_FULL // 2 <= number < _FULL:
            raise CallError(f"manual_seed(): the seed {number} has more than 64 bits", hint="as in manual_seed(0)")
        self._seed, self._drawn = number % _FULL, 0
        return self

    def seed(self) -> int:
        """Starts the sequence of a seed that the system draws, which is returned.

        >>> import tilewright as tw
        >>> g = tw.Generator()
        >>> g.seed() == g.initial_seed()
        True
        """
        self.manual_seed(int.from_bytes(os.urandom(8), "little"))
        return self._seed

    def initial_seed(self) -> int:
        """The seed.

        >>> import tilewright as tw
        >>> tw.Generator().manual_seed(3).initial_seed()
        3
        """
        return self._seed

    def get_state(self) -> Tensor:
        """Seed and number of blocks drawn as a uint8 tensor of 16 elements, for :meth:`set_state`.

        >>> import tilewright as tw
        >>> tw.Generator().manual_seed(3).get_state()[:2].tolist()
        [3, 0]
        """
        state = self._seed.to_bytes(8, "little") + self._drawn.to_bytes(8, "little")
        return to_tensor(np.frombuffer(bytearray(state), np.uint8))

    def set_state(self, state: Any) -> Generator:
        """Goes on where the generator was that gave ``state``, a uint8 tensor of 16 elements; returns itself.

        Any 16 bytes are a state: a seed, then how many blocks were drawn, little end first. CallTypeError for another
        dtype, CallError for another shape.

        >>> import tilewright as tw
        >>> g, other = tw.Generator().manual_seed(3), tw.Generator()
        >>> a = tw.rand(4, generator=g)
        >>> tw.rand(4, generator=other.set_state(g.get_state())).tolist() == tw.rand(4, generator=g).tolist()
        True
        """
        given = source("set_state", state, "state")
        if given.dtype is not uint8:
            raise CallTypeError(f"a state is of tilewright.uint8, not {given.dtype}", hint="get_state() gives one")
        if tuple(given.shape) != (16,):
            raise CallError(f"a state has the shape [16], not {[*given.shape]}", hint="get_state() gives one")
        raw = bytes(np.asarray(given))
        self._seed, self._drawn = int.from_bytes(raw[:8], "little"), int.from_bytes(raw[8:], "little")
        return self

    def take(self, count: int) -> dict[str, int]:
        """The seed and the offset, in blocks of four, of the next ``count`` numbers, which count as drawn: keywords of
        ops.

        >>> import tilewright as tw
        >>> g = tw.Generator().manual_seed(3)
        >>> g.take(5), g.take(1)
        ({'seed': 3, 'offset': 0}, {'seed': 3, 'offset': 2})
        """
        offset = self._drawn
        self._drawn = (self._drawn + -(-count // 4)) % _FULL
        return {"seed": self._seed, "offset": offset}


default_generator = Generator()
"""What draws where no generator is given."""


def manual_seed(seed: int) -> Generator:
    """Starts the default generator, which is returned, anew with ``seed``: see :meth:`Generator.manual_seed` for
    errors.

    >>> import tilewright as tw
    >>> g = tw.manual_seed(0)
    >>> a = tw.randn(3)
    >>> g = tw.manual_seed(0)
    >>> a.tolist() == tw.randn(3).tolist()
    True
    """
    return default_generator.manual_seed(seed)


def seed() -> int:
    """Starts the default generator anew with a seed that the system draws, which is returned.

    >>> import tilewright as tw
    >>> tw.seed() == tw.initial_seed()
    True
    """
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator.

    >>> import tilewright as tw
    >>> tw.manual_seed(3).initial_seed() == tw.initial_seed()
    True
    """
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator, a uint8 tensor of 16 elements.

    >>> import tilewright as tw
    >>> tw.get_rng_state().shape
    (16,)
    """
    return default_generator.get_state()


def set_rng_state(new_state: Any) -> None:
    """Sets the state of the default generator: see :meth:`Generator.set_state`.

    >>> import tilewright as tw
    >>> state = tw.get_rng_state()
    >>> a = tw.rand(2)
    >>> tw.set_rng_state(state)
    >>> a.tolist() == tw.rand(2).tolist()
    True
    """
    default_generator.set_state(new_state)


def chosen(generator: Generator | None) -> Generator:
    """The generator that is given, or the default one. CallTypeError for what is none."""
    own = default_generator if generator is None else generator
    if not isinstance(own, Generator):
        raise CallTypeError(f"generator={own!r} is no tw.Generator", hint="tw.Generator() makes one")
    return own
