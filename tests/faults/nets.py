"""The nets: groups of existing tests, and which of them are tried on the faults of an area, likeliest first."""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Net:
    """``arguments`` choose tests of pytest's; without any the net is the C++ tests."""

    name: str
    arguments: tuple[str, ...]

    def command(self) -> tuple[str, ...]:
        """What to run in the folder of a copy of the project."""
        if not self.arguments:
            return ("ctest", "--test-dir", "build", "--output-on-failure", "--stop-on-failure")
        options = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no", "-rfE")
        return (sys.executable, "-m", "pytest", *options, *self.arguments)


def _files(*names: str, **choose: str) -> tuple[str, ...]:
    options = ("-k", choose["k"]) if choose else ()
    return (*(f"tests/test_{n}.py" for n in names), *options)


NETS = {
    name: Net(name, arguments)
    for name, arguments in {
        "algebra": _files("index", "facts"),
        "rewrites": _files("inline", "form_fma", "order", "compose"),
        "derivatives": _files("differentiate"),
        "functions": _files("math"),
        "language": _files("language"),
        "attributes": _files("attributes"),
        "schedule blocks": _files("schedule_blocks"),
        "families": _files("families"),
        "editions": _files("editions"),
        "highlighting": _files("highlighting"),
        "wrong programs": _files("wrong_programs", k="said_and_where or mends_it"),
        "lowering": _files("lower"),
        "sizes": _files("fit"),
        "sorts": _files("sort"),
        "broadcasting": _files("broadcasting"),
        "claims": _files("claims"),
        "steps": _files("steps", k="not every_stage"),
        "primitives": _files("primitives"),
        "schedule": _files("naive_schedule"),
        "tiles": _files("tiles"),
        "numbering": _files("target"),
        "texts": _files("loops_text", "pipeline"),
        "verifiers": _files("verify_loops", "verify_tensor"),
        "legalise": _files("legalise"),
        "llvm": _files("emit_llvm"),
        "llvm scalars": _files("emit_llvm_scalars"),
        "c": _files("emit_c"),
        "programs": _files("cpu_programs"),
        "spikes": _files("spikes"),
        "ops": _files("ops", k="everywhere or row"),
        "op table": _files("ops", k="pairwise"),
        "core": (),
        "calls": _files("runtime"),
        "objects": _files("object"),
        "store": _files("store", "store_limit", "store_processes"),
        "cache": _files("cache"),
        "memory": _files("runtime_memory"),
        "threads": _files("runtime_threads"),
        "account": _files("memory"),
        "cpus": _files("cpus"),
        "wrong calls": _files("wrong_calls"),
        "arrays": _files("arrays"),
        "interop": _files("interop"),
        "views": _files("views"),
        "eager": _files("functions"),
        "lazy": _files("lazy"),
        "axes": _files("out"),
        "safetensors": _files("safetensors"),
    }.items()
}

AREAS: dict[str, tuple[str, ...]] = {
    "algebra": ("algebra", "primitives", "lowering", "language", "programs"),
    "tensor": ("rewrites", "steps", "programs", "ops", "spikes"),
    "derivatives": ("derivatives", "functions", "spikes"),
    "language": ("language", "wrong programs", "steps", "ops", "spikes"),
    "attributes": ("attributes", "language"),
    "steps": ("steps",),
    "families": ("families", "wrong calls"),
    "files": ("editions", "highlighting"),
    "schedule blocks": ("schedule blocks", "language"),
    "claims": ("claims",),
    "lower": ("lowering", "programs", "spikes", "ops", "op table"),
    "sizes": ("sizes", "lowering"),
    "sorts": ("sorts", "op table"),
    "primitives": ("primitives", "schedule", "spikes", "programs"),
    "schedule": ("schedule", "tiles", "primitives", "programs", "ops"),
    "legalise": ("legalise", "llvm scalars", "functions", "programs"),
    "cpu": ("llvm", "programs", "ops"),
    "cpu scalars": ("llvm scalars", "llvm", "programs"),
    "c": ("c", "ops"),
    "plan": ("numbering", "lowering", "schedule", "llvm", "ops", "wrong calls"),
    "runtime": ("core", "calls", "memory", "threads", "wrong calls"),
    "resources": ("account", "cpus"),
    "objects": ("objects",),
    "interop": ("interop",),
    "views": ("views", "wrong calls"),
    "eager": ("eager",),
    "axes": ("axes", "calls"),
    "lazy": ("lazy",),
    "store": ("store", "cache"),
    "safetensors": ("safetensors",),
    "calls": ("broadcasting", "arrays", "calls", "wrong calls", "ops", "op table"),
    "verifiers": ("verifiers", "texts"),
}
