"""What the commands of the command line do. Each takes parsed arguments and returns an exit status."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tilewright.compiler.claims import check as check_module
from tilewright.compiler.definition import load_ops
from tilewright.compiler.doctor import lines
from tilewright.compiler.op import STAGES, Op
from tilewright.compiler.optimise import optimise
from tilewright.compiler.replay import replay as replay_bundle
from tilewright.compiler.request import Request
from tilewright.dsl.attributes import Kind
from tilewright.dsl.doc import pages
from tilewright.dsl.format import format as format_source
from tilewright.dsl.parse import parse
from tilewright.dsl.program import Attribute, Resolver
from tilewright.dsl.text import read_text
from tilewright.dsl.upgrade import upgrade
from tilewright.errors import UserError
from tilewright.ir.types import dtype

__all__ = ["STAGES", "check", "doc", "doctor", "fmt", "opt", "replay", "run", "schedule", "show"]


def check(arguments: Namespace) -> int:
    """Prints every diagnostic and the preconditions of the ops that are sound."""
    return 1 if sum(_check(name, arguments.shared) for name in arguments.files) else 0


def _check(name: str, shared: Resolver) -> bool:
    """Whether something is wrong in the file."""
    try:
        report = check_module(parse(read_text(name), name), shared)
    except UserError as error:
        print(error, file=sys.stderr)
        return True
    print(report.render(), end="", file=sys.stderr if report.diagnostics else sys.stdout)
    return bool(report.diagnostics)


def doctor(arguments: Namespace) -> int:
    """Prints what ails Tilewright here, if anything."""
    for line in lines():
        print(line, flush=True)
    return 0


def fmt(arguments: Namespace) -> int:
    """Rewrites files that are not in canonical layout, or of the newest edition; with ``--check`` only names them."""
    changed, rewrite = 0, upgrade if arguments.upgrade else format_source
    for name in arguments.files:
        text = read_text(name)
        formatted = rewrite(text, name)
        if formatted != text:
            changed += 1
            print(f"{'would change' if arguments.check else 'changed'} {name}")
            if not arguments.check:
                write_atomically(Path(name), formatted.encode())
    return 1 if changed and arguments.check else 0


def doc(arguments: Namespace) -> int:
    """Prints a reference page for each op of a file."""
    print(pages(parse(read_text(arguments.file), arguments.file), arguments.shared), end="")
    return 0


def run(arguments: Namespace) -> int:
    """Runs an op on arrays from files; prints the results that no ``--out`` takes."""
    op = _op(arguments)
    inputs = {name: _load(path) for name, path in _pairs(arguments.inputs)}
    settings = _settings(op, arguments.settings)
    made = ", ".join(op.signature.results)
    if len(arguments.outputs) > len(op.signature.results):
        raise UserError(f"{len(arguments.outputs)} files are given by --out", hint=f"{op.name} has the results {made}")
    results = op(**inputs, **settings)
    for n, result in enumerate(results if isinstance(results, tuple) else (results,)):
        if n < len(arguments.outputs):
            _save(Path(arguments.outputs[n]), np.asarray(result))
        else:
            print(result)
    return 0


def show(arguments: Namespace) -> int:
    """Prints one stage of an op for contiguous operands."""
    op = _op(arguments)
    print(op.stage_text(arguments.stage, _request(op, arguments)), end="")
    return 0


def schedule(arguments: Namespace) -> int:
    """Prints the steps of an op's default schedule for contiguous operands, each with its reason."""
    op = _op(arguments)
    for line in op.compilation(_request(op, arguments)).explained():
        print(line)
    return 0


def _request(op: Op, arguments: Namespace) -> Request:
    """What the options ask for."""
    dtypes = {name: dtype(text) for name, text in _pairs(arguments.dtypes)}
    variables = op.signature.variables
    for name in dtypes:
        if name not in variables:
            raise UserError(
                f"{op.name} has no dtype variable {name!r}", hint=f"it has {', '.join(variables) or 'none'}"
            )
    return op.default_request(dtypes, arguments.rank, _settings(op, arguments.settings))


def opt(arguments: Namespace) -> int:
    """Runs a pipeline over a text of tensor IR or loop IR and prints the result."""
    name = arguments.file
    text = sys.stdin.read() if name == "-" else read_text(name)
    for stage in optimise(text, name, arguments.pipeline, each=arguments.each):
        print(stage, end="")
    return 0


def replay(arguments: Namespace) -> int:
    """Runs the programs of a bundle again and says what goes wrong; 1 if something does."""
    failed = False
    for name, error in replay_bundle(Path(arguments.bundle)):
        failed |= error is not None
        print(f"{name}: {error or 'nothing goes wrong'}")
    return 1 if failed else 0


def write_atomically(path: Path, data: bytes) -> None:
    """Replaces ``path`` whole, or leaves it as it was; a file that is there keeps its permissions."""
    if not path.parent.is_dir():
        raise UserError(f"{path} cannot be written: there is no folder {path.parent}")
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, path.stat().st_mode if path.exists() else 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _op(arguments: Namespace) -> Op:
    name, target = arguments.file, arguments.target
    ops = load_ops(read_text(name), name, target, arguments.level, arguments.shared)
    if arguments.op is None and len(ops) == 1:
        return next(iter(ops.values()))
    if not ops:
        raise UserError(f"there is no op in {arguments.file}")
    if arguments.op not in ops:
        asked = "no op was named" if arguments.op is None else f"there is no op {arguments.op!r}"
        raise UserError(f"{asked} in {arguments.file}", hint=f"--op with one of {', '.join(ops)}")
    return ops[arguments.op]


def _pairs(items: Iterable[str]) -> list[tuple[str, str]]:
    pairs = []
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name:
            raise UserError(f"expected NAME=VALUE, got {item!r}")
        pairs.append((name, value))
    return pairs


def _settings(op: Op, items: Iterable[str]) -> dict[str, Attribute]:
    """Attributes, ranks and scalars: a choice as it is, a tuple as its elements between commas."""
    return {name: _value(text, op.signature.kinds.get(name)) for name, text in _pairs(items)}


def _value(text: str, kind: Kind | None) -> Attribute:
    if kind is not None and kind.choices:
        return text
    if kind is not None and kind.length is not None and "," in text:
        return tuple(_literal(part.strip()) for part in text.strip("()").split(",") if part.strip())
    return _literal(text)


def _literal(text: str) -> int | float | bool:
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        raise UserError(f"not a number, true or false: {text!r}") from None


def _load(path: str) -> Any:
    try:
        with open(path, "rb") as file:
            return np.lib.format.read_array(file, allow_pickle=False)
    except ValueError:
        raise UserError(f"{path} is not a .npy file of numbers", hint="numpy.save(path, array) writes one") from None


def _save(path: Path, array: Any) -> None:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    write_atomically(path, buffer.getvalue())
