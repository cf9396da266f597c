"""The full product of the op table: ``python tests/op_product.py [ops...]`` writes ``docs/ops.md``.

Every op with every dtype, layout, size, target, CPU level, number of threads and interpreter, beside its oracle. Ops
that stand in the log, ``measured/ops.jsonl``, are not run again; the page is made of all that is in it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from op_table import LAYOUTS, ROWS, TABLE, Row
from op_table.product import PLACES, THREADS, check, product

LOG = Path(__file__).parent / "measured" / "ops.jsonl"
PAGE = Path(__file__).parent.parent / "docs" / "ops.md"


@dataclass(frozen=True)
class Record:
    """What was seen of an op: how many combinations, the largest error in units of the dtype, what failed."""

    op: str
    cases: int
    error: float
    failed: list[str]
    seconds: float
    commit: str

    def line(self, row: Row) -> str:
        """The row of the table."""
        exact = "exact" if row.ulps == 0 else f"{self.error:.2g}"
        bound = "" if row.ulps == 0 else f"{row.ulps:g}"
        wrong = str(len(self.failed)) if self.failed else ""
        return f"| {self.op} | {' '.join(row.dtypes)} | {self.cases} | {exact} | {bound} | {wrong} |"


def run(row: Row, commit: str) -> Record:
    """The full product of one op."""
    start, error, failed = time.monotonic(), 0.0, []
    combinations = product(row)
    for c in combinations:
        try:
            error = max(error, check(*c))
        except AssertionError as e:
            failed.append(f"{c}: {e}")
    return Record(row.op, len(combinations), error, failed, round(time.monotonic() - start, 1), commit)


def head() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True).stdout.strip()


def read(log: Path) -> dict[str, Record]:
    lines = log.read_text().splitlines() if log.exists() else []
    return {r.op: r for r in (Record(**json.loads(line)) for line in lines)}


def table(found: Sequence[Record]) -> str:
    """The page docs/ops.md."""
    places = ", ".join(f"{target} {level}" if level else target for target, level in PLACES if target in ("cpu", "c"))
    failed = sum(len(r.failed) for r in found)
    left = [row.op for row in TABLE if row.op not in {r.op for r in found}]
    commits = ", ".join(sorted({r.commit for r in found}))
    lines = [
        "# The op table, run in full",
        "",
        f"Written by `python tests/op_product.py` on {date.today()}; run on {commits}.",
        "",
        f"Of the {len(ROWS)} shipped ops {len(found)} were run, {sum(r.cases for r in found):,} calls,"
        f" of which {failed} failed. A call is one of: the dtypes; the layouts"
        f" {', '.join(LAYOUTS).replace('_', ' ')}; odd, one and empty sizes; the targets {places} with"
        f" {' and '.join(map(str, THREADS))} threads, and the interpreters of both IRs.",
        "",
        "The error is the largest that was met, in units of the last place of the dtype, relative to the largest"
        " value of the result; what should be exact is compared as it is.",
        "",
        "| op | dtypes | calls | error | allowed | failed |",
        "| --- | --- | --- | --- | --- | --- |",
        *(r.line(ROWS[r.op]) for r in sorted(found, key=lambda r: r.op) if r.op in ROWS),
    ]
    return "\n".join([*lines, *([f"\nNot run: {', '.join(left)}."] if left else [])]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("ops", nargs="*", default=list(ROWS))
    parser.add_argument("--log", type=Path, default=LOG)
    parser.add_argument("--table", type=Path, default=PAGE)
    args = parser.parse_args()
    found, commit = read(args.log), head()
    for op in args.ops:
        if op not in found:
            found[op] = run(ROWS[op], commit)
            with args.log.open("a") as log:
                log.write(json.dumps(asdict(found[op])) + "\n")
            print(f"{op}: {found[op].cases} calls, {len(found[op].failed)} failed, {found[op].seconds} s", flush=True)
    args.table.write_text(table(list(found.values())))


if __name__ == "__main__":
    main()
