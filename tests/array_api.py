"""Runs the array API standard's own tests on ``tilewright.array_api`` and on NumPy, and compares what they pass.

    python tests/array_api.py FOLDER [--examples N]

FOLDER has ``data-apis/array-api-tests`` with its submodule ``data-apis/array-api`` unpacked in it; its requirements are
installed. One line of it, which insists on complex dtypes, is changed there. Complex dtypes, ``linalg`` and ``fft`` are
left out of the count.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

INSISTS = "widest_complex_dtype = max(\n    [(dt, dtype_nbits[dt]) for dt in complex_dtypes], key=lambda x: x[1]\n)[0]"
ASKS = INSISTS.replace("x[1]\n)", "x[1], default=(xp.float64,)\n)")
ABSENT = re.compile(
    r"linalg-|fft-|test_fft|imag\(|complex|test_linalg\.py::test_(?!matmul|matrix_transpose|tensordot|vecdot)"
)
OUTCOME = re.compile(r"^(PASSED|FAILED|ERROR) (\S.*?)(?: - .*)?$", re.MULTILINE)


def outcomes(folder: Path, module: str, examples: int) -> dict[str, str]:
    """What became of each test that is counted."""
    skipped = {"ARRAY_API_TESTS_SKIP_DTYPES": "complex64,complex128"} if module != "numpy" else {}
    environment = {**os.environ, "ARRAY_API_TESTS_MODULE": module, "ARRAY_API_TESTS_VERSION": "2024.12", **skipped}
    options = ["-q", "-rA", "--tb=no", "-p", "no:cacheprovider", "--disable-deadline", f"--max-examples={examples}"]
    command = [sys.executable, "-m", "pytest", *options, "-n", "2", "array_api_tests"]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    found = {name: kind for kind, name in OUTCOME.findall(run.stdout) if not ABSENT.search(name)}
    if not found:
        raise SystemExit(run.stdout[-3000:] + run.stderr[-3000:])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--examples", type=int, default=20, help="examples per test")
    arguments = parser.parse_args()
    helpers = arguments.folder / "array_api_tests" / "dtype_helpers.py"
    helpers.write_text(helpers.read_text().replace(INSISTS, ASKS))
    ours, numpy = (outcomes(arguments.folder, m, arguments.examples) for m in ("tilewright.array_api", "numpy"))
    passed = {name for name, kind in numpy.items() if kind == "PASSED"}
    both = {name for name in passed if ours.get(name) == "PASSED"}
    for name in sorted(passed - both):
        print(f"numpy passes, we do not: {name} ({ours.get(name, 'not run')})")
    more = sum(kind == "PASSED" and name not in passed for name, kind in ours.items())
    print(
        f"of {len(passed)} tests that numpy passes {len(both)} pass ({100 * len(both) / len(passed):.1f} %); {more} more"
    )


if __name__ == "__main__":
    main()
