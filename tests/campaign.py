"""Random programs in bulk: ``python tests/campaign.py --programs 100000 --seed 0 --jobs 2``."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from tilewright.targets.cpu import build
from tilewright.testing.campaign import check_seed
from tilewright.testing.isolated import failures

BATCH = 50


def nothing() -> None:
    pass


def quick_code() -> None:
    """LLVM's code generator at its quickest from now on: what is checked is what we emit."""
    build.OPTIMISATION = 0


def batch(seeds: range) -> tuple[Counter[str], list[str]]:
    """What happened to the programs of ``seeds``, and the reports of those that failed."""
    counts, reports = Counter[str](), []
    for seed in seeds:
        try:
            counts.update(check_seed(seed))
        except AssertionError as e:
            reports.append(str(e))
    return counts, reports


def campaign(
    first: int, programs: int, jobs: int, setup: Callable[[], None]
) -> Iterator[tuple[Counter[str], list[str]]]:
    """The results of batches as they come. A batch that kills its process is taken apart, one program at a time."""
    todo = [range(s, min(s + BATCH, first + programs)) for s in range(first, first + programs, BATCH)]
    while todo:
        lost: list[range] = []
        with ProcessPoolExecutor(jobs, get_context("spawn"), setup) as pool:
            running: dict[Future[tuple[Counter[str], list[str]]], range] = {}
            while todo or running:
                while todo and len(running) < 2 * jobs:
                    seeds = todo.pop(0)
                    try:
                        running[pool.submit(batch, seeds)] = seeds
                    except BrokenProcessPool:
                        lost += [seeds, *todo]
                        todo = []
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    seeds = running.pop(done)
                    try:
                        yield done.result()
                    except BrokenProcessPool:
                        lost.append(seeds)
        for seeds in lost[: jobs * 2]:
            found = failures(check_seed, [(s,) for s in seeds])
            yield Counter({"programs": len(seeds) - len(found)}), [f"seed {s}: {why}" for (s,), why in found]
        todo = lost[jobs * 2 :]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0, help="the seed of the first program")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--quick-code", action="store_true", help="LLVM's code generator at level 0")
    given = parser.parse_args()
    counts, failed, start, shown = Counter[str](), 0, time.monotonic(), 0
    for found, reports in campaign(given.seed, given.programs, given.jobs, quick_code if given.quick_code else nothing):
        counts.update(found)
        failed += len(reports)
        for report in reports:
            print(report, flush=True)
        if counts["programs"] + failed >= shown + 1000:
            shown = counts["programs"] + failed
            print(f"{shown} programs, {failed} failed, {time.monotonic() - start:.0f} s", flush=True)
    for name, n in counts.items():
        print(f"{name:24} {n}")
    print(f"{'failed':24} {failed}\n{'seconds':24} {time.monotonic() - start:.0f}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
