"""How many CPUs the process may use: affinity and the quotas of cgroups, read from folders made up here."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilewright.runtime._core import cgroup_cpus

UNIFIED = "30 24 0:27 {top} {place} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
OLD = "31 24 0:28 {top} {place} rw,relatime shared:9 master:1 - cgroup cgroup rw,{controllers}\n"
NEITHER = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw\nnot a line of mountinfo\n"


class Root:
    """A root with /proc/self and cgroup folders."""

    def __init__(self, folder: Path, mountinfo: str, cgroup: str) -> None:
        self.folder = folder
        self.write("/proc/self/mountinfo", NEITHER + mountinfo)
        self.write("/proc/self/cgroup", cgroup)

    def write(self, place: str, text: str) -> None:
        path = self.folder / place.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def unified(self, group: str, text: str, place: str = "/sys/fs/cgroup") -> None:
        self.write(f"{place}{group}/cpu.max", text + "\n")

    def old(self, group: str, quota: int, period: int = 100_000, place: str = "/sys/fs/cgroup/cpu,cpuacct") -> None:
        self.write(f"{place}{group}/cpu.cfs_quota_us", f"{quota}\n")
        self.write(f"{place}{group}/cpu.cfs_period_us", f"{period}\n")

    def cpus(self, otherwise: int = 64) -> int:
        return cgroup_cpus(otherwise, str(self.folder))


@pytest.fixture
def unified(tmp_path: Path) -> Root:
    return Root(tmp_path, UNIFIED.format(top="/", place="/sys/fs/cgroup"), "0::/user/job\n")


@pytest.fixture
def old(tmp_path: Path) -> Root:
    mounts = "".join(
        OLD.format(top="/", place=f"/sys/fs/cgroup/{names}", controllers=names) for names in ("cpuset", "cpu,cpuacct")
    )
    return Root(tmp_path, mounts, "4:cpuset:/other\n3:cpu,cpuacct:/user/job\n1:name=systemd:/\n0::/user\n")


def test_without_cgroups_there_is_no_cap(tmp_path: Path, unified: Root) -> None:
    assert cgroup_cpus(7, str(tmp_path / "nothing")) == 7
    assert unified.cpus(7) == 7


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("max 100000", 64),
        ("200000 100000", 2),
        ("200001 100000", 3),
        ("10000 100000", 1),
        ("50000 20000", 3),
        ("9900000 100000", 64),
        ("", 64),
        ("nonsense", 64),
        ("100000", 64),
        ("-1 100000", 64),
        ("100000 0", 64),
    ],
)
def test_quotas_of_version_2(unified: Root, text: str, cpus: int) -> None:
    unified.unified("/user/job", text)
    assert unified.cpus() == cpus


@given(st.integers(1, 10**7), st.integers(1000, 10**6), st.integers(1, 128))
def test_part_of_a_cpu_counts_as_one(tmp_path_factory: pytest.TempPathFactory, quota: int, period: int, n: int) -> None:
    root = Root(tmp_path_factory.getbasetemp(), UNIFIED.format(top="/", place="/sys/fs/cgroup"), "0::/\n")
    root.unified("", f"{quota} {period}")
    assert root.cpus(n) == min(n, math.ceil(quota / period))


@pytest.mark.parametrize("least", ["", "/user", "/user/job"])
def test_the_least_quota_on_the_way_up_holds(unified: Root, old: Root, least: str) -> None:
    for root in (unified, old):
        root.write("/proc/self/cgroup", "0::/user/job\n3:cpu,cpuacct:/user/job\n")
        root.write("/proc/self/mountinfo", UNIFIED.format(top="/", place="/sys/fs/cgroup"))
        for group in ("", "/user", "/user/job"):
            root.unified(group, "300000 100000" if group == least else "500000 100000")
        root.unified("/user/job/child", "100000 100000")
        root.unified("/other", "100000 100000")
        assert root.cpus() == 3


def test_quotas_of_version_1(old: Root) -> None:
    old.old("/user/job", -1)
    assert old.cpus() == 64
    old.old("/user/job", 250_000)
    assert old.cpus() == 3
    old.old("/user", 50_000, 50_000)
    assert old.cpus() == 1
    old.old("/user", 400_000)
    old.old("/other", 100_000)
    assert old.cpus() == 3


def test_a_container_sees_its_own_cgroup_at_the_mount(tmp_path: Path) -> None:
    """The path in /proc is the host's; what is mounted is the container's cgroup."""
    place = "/sys/fs/cgroup/cpu"
    for top in ("/docker/1a2b", "/elsewhere"):
        root = Root(tmp_path, OLD.format(top=top, place=place, controllers="cpu"), "3:cpu:/docker/1a2b/sub\n")
        root.old("", 200_000, place=place)
        root.old("/sub", 100_000, place=place)
        assert root.cpus() == (1 if top == "/docker/1a2b" else 2)


def test_both_versions_at_once(tmp_path: Path) -> None:
    """A hybrid: version 2 is mounted beside version 1, which has the CPU controller."""
    mounts = OLD.format(top="/", place="/cg/cpu", controllers="cpu") + UNIFIED.format(top="/", place="/cg/unified")
    root = Root(tmp_path, mounts, "1:cpu:/a\n0::/b\n")
    root.old("/a", 300_000, place="/cg/cpu")
    root.unified("/a", "100000 100000", place="/cg/unified")
    assert root.cpus() == 3
    root.unified("/b", "200000 100000", place="/cg/unified")
    assert root.cpus() == 2


def test_one_cpu_by_affinity() -> None:
    code = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import numpy as np, tilewright as tw
assert tw.get_threads() == 1, tw.get_threads()
x = np.random.default_rng(0).standard_normal((300, 300)).astype(np.float32)
alone = tw.ops.matmul(x, x)
tw.set_threads(4)
assert np.array_equal(tw.ops.matmul(x, x), alone) and np.allclose(alone, x @ x, atol=1e-3)
print(len(os.listdir("/proc/self/task")) > 1)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
