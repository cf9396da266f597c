"""Run by the build: writes what it reads once of the shipped ops, trees and headers, to the folder named by the
argument, the parser's table and the hash of the compiler.

The package cannot be imported yet, its extension is being built: only the front end is.
"""

import sys
from hashlib import blake2b
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).parents[1] / "tilewright"

package = ModuleType("tilewright")
package.__path__ = [str(PACKAGE)]
sys.modules["tilewright"] = package

from tilewright.dsl.describe import header  # noqa: E402
from tilewright.dsl.digest import digest  # noqa: E402
from tilewright.dsl.grammar import TABLE, written_table  # noqa: E402
from tilewright.dsl.header import written  # noqa: E402
from tilewright.dsl.parse import parse  # noqa: E402
from tilewright.dsl.text import read_text  # noqa: E402

to = Path(sys.argv[1])
to.mkdir(parents=True, exist_ok=True)
texts = {f.name: read_text(f) for f in sorted((PACKAGE / "stdlib" / "ops").glob("*.tw"))}
modules = {name: parse(text, name) for name, text in texts.items()}
ops = {op.name: op for module in modules.values() for op in module.ops}
headers = [header(op, lambda caller: ops) for op in ops.values()]
(to / "digest.jsonl").write_text(digest(modules))
(to / "headers.jsonl").write_text(written(headers, texts))
(to / TABLE).write_text(written_table())

sources = sorted(p for p in PACKAGE.rglob("*") if p.suffix in (".py", ".lark", ".tw", ".cpp", ".h"))
everything = b"\0".join(part for p in sources for part in (str(p.relative_to(PACKAGE)).encode(), p.read_bytes()))
(to / "build.txt").write_text(blake2b(everything, digest_size=20).hexdigest())
