"""Our data classes behave as those of the standard library do, method by method."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from dataclasses import field
from functools import partial
from typing import Any

import pytest

from tilewright import records
from tilewright.ir.intern import Interned

Decorator = Callable[..., Any]


def point(dataclass: Decorator, **options: bool) -> Any:
    @dataclass(**options)
    class Point:
        x: float
        y: int = 2
        where: str = field(default="here", compare=False, repr=False)
        seen: list[int] = field(default_factory=list)

    return Point


def checked(dataclass: Decorator, **options: bool) -> Any:
    @dataclass(**options)
    class Checked:
        """Refuses a negative value."""

        value: int

        def __post_init__(self) -> None:
            if self.value < 0:
                raise ValueError("negative")

        def __repr__(self) -> str:
            return f"<{self.value}>"

    return Checked


def derived(dataclass: Decorator, **options: bool) -> Any:
    @dataclass(**options)
    class Base:
        first: int

    @dataclass(**options)
    class Derived(Base):
        second: int = 5

    return Derived


def empty(dataclass: Decorator, **options: bool) -> Any:
    @dataclass(**options)
    class Empty:
        pass

    return Empty


MAKERS = [point, checked, derived, empty]
ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    ((1,), {}),
    ((-1,), {}),
    ((1, 2), {}),
    ((1, 3), {}),
    ((float("nan"),), {}),
    ((1, 2, "there"), {}),
    ((1,), {"seen": [1]}),
    ((1, 2, "there", [1]), {}),
    ((1, 2, 3, 4, 5), {}),
    ((), {"x": 1}),
    ((), {"first": 1, "second": 5}),
    ((1,), {"second": 6}),
    ((1,), {"x": 1}),
    ((1,), {"unknown": 1}),
]
OPTIONS: list[dict[str, bool]] = [{}, {"frozen": True}, {"eq": False}, {"frozen": True, "eq": False}]


def outcome(run: Callable[[], Any]) -> Any:
    """What it gives, or the class of what it raises."""
    try:
        return run()
    except Exception as e:
        return type(e)


def facts(cls: Any) -> list[Any]:
    """What can be seen of a class: its instances' texts, fields, equality, hashes and refusals."""
    made = [outcome(partial(cls, *a, **k)) for a, k in ARGUMENTS]
    objects = [m for m in made if not isinstance(m, type)]
    texts = [m if isinstance(m, type) else repr(m) if "object at" not in repr(m) else "" for m in made]
    values = [{f.name: getattr(o, f.name) for f in dataclasses.fields(o)} for o in objects]
    equal = [[a == b for b in objects] for a in objects]
    other = [(o == 1, o == "x", o != objects[0]) for o in objects]
    hashes = [isinstance(outcome(partial(hash, o)), int) for o in objects]
    replaced = [outcome(lambda o=o: repr(dataclasses.replace(o, **values[0]))) for o in objects]
    written = [outcome(partial(setattr, o, n, 9)) for o in objects for n in values[0]]
    deleted = [outcome(partial(delattr, o, n)) for o in objects for n in values[0]]
    texts = [t if "object" not in str(t) else "" for t in texts]
    return [texts, values, equal, other, hashes, replaced, written, deleted, cls.__match_args__]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda o: "-".join(o) or "plain")
@pytest.mark.parametrize("make", MAKERS, ids=lambda m: m.__name__)
def test_classes_are_as_the_standard_librarys(make: Callable[..., Any], options: dict[str, bool]) -> None:
    ours, theirs = make(records.dataclass, **options), make(dataclasses.dataclass, **options)
    assert facts(ours) == facts(theirs)


@pytest.mark.parametrize("make", MAKERS, ids=lambda m: m.__name__)
def test_equal_ones_have_equal_hashes(make: Callable[..., Any]) -> None:
    cls = make(records.dataclass, frozen=True)
    for a, k in ARGUMENTS:
        one, other = (outcome(partial(cls, *a, **k)) for _ in range(2))
        if not isinstance(one, type):
            assert one == other and outcome(partial(hash, one)) == outcome(partial(hash, other))


def test_every_class_has_its_own_initialiser() -> None:
    made = derived(records.dataclass)
    base = made.__mro__[1]
    assert (made(1).second, base(2).first) == (5, 2)
    with pytest.raises(TypeError, match=r"__init__\(\) takes 2 positional arguments but 3 were given"):
        base(1, 2)


@pytest.mark.parametrize("options", [{}, {"frozen": True}], ids=["plain", "frozen"])
def test_classes_of_both_kinds_are_derived_from_each_other(options: dict[str, bool]) -> None:
    def three(*dataclass: Decorator) -> Any:
        @dataclass[0](**options)
        class First:
            first: int

        @dataclass[1](**options)
        class Second(First):
            second: int = 5

        @dataclass[2](**options)
        class Third(Second):
            third: str = "three"

        return Third

    ours, theirs = records.dataclass, dataclasses.dataclass
    plain = facts(three(theirs, theirs, theirs))
    for kinds in ((ours, ours, theirs), (ours, theirs, ours), (theirs, ours, theirs)):
        assert facts(three(*kinds)) == plain


def test_classes_with_slots_have_no_dict() -> None:
    @records.dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
    class Slotted(metaclass=Interned):
        name: str
        value: int = 3

    assert Slotted("a") is Slotted("a", 3) and not hasattr(Slotted("a"), "__dict__")
    with pytest.raises(dataclasses.FrozenInstanceError, match=r"Slotted\.value"):
        Slotted("a").value = 4


@pytest.mark.parametrize("asked", [{"init": False}, {"kw_only": True}, {"hash": False}], ids=str)
def test_what_is_not_heeded_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=r"^Odd\.x: "):

        @records.dataclass
        class Odd:
            x: int = field(default=0, **asked)


def test_a_class_that_is_not_used_has_no_compiled_method() -> None:
    program = "from tilewright.dsl import syntax; print(syntax.Fold.__init__.__code__.co_varnames[:2])"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "('self', 'args')\n"
