"""Feeds mutated texts to every parser and says what came of them.

    python tests/fuzz/run.py --inputs 1000000 --seed 1 --jobs 2

Exit status 1 if any input gave neither a result nor a diagnostic within a minute.
"""

from __future__ import annotations

import argparse
import faulthandler
import multiprocessing
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzz.campaign import Report, reduced, run

SHARD = 5_000


def shard(work: tuple[str, int]) -> Report:
    faulthandler.enable()
    return run(*work)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    sizes = [min(SHARD, arguments.inputs - n) for n in range(0, arguments.inputs, SHARD)]
    start, whole = time.perf_counter(), Report()
    with multiprocessing.Pool(arguments.jobs) as pool:
        for report in pool.imap_unordered(shard, [(f"{arguments.seed}/{n}", size) for n, size in enumerate(sizes)]):
            whole.add(report)
            seconds = time.perf_counter() - start
            print(f"{whole.inputs:9d} inputs, {seconds:7.0f} s, {len(whole.failures)} failures", flush=True)
            for f in report.failures:
                print(f"FAILED {f.subject}: {f.problem}\n    {f.data!r}", flush=True)
    show(whole)
    return 1 if whole.failures else 0


def show(report: Report) -> None:
    """The figures, and one reduced input for every place that failed."""
    for outcome, count in sorted(report.outcomes.items()):
        print(f"{count:9d}  {outcome}")
    seconds, subject, data = report.slowest
    print(f"{len(report.kinds)} kinds of outcome; the slowest input took {seconds:.2f} s ({subject}): {data[:300]!r}")
    places = {f.problem.split(" at ")[-1].split(" < ")[0] + f.problem.split(":")[0]: f for f in report.failures}
    for f in places.values():
        print(f"\nFAILED {f.subject}: {f.problem}\n    {reduced(f)!r}")


if __name__ == "__main__":
    sys.exit(main())
