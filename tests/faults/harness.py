"""Applies faults to a copy of the project and runs nets on it: groups of its own tests, in processes of their own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from faults.model import Fault
from faults.nets import AREAS, NETS, Net

ROOT = Path(__file__).parents[2]
COPIED = ("tilewright", "tests", "docs", "examples", "README.md", "pyproject.toml", "CMakeLists.txt")
SECONDS, WORK = 600, 120
"""A net hangs after so many seconds, or so many of the processor's."""

FINDERS = f"""\
import resource
import sys

resource.setrlimit(resource.RLIMIT_CPU, ({WORK}, {WORK + 5}))
sys.meta_path[:] = [f for f in sys.meta_path if not type(f).__name__.startswith("ScikitBuild")]
"""
"""The copy's sitecustomize: limited, and without an editable install that puts the original in the way of the copy."""

CONFTEST = """\
from hypothesis import HealthCheck, Phase, settings

settings.register_profile(
    "faults",
    phases=(Phase.explicit, Phase.generate),
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("faults")
"""
"""The copy's conftest: the same examples every time, and no time spent on making failures smaller."""


@dataclass(frozen=True)
class Outcome:
    """What one net made of a fault: ``survived``, ``caught``, ``crash`` or ``hang``."""

    net: str
    result: str
    seconds: float
    detail: str = ""

    @property
    def caught(self) -> bool:
        return self.result != "survived"


@dataclass
class Sandbox:
    """A copy of the project in ``folder`` whose tests import its own package."""

    folder: Path
    root: Path = ROOT
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in COPIED:
            source, target = self.root / name, self.folder / name
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copy2(source, target)
        (self.folder / "sitecustomize.py").write_text(FINDERS)
        (self.folder / "conftest.py").write_text(CONFTEST)
        self.core = self._core()
        shutil.copy2(self.core, self._extension())
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV_"))},
            "PYTHONPATH": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    @staticmethod
    def _core() -> Path:
        """The C++ core as it is installed."""
        spec = importlib.util.find_spec("tilewright.runtime._core")
        assert spec and spec.origin
        return Path(spec.origin)

    def _extension(self) -> Path:
        return self.folder / "tilewright" / "runtime" / self.core.name

    @contextmanager
    def faulty(self, fault: Fault) -> Iterator[None]:
        """The copy has ``fault`` inside the with-block."""
        file = self.folder / "tilewright" / fault.file
        text, stat = file.read_text(), file.stat()
        file.write_text(fault.applied(text))
        try:
            if is_native(fault):
                self.build()
            yield
        finally:
            file.write_text(text)
            if is_native(fault):
                shutil.copy2(self.core, self._extension())
            else:
                os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    def build(self) -> None:
        """The copy's core and the tests of it, built into the copy; what is unchanged since is not built again."""
        build = self.folder / "build"
        if not (build / "build.ninja").exists():
            python = f"-DPython_EXECUTABLE={sys.executable}"
            self._must("cmake", "-G", "Ninja", "-S", str(self.folder), "-B", str(build), python)
        self._must("cmake", "--build", str(build))
        (built,) = build.glob("_core*.so")
        shutil.copy2(built, self._extension())

    def _must(self, *command: str) -> None:
        subprocess.run(command, env=self.environment, cwd=self.folder, check=True, capture_output=True, timeout=600)

    def run(self, net: Net) -> Outcome:
        """What ``net`` says of the copy as it is."""
        start = time.monotonic()
        process = subprocess.Popen(
            net.command(), cwd=self.folder, env=self.environment, text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            output, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.communicate()
            return Outcome(net.name, "hang", time.monotonic() - start)
        return Outcome(net.name, _result(net, process.returncode, output), time.monotonic() - start, _last(output))


def is_native(fault: Fault) -> bool:
    """Whether the fault is in C++."""
    return fault.file.endswith((".cpp", ".h"))


def _result(net: Net, code: int, output: str) -> str:
    if code in (4, 5):  # pytest: a wrong command, no tests
        raise RuntimeError(f"net {net.name} cannot run: {output}")
    found = {0: "survived", 1: "caught", 2: "caught", 8: "caught", -signal.SIGXCPU: "hang"}
    return found.get(code, "crash")


def _last(output: str) -> str:
    """The first failing test, or the end of the output."""
    lines = [line for line in output.splitlines() if line.strip()]
    failed = [line for line in lines if line.startswith(("FAILED", "ERROR", "Fatal", "\t"))]
    return (failed or lines or [""])[0].strip()[:200]


def try_fault(sandbox: Sandbox, fault: Fault, all_nets: bool = False) -> list[Outcome]:
    """What the nets of the fault's area say, in their order: up to the first that catches it, or all."""
    outcomes: list[Outcome] = []
    with sandbox.faulty(fault):
        for name in AREAS[fault.area]:
            outcomes.append(sandbox.run(NETS[name]))
            if outcomes[-1].caught and not all_nets:
                break
    return outcomes


def clean_times(sandbox: Sandbox, nets: Iterable[str]) -> Mapping[str, float]:
    """Seconds per net on the copy without a fault; RuntimeError if a net catches something there."""
    found: dict[str, float] = {}
    for name in nets:
        outcome = sandbox.run(NETS[name])
        if outcome.caught:
            raise RuntimeError(f"net {name} is torn: {outcome.result} without a fault: {outcome.detail}")
        found[name] = outcome.seconds
    return found
