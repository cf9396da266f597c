"""The seeded faults: each stands in the source, and the nets catch it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from faults.harness import ROOT, Sandbox, is_native, try_fault
from faults.model import Fault, parse
from faults.nets import AREAS, NETS
from faults.registry import REGISTRY

SURVIVING: frozenset[str] = frozenset()
"""The faults that no net catches yet."""


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    return Sandbox(tmp_path_factory.mktemp("faults") / "copy")


def source(fault: Fault) -> str:
    return (ROOT / "tilewright" / fault.file).read_text()


@pytest.mark.parametrize("fault", REGISTRY, ids=lambda f: f.name)
def test_the_fault_changes_one_place_of_the_product(fault: Fault) -> None:
    faulty = fault.applied(source(fault))
    assert faulty != source(fault)
    if not is_native(fault):
        compile(faulty, fault.file, "exec")


def test_the_registry_is_large_and_covers_every_area() -> None:
    assert len(REGISTRY) >= 100
    assert not [name for name, count in Counter(f.name for f in REGISTRY).items() if count > 1]
    assert {f.area for f in REGISTRY} == set(AREAS)
    assert {n for nets in AREAS.values() for n in nets} == set(NETS)
    assert all(Path(ROOT / a).exists() for n in NETS.values() for a in n.arguments if a.startswith("tests/"))


def test_a_fault_that_is_not_in_its_file_is_refused() -> None:
    with pytest.raises(ValueError, match="lost: x.py has 2 times 'ab'"):
        Fault("lost", "x.py", "ab", "cd", "cpu").applied("ab ab")


def test_a_text_without_lines_is_refused() -> None:
    with pytest.raises(ValueError, match="the fault odd is not written in lines of - and \\+"):
        list(parse("= cpu: x.py\n# odd\n-a\nb\n"))


@pytest.mark.full
@pytest.mark.parametrize("fault", REGISTRY, ids=lambda f: f.name)
def test_every_fault_is_caught(fault: Fault, sandbox: Sandbox) -> None:
    if fault.name in SURVIVING:
        pytest.xfail("no net catches it yet")
    assert_caught(fault, sandbox)


def assert_caught(fault: Fault, sandbox: Sandbox) -> None:
    outcomes = try_fault(sandbox, fault)
    assert outcomes[-1].caught, f"{fault.name} passed {', '.join(o.net for o in outcomes)}"
