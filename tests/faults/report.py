"""Runs faults and prints which net caught which.

    python tests/faults/report.py [--area AREA]... [--all-nets] [--log LOG] [--table docs/faults.md] [names...]

With a log, faults that stand in it already are not run again; the table is made of all that is in the log.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults.harness import ROOT, Outcome, Sandbox, clean_times, try_fault
from faults.model import Fault
from faults.nets import AREAS, NETS
from faults.registry import REGISTRY

Record = tuple[Fault, list[Outcome]]


def chosen(areas: Sequence[str], names: Sequence[str]) -> list[Fault]:
    unknown = set(names) - {f.name for f in REGISTRY}
    if unknown:
        raise SystemExit(f"no fault is called {', '.join(sorted(unknown))}")
    return [f for f in REGISTRY if (not areas or f.area in areas) and (not names or f.name in names)]


def run(sandbox: Sandbox, todo: Sequence[Fault], all_nets: bool) -> Iterator[Record]:
    """Runs ``todo`` one after the other, first of all the nets they need on code without a fault."""
    clean_times(sandbox, [n for n in NETS if n != "core" and any(n in AREAS[f.area] for f in todo)])
    for fault in todo:
        yield fault, try_fault(sandbox, fault, all_nets)


def read_log(log: Path | None) -> list[Record]:
    """What is in the log of faults as they are now."""
    known = {f.name: f for f in REGISTRY}
    found: dict[str, Record] = {}
    for line in log.read_text().splitlines() if log and log.exists() else ():
        entry = json.loads(line)
        fault = known.get(entry["fault"]["name"])
        if fault is not None and asdict(fault) == entry["fault"]:
            found[fault.name] = fault, [Outcome(**o) for o in entry["outcomes"]]
    return list(found.values())


def table(records: Sequence[Record]) -> str:
    """The page docs/faults.md."""
    caught = [r for r in records if any(o.caught for o in r[1])]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    first = Counter(next(o.net for o in outcomes if o.caught) for _, outcomes in caught)
    lines = [
        "# Seeded faults",
        "",
        f"Written by `python tests/faults/report.py` on {date.today()}, commit {commit.strip() or 'unknown'}.",
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
    for net, count in first.most_common():
        tests = " ".join(a.removeprefix("tests/") for a in NETS[net].arguments) or "tests/cpp"
        lines.append(f"| {net} | `{tests}` | {count} |")
    lines += ["", "| fault | place | caught by | passed by |", "| --- | --- | --- | --- |"]
    lines += [_row(*r) for r in sorted(records, key=lambda r: REGISTRY.index(r[0]))]
    return "\n".join(lines) + "\n"


def _row(fault: Fault, outcomes: Sequence[Outcome]) -> str:
    by = [o.net if o.result == "caught" else f"{o.net} ({o.result})" for o in outcomes if o.caught]
    missed = [o.net for o in outcomes if not o.caught]
    return f"| {fault.name} | `{fault.file}` | {', '.join(by) or '**none**'} | {', '.join(missed)} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--area", action="append", default=[], choices=sorted(AREAS))
    parser.add_argument("--all-nets", action="store_true")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--table", type=Path)
    options = parser.parse_args()
    records = read_log(options.log)
    done = {f.name for f, _ in records}
    todo = [f for f in chosen(options.area, options.names) if f.name not in done]
    with tempfile.TemporaryDirectory(prefix="tilewright-faults-") as folder:
        for fault, outcomes in run(Sandbox(Path(folder) / "copy"), todo, options.all_nets) if todo else ():
            records.append((fault, outcomes))
            print(_row(fault, outcomes), flush=True)
            if options.log:
                with options.log.open("a") as log:
                    print(json.dumps({"fault": asdict(fault), "outcomes": [asdict(o) for o in outcomes]}), file=log)
    text = table(records)
    if options.table:
        options.table.write_text(text)
    print(text.split("\n")[4])


if __name__ == "__main__":
    main()
