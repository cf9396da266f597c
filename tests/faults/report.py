"""Runs faults and prints which net caught which.

    python tests/faults/report.py [--area AREA]... [--all-nets] [--log LOG] [--table docs/faults.md]
        [--trust] [names...]

Faults that stand in the log (``tests/measured/faults.jsonl``) as they are now are run again only if they are named; the
table is made of all that is in it. ``--trust`` does not run the nets without a fault first.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.harness import ROOT, Outcome, Sandbox, clean_times, try_fault
from faults.model import Fault
from faults.nets import AREAS, NETS
from faults.registry import REGISTRY

LOG = ROOT / "tests" / "measured" / "faults.jsonl"


@dataclass(frozen=True)
class Record:
    """What was seen of a fault, and on which commit."""

    fault: Fault
    outcomes: list[Outcome]
    commit: str

    @property
    def caught(self) -> Outcome | None:
        """The first net's outcome that caught it."""
        return next((o for o in self.outcomes if o.caught), None)

    def line(self) -> str:
        return json.dumps(asdict(self))

    def row(self) -> str:
        """The row of the table."""
        by = [o.net if o.result == "caught" else f"{o.net} ({o.result})" for o in self.outcomes if o.caught]
        missed = [o.net for o in self.outcomes if not o.caught]
        return f"| {self.fault.name} | `{self.fault.file}` | {', '.join(by) or '**none**'} | {', '.join(missed)} |"


def chosen(areas: Sequence[str], names: Sequence[str]) -> list[Fault]:
    unknown = set(names) - {f.name for f in REGISTRY}
    if unknown:
        raise SystemExit(f"no fault is called {', '.join(sorted(unknown))}")
    return [f for f in REGISTRY if (not areas or f.area in areas) and (not names or f.name in names)]


def run(sandbox: Sandbox, todo: Sequence[Fault], all_nets: bool, trust: bool) -> Iterator[Record]:
    """Runs ``todo`` one after the other, first of all the nets they need on code without a fault."""
    if not trust:
        clean_times(sandbox, [n for n in NETS if n != "core" and any(n in AREAS[f.area] for f in todo)])
    commit = head()
    for fault in todo:
        yield Record(fault, try_fault(sandbox, fault, all_nets), commit)


def head() -> str:
    """The commit that is checked out."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def read_log(log: Path) -> list[Record]:
    """What is in the log of faults as they are now."""
    known = {f.name: f for f in REGISTRY}
    found: dict[str, Record] = {}
    for line in log.read_text().splitlines() if log.exists() else ():
        entry = json.loads(line)
        fault = known.get(entry["fault"]["name"])
        if fault is not None and asdict(fault) == entry["fault"]:
            found[fault.name] = Record(fault, [Outcome(**o) for o in entry["outcomes"]], entry["commit"])
    return list(found.values())


def table(records: Sequence[Record]) -> str:
    """The page docs/faults.md."""
    caught = [r.caught.net for r in records if r.caught]
    commits = ", ".join(sorted({r.commit for r in records}))
    lines = [
        "# Seeded faults",
        "",
        f"Written by `python tests/faults/report.py` on {date.today()}; the faults were run on {commits}.",
        "",
        f"Of the {len(REGISTRY)} faults in `tests/faults/`, {len(records)} were run, each alone, and {len(caught)} were"
        f" caught: {100 * len(caught) / max(1, len(records)):.1f} %.",
        "",
        "A fault is a change of one place of the product's source. The nets of its area (`tests/faults/nets.py`) are",
        "tried in their order until one catches it: a test fails, the process dies (crash) or never ends (hang).",
        "That the generated texts in `docs/` differ does not count.",
        "",
        "| net | tests | first to catch |",
        "| --- | --- | --- |",
    ]
    for net, count in Counter(caught).most_common():
        tests = " ".join(a.removeprefix("tests/") for a in NETS[net].arguments) or "tests/cpp"
        lines.append(f"| {net} | `{tests}` | {count} |")
    lines += ["", "| fault | place | caught by | passed by |", "| --- | --- | --- | --- |"]
    lines += [r.row() for r in sorted(records, key=lambda r: REGISTRY.index(r.fault))]
    left = [f.name for f in REGISTRY if f not in {r.fault for r in records}]
    if left:
        lines += ["", f"Not run: {', '.join(left)}."]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--area", action="append", default=[], choices=sorted(AREAS))
    parser.add_argument("--all-nets", action="store_true")
    parser.add_argument("--trust", action="store_true")
    parser.add_argument("--log", type=Path, default=LOG)
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    records = [r for r in read_log(options.log) if r.fault.name not in options.names]
    done = {r.fault.name for r in records}
    todo = [f for f in chosen(options.area, options.names) if f.name not in done]
    with tempfile.TemporaryDirectory(prefix="tilewright-faults-") as folder:
        made = run(Sandbox(Path(folder) / "copy"), todo, options.all_nets, options.trust) if todo else ()
        for record in made:
            records.append(record)
            print(record.row(), flush=True)
            with options.log.open("a") as log:
                print(record.line(), file=log)
    text = table(records)
    if options.table:
        options.table.write_text(text)
    print(text.split("\n")[4])


if __name__ == "__main__":
    main()
