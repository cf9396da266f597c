"""The shipped operators, each defined in a ``.tw`` file of this folder: ``tw.ops.softmax(x)``."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from tilewright.compiler.op import Op, load_ops
from tilewright.dsl.digest import Digest


@cache
def _all() -> dict[str, Op]:
    found: dict[str, Op] = {}
    folder = {file.name: file for file in files(__package__).iterdir()}
    built = folder.get("digest.json")
    digest = Digest(built.read_text(encoding="utf-8")) if built else None
    for name in sorted(n for n in folder if n.endswith(".tw")):
        found |= load_ops(folder[name].read_text(encoding="utf-8"), name, digest=digest)
    return found


def names() -> list[str]:
    """The names of all shipped operators."""
    return list(_all())


def get(name: str) -> Op:
    """The shipped operator called ``name``; AttributeError if there is none."""
    if name not in _all():
        raise AttributeError(f"there is no shipped op {name!r}; there are {', '.join(_all())}")
    return _all()[name]


def __getattr__(name: str) -> Op:
    return get(name)


def __dir__() -> list[str]:
    return ["get", "names", *names()]
