"""What kernels are compiled to: one folder per target, found by name through :mod:`tilewright.targets.target`."""

from importlib import import_module

_LIBRARIES = {"cpu": "tilewright.targets.cpu.library"}
"""Per target that needs one, the module that loads its library: without the rest of the compiler."""


def begin(target: str) -> None:
    """Begins what the target needs to make code, in the background; errors are for those that go on to make it."""
    if target in _LIBRARIES:
        import_module(_LIBRARIES[target]).begin()
