"""Replays cases from files: ``python -m tilewright.testing.replay [--memory KIND] FILE...``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tilewright.testing.case import Case
from tilewright.testing.isolated import failures
from tilewright.testing.memory import KINDS


def replay(name: str, memory: str = "canaries") -> list[str]:
    """Checks the case in the file ``name``; how its calls ended. Raises what the check raises."""
    return Case.parse(Path(name).read_text(encoding="utf-8"), name).check(KINDS[memory])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 if all cases pass, 1 if one fails or crashes, which is said."""
    parser = argparse.ArgumentParser(prog="python -m tilewright.testing.replay", description="Replays random programs.")
    parser.add_argument("files", nargs="+", metavar="FILE", help="a case: canonical .tw under a line of settings")
    parser.add_argument("--memory", choices=sorted(KINDS), default="canaries", help="what surrounds the buffers")
    given = parser.parse_args(arguments)
    found = failures(replay, [(name, given.memory) for name in given.files])
    for (name, _), why in found:
        print(f"{name}: {why}", file=sys.stderr)
    print(f"{len(given.files) - len(found)} of {len(given.files)} pass")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
