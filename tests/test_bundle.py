"""Bundles: what they hold, when they are written, and that they are written whole; replaying them."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import verified as v

import tilewright as tw
from tilewright.cli import main
from tilewright.compiler import bundle, callable, driver, trace
from tilewright.compiler.bundle import Case, Miscompiled, command, reporting, write
from tilewright.compiler.request import OperandClass, Request
from tilewright.errors import CallError, CheckError, InternalError, UnsupportedError, VerifyError
from tilewright.ir.types import BF16, F32
from tilewright.passes.tensor.form_fma import FormFma

COPY = "op f(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i]\n"
CASE = Case(COPY, Request((OperandClass(F32, 1, 0),)), None, "cpu", "native", "off")


@pytest.fixture(autouse=True)
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(bundle.FOLDER, str(tmp_path / "bundles"))
    return tmp_path / "bundles"


def broken(self: FormFma, function: Any) -> NoReturn:
    raise VerifyError("some-rule", "ours")


# --- what is in a bundle --------------------------------------------------------------------------


def test_a_mismatch_leaves_a_bundle_that_replays(
    room: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        v.fma_forgets_a_sign(patch)
        error = v.caught(v.mixed)
        (folder,) = room.iterdir()
        assert error.bundle == str(folder) and command(str(folder)) in str(error)
        assert sorted(f.name for f in folder.iterdir()) == ["bundle.json", "error.txt", "program.tw", "reduced.tw"]
        assert (folder / "program.tw").read_text() == v.MIXED
        assert (folder / "reduced.tw").read_text() == error.reduced.program
        assert str(error.message) in (folder / "error.txt").read_text()
        assert main(["replay", str(folder)]) == 1
        said = capsys.readouterr().out
        for file in ("reduced.tw", "program.tw"):
            assert f"{file}: internal error: pass form-fma" in said
    assert main(["replay", str(folder)]) == 0
    assert capsys.readouterr().out == "reduced.tw: nothing goes wrong\nprogram.tw: nothing goes wrong\n"
    assert list(room.iterdir()) == [folder]


def test_the_manifest_says_sizes_layouts_attributes_and_versions(monkeypatch: pytest.MonkeyPatch, room: Path) -> None:
    v.fma_forgets_a_sign(monkeypatch)
    text = "op f(x: f32[N], *, k: int = 2) -> y: f32[N]:\n    y[i] = x[i] - x[i] * f32(k)\n"
    v.caught(lambda: v.anew(tw.op(text))(np.ones(6, np.float32)[::2], k=3))
    (folder,) = room.iterdir()
    made = json.loads((folder / "bundle.json").read_text())
    assert made["command"] == f"tilewright replay {folder}"
    assert made["environment"]["numpy"] == np.__version__ and {"python", "llvmlite"} < made["environment"].keys()
    program, reduced = made["program"], made["reduced"]
    assert program["operands (dtype, rank, unit axis, still axes)"] == [["f32", 1, -1, 0]] and program[
        "attributes"
    ] == {"k": 3}
    assert (program["target"], program["level"], program["verify"]) == ("cpu", "native", "each-pass")
    assert reduced["operands (dtype, rank, unit axis, still axes)"] == [["f32", 1, -1, 0]]
    assert reduced["sizes"].keys() == {"N"} and program["sizes"] is None


def test_cases_read_back() -> None:
    request = Request((OperandClass(BF16, 2, -1), None), (("k", 3), ("on", True), ("a", 0.5)))
    case = Case("text", request, "inline", "c", "c99", "each-pass", (("N", 3), ("M", 0)), True)
    for one in (case, CASE, Case("text", None, None, "c", "c99", "off")):
        assert Case.read(one.program, json.loads(json.dumps(one.manifest()))) == one


def test_two_errors_have_two_bundles(room: Path) -> None:
    folders = {write(CASE, InternalError("one")), write(CASE, InternalError("two"))}
    assert set(room.iterdir()) == folders and len(folders) == 2
    assert {(f / "error.txt").read_text().splitlines()[0] for f in folders} == {
        "internal error: one", "internal error: two",
    }  # fmt: skip


# --- when one is written --------------------------------------------------------------------------


def test_a_defect_while_compiling_has_a_bundle_without_verify_too(
    room: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(FormFma, "run", broken)
        with pytest.raises(InternalError, match="pass form-fma: .*ours") as error:
            v.mixed()
        (folder,) = room.iterdir()
        assert str(folder) in str(error.value) and "please report it" in str(error.value)
        assert not (folder / "reduced.tw").exists()
        assert main(["replay", str(folder)]) == 1
        said = "program.tw: internal error: pass form-fma: internal error: [some-rule] ours"
        assert capsys.readouterr().out.startswith(said)
    assert main(["replay", str(folder)]) == 0


def test_an_error_of_pythons_is_a_defect(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "compiled", lambda job, mode: {}["missing"])
    with pytest.raises(InternalError, match="KeyError: 'missing'") as error:
        v.mixed()
    assert isinstance(error.value.__cause__, KeyError)
    assert error.value.bundle == str(next(room.iterdir()))


def test_texts_and_traces_report_too(
    room: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise InternalError("no")

    monkeypatch.setattr(trace, "compose", refuse)
    with pytest.raises(InternalError, match="no") as error:
        tw.trace(lambda x: tw.ops.softmax(x), v.X)
    assert error.value.bundle is not None
    assert "op softmax(x: f32[" in Path(error.value.bundle, "program.tw").read_text()
    assert main(["replay", error.value.bundle]) == 1
    assert "does not say how program.tw was called" in capsys.readouterr().err
    monkeypatch.setattr(FormFma, "run", broken)
    for ask in (lambda: tw.ops.matmul.text("llvm"), lambda: tw.trace(lambda x: tw.ops.matmul(x, x), v.X)):
        with pytest.raises(InternalError) as error:
            ask()
        assert error.value.bundle is not None


def test_what_the_runtime_reports_is_a_defect(room: Path) -> None:
    on_error = callable.raiser("f", ["x"], "f(x)", lambda: CASE)
    with pytest.raises(InternalError, match="the runtime reports 'strange'") as error:
        on_error("strange", 7)
    assert error.value.bundle == str(next(room.iterdir()))


@pytest.mark.parametrize("error", [CheckError("yours"), CallError("yours"), UnsupportedError("not here"), OSError(28)])
def test_errors_of_others_have_no_bundle(error: Exception, room: Path) -> None:
    with pytest.raises(type(error)) as caught, reporting(lambda: CASE):
        raise error
    assert caught.value is error and not room.exists()


def test_a_wrong_call_under_verify_has_no_bundle(room: Path) -> None:
    with tw.verify("each-pass"), pytest.raises(CallError):
        v.anew(tw.ops.matmul)(v.X, v.X)
    assert not room.exists()


def test_an_error_is_reported_once(room: Path) -> None:
    with pytest.raises(InternalError) as error, reporting(lambda: CASE), reporting(lambda: CASE):
        raise InternalError("one", hint="first this")
    assert len(list(room.iterdir())) == 1
    assert error.value.hint is not None and error.value.hint.startswith("first this; please report it")


# --- whole or not at all --------------------------------------------------------------------------


def test_a_bundle_that_fails_half_way_leaves_nothing(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, written = Path.write_text, []

    def full(self: Path, *given: Any, **keywords: Any) -> int:
        if written:
            raise OSError(28, "No space left on device")
        written.append(self)
        assert self.parent.name.startswith(".") and self.parent.parent == room
        return text(self, *given, **keywords)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InternalError) as error, reporting(lambda: CASE):
        raise InternalError("ours")
    assert written and not list(room.iterdir()) and error.value.bundle is None
    assert "no bundle could be written ([Errno 28] No space left on device)" in str(error.value)


def test_the_folder_appears_whole(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    rename = os.rename

    def watch(source: Any, target: Any) -> None:
        seen.append(sorted(f.name for f in Path(source).iterdir()))
        assert not Path(target).exists()
        rename(source, target)

    monkeypatch.setattr(os, "rename", watch)
    made = write(CASE, Miscompiled("wrong", CASE))
    assert seen == [["bundle.json", "error.txt", "program.tw", "reduced.tw"]]
    assert sorted(f.name for f in made.iterdir()) == seen[0]


def test_without_a_folder_named_the_one_for_temporary_files_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(bundle.FOLDER)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    assert write(CASE, InternalError("x")).parent == tmp_path


@pytest.mark.parametrize("spoil", ["missing", "not json", "no program", "wrong operands"])
def test_what_is_no_bundle_is_refused(spoil: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write(CASE, InternalError("x"))
    if spoil == "missing":
        folder = tmp_path / "nowhere"
    elif spoil == "not json":
        (folder / "bundle.json").write_text("{")
    elif spoil == "no program":
        (folder / "program.tw").unlink()
    else:
        manifest = json.loads((folder / "bundle.json").read_text())
        manifest["program"]["operands (dtype, rank, unit axis, still axes)"] = [["f33", 1, 0, 0]]
        (folder / "bundle.json").write_text(json.dumps(manifest))
    assert main(["replay", str(folder)]) == 1
    said = capsys.readouterr().err
    assert f"{folder} is no bundle" in said and "help: give the folder that the error message names" in said
