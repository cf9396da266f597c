"""All faults: those of the texts beside this file."""

from __future__ import annotations

from pathlib import Path

from faults.model import Fault, parse

TEXTS = ("front", "lower", "loops", "legalise", "targets", "runtime", "views", "axes", "functions", "lazy")
REGISTRY: tuple[Fault, ...] = tuple(
    fault for name in TEXTS for fault in parse((Path(__file__).parent / f"{name}.txt").read_text())
)
