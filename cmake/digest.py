"""Run by the build: writes the digest of the shipped ops to the file named by the argument.

The package cannot be imported yet, its extension is being built: only the front end is.
"""

import sys
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).parents[1] / "tilewright"

package = ModuleType("tilewright")
package.__path__ = [str(PACKAGE)]
sys.modules["tilewright"] = package

from tilewright.dsl.digest import digest  # noqa: E402
from tilewright.dsl.parse import parse  # noqa: E402
from tilewright.dsl.reading import read_text  # noqa: E402

files = sorted((PACKAGE / "stdlib" / "ops").glob("*.tw"))
Path(sys.argv[1]).write_text(digest({f.name: parse(read_text(f), f.name) for f in files}))
