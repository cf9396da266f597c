"""The command line: ``tilewright check | fmt | doc | run | show | schedule | opt | doctor | replay``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tilewright.compiler import commands
from tilewright.errors import TilewrightError
from tilewright.stdlib import ops


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; 0 on success, 1 when the program or call is wrong (the reason is on stderr)."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except TilewrightError as error:
        print(error, file=sys.stderr)
    except BrokenPipeError:
        pass
    except OSError as error:
        print(f"error: {error.filename}: {error.strerror}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tilewright", description="Ops written as math, compiled to kernels.")
    parser.set_defaults(shared=ops.definitions)
    sub = parser.add_subparsers(required=True, metavar="COMMAND")

    check = sub.add_parser("check", help="say what is wrong in .tw files, and which conditions their ops put on sizes")
    check.add_argument("files", nargs="+", metavar="FILE")
    check.set_defaults(run=commands.check)

    fmt = sub.add_parser("fmt", help="lay .tw files out canonically, in place")
    fmt.add_argument("files", nargs="+", metavar="FILE")
    fmt.add_argument("--check", action="store_true", help="change nothing; exit with 1 if a file would change")
    fmt.add_argument("--upgrade", action="store_true", help="also rewrite files for the newest edition of the language")
    fmt.set_defaults(run=commands.fmt)

    doc = sub.add_parser("doc", help="print a reference page for each op of a file, as Markdown")
    doc.add_argument("file", metavar="FILE", help="a .tw file")
    doc.set_defaults(run=commands.doc)

    run = sub.add_parser("run", help="run an op on .npy files")
    _op_arguments(run)
    _repeated(run, "--in", "inputs", "NAME=FILE.npy", "a tensor operand")
    _repeated(run, "--out", "outputs", "FILE.npy", "where each result goes, in order")
    run.set_defaults(run=commands.run)

    show = sub.add_parser("show", help="print an op at a stage of its road")
    _op_arguments(show)
    show.add_argument("--stage", choices=commands.STAGES, default="tensor")
    _request_arguments(show)
    show.set_defaults(run=commands.show)

    schedule = sub.add_parser("schedule", help="print the steps of an op's default schedule, each with its reason")
    _op_arguments(schedule)
    _request_arguments(schedule)
    schedule.set_defaults(run=commands.schedule)

    opt = sub.add_parser("opt", help="run passes over a text of either IR")
    opt.add_argument("file", metavar="FILE", help="canonical .tw, or a kernel or plan of loop IR; - for standard input")
    opt.add_argument("--pipeline", required=True, help="for example 'split{loop=j factor=16 tail=cut},simplify'")
    opt.add_argument("--each", action="store_true", help="print the text after every pass")
    opt.set_defaults(run=commands.opt)

    doctor = sub.add_parser("doctor", help="say what this machine has, what each target needs, and how fast both are")
    doctor.set_defaults(run=commands.doctor)

    replay = sub.add_parser("replay", help="run what a report of an internal error is about again")
    replay.add_argument("bundle", metavar="BUNDLE", help="the folder that the error message names")
    replay.set_defaults(run=commands.replay)
    return parser


def _op_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="a .tw file")
    parser.add_argument("--op", help="which op (needed if the file has several)")
    _repeated(parser, "--set", "settings", "NAME=VALUE", "an attribute (a tuple as 1,2) or run-time scalar")
    parser.add_argument("--target", default="cpu")
    parser.add_argument("--level", default=None, help="for cpu: native, x86-64-v3 or x86-64")


def _request_arguments(parser: argparse.ArgumentParser) -> None:
    _repeated(parser, "--dtype", "dtypes", "T=f32", "a dtype variable")
    parser.add_argument("--rank", type=int, default=1, help="how many axes each pack stands for (1)")


def _repeated(parser: argparse.ArgumentParser, flag: str, dest: str, metavar: str, text: str) -> None:
    parser.add_argument(flag, dest=dest, action="append", default=[], metavar=metavar, help=text)


if __name__ == "__main__":
    raise SystemExit(main())
