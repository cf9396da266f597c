"""LLVM's code generator: on several threads at once, without the GIL, in forked children and on a single CPU."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tilewright.errors import InternalError, UnsupportedError
from tilewright.runtime import Llvm, Object
from tilewright.targets.cpu import build, library

FUNCTION = """\
define i64 @f{n}(i64 %x) {{
  %y = add i64 %x, {n}
  ret i64 %y
}}
"""


def module(n: int) -> str:
    return build.header(build.host()) + FUNCTION.format(n=n)


def large(functions: int = 400) -> str:
    return build.header(build.host()) + "".join(FUNCTION.format(n=n) for n in range(functions))


def compiled(text: str, reduce_strides: bool = False) -> bytes:
    return build.llvm().submit(text, build.host(), 1, reduce_strides).result()


def test_threads_make_the_code_that_one_makes() -> None:
    alone = [compiled(module(n)) for n in range(40)]
    begun = [build.llvm().submit(module(n), build.host(), 1, n % 3 == 0) for n in range(40)]
    assert [p.result() for p in begun] == alone == [begun[n].result() for n in range(40)]
    assert all(f"f{n}" in Object(image) for n, image in enumerate(alone))


def test_many_python_threads_compile_at_once() -> None:
    with ThreadPoolExecutor(8) as threads:
        images = list(threads.map(lambda n: compiled(module(n), reduce_strides=n % 2 == 0), range(64)))
    assert [f"f{n}" in Object(image) for n, image in enumerate(images)] == [True] * 64


def test_python_runs_while_llvm_works() -> None:
    begun = build.llvm().submit(large(), build.host(), 1, False)
    counted = [0]
    done = threading.Event()

    def count() -> None:
        while not done.is_set():
            counted[0] += 1

    counter = threading.Thread(target=count)
    counter.start()
    start, before = time.perf_counter(), counted[0]
    image = begun.result()
    during, seconds = counted[0] - before, time.perf_counter() - start
    done.set()
    counter.join()
    assert "f399" in Object(image)
    assert during > 1000, f"a Python thread counted to {during} in {seconds} s of compiling"


def test_an_error_of_one_module_is_its_own() -> None:
    texts = [module(0), "define void @f() {", module(2)]
    begun = [build.llvm().submit(t, build.host(), 1, False) for t in texts]
    assert "f2" in Object(begun[2].result())
    with pytest.raises(ValueError, match="found end of file"):
        begun[1].result()
    assert "f0" in Object(begun[0].result())


def test_what_is_no_library_or_no_machine_is_said() -> None:
    code = "from tilewright.runtime import Llvm\ntry: Llvm('/nowhere.so')\nexcept RuntimeError as e: print(e)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "/nowhere.so" in done.stdout
    with pytest.raises(ValueError, match="nonsense"):
        build.llvm().submit(module(0), ("nonsense", "", ""), 1, False).result()


@pytest.mark.parametrize("busy", [False, True])
def test_a_forked_child_compiles(busy: bool) -> None:
    begun = [build.llvm().submit(large(50), build.host(), 1, False) for _ in range(8 * busy)]
    child = os.fork()
    if child == 0:
        ok = "f7" in Object(compiled(module(7)))
        os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert all("f49" in Object(p.result()) for p in begun)


ONE_CPU = """\
import os, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import numpy as np, tilewright as tw
x = np.arange(12, dtype=np.float32).reshape(3, 4)
print(tw.ops.softmax(x).sum(), len(os.listdir("/proc/self/task")))
"""


def test_a_process_with_one_cpu_compiles_itself() -> None:
    done = subprocess.run([sys.executable, "-c", ONE_CPU], capture_output=True, text=True, check=True)
    total, threads = done.stdout.split()
    assert np.float32(total) == pytest.approx(3) and threads == "1"


def test_after_its_threads_have_ended_who_waits_compiles() -> None:
    code = (
        "from tilewright.targets.cpu import build\n"
        "build.llvm().stop()\n"
        "text = build.header(build.host()) + 'define void @g() {\\n  ret void\\n}\\n'\n"
        "print(len(build.llvm().submit(text, build.host(), 1, True).result()) > 100)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "True\n"


def test_the_library_is_the_one_that_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "LLVMLITE", "0.49")
    build.llvm.cache_clear()
    with pytest.raises(UnsupportedError, match=r"the cpu target needs llvmlite 0\.49, not 0\.50"):
        build.llvm()
    monkeypatch.undo()
    assert isinstance(build.llvm(), Llvm)


def said(code: str) -> str:
    """What a process that runs ``code`` prints; it must end well."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


FIRST_CALL = """\
import os
os.environ["TILEWRIGHT_CACHE"] = "off"
import numpy as np, tilewright as tw
from tilewright.targets.cpu import library
def first_call():
    try:
        print(tw.ops.exp(np.zeros(3, np.float32)))
    except tw.UnsupportedError as e:
        print(e)
"""


def test_a_library_that_cannot_be_loaded_is_an_error_of_the_call() -> None:
    wrong = FIRST_CALL + "right = library.path\nlibrary.path = lambda: '/nowhere.so'\nlibrary.begin()\nfirst_call()\n"
    missing, made = said(wrong + "library.path = right\nfirst_call()\n").rsplit("\n", 2)[:2]
    assert "llvmlite's library cannot be used: /nowhere.so" in missing and "install llvmlite anew" in missing
    assert made == "[1. 1. 1.]"
    none = FIRST_CALL + "import sys\nsys.modules['llvmlite'] = None\nfirst_call()\n"
    assert "the cpu target needs llvmlite 0.50, not none" in said(none)


def test_a_call_begins_to_load_the_library_and_not_twice() -> None:
    watch = "begun = []\nfrom tilewright.runtime import Llvm\n"
    watch += "class Watched:\n    begin, settle = begun.append, Llvm.settle\n    __new__ = lambda cls, at: Llvm(at)\n"
    code = FIRST_CALL + watch + "library.Llvm = Watched\nfirst_call()\nfirst_call()\nprint(begun == [library.path()])"
    assert said(code) == "[1. 1. 1.]\n[1. 1. 1.]\nTrue\n"


@pytest.mark.parametrize("waits", ["", "time.sleep(0.002)", "time.sleep(0.01)", "library.llvm()"])
def test_a_child_that_is_forked_while_the_library_is_loaded_compiles(waits: str) -> None:
    code = FIRST_CALL + f"import time\nlibrary.begin()\n{waits}\nchild = os.fork()\nfirst_call()\n"
    assert said(code + "if child: assert os.waitpid(child, 0)[1] == 0").count("[1. 1. 1.]") == 2


def test_a_process_that_ends_waits_for_the_library() -> None:
    count = "len(os.listdir('/proc/self/task'))"
    code = f"import atexit, os\nfrom tilewright.targets.cpu import library\nbefore = {count}\nlibrary.begin()\n"
    assert said(f"{code}atexit._run_exitfuncs()\nprint({count} - before, flush=True)") == "0\n"
    assert said(f"{code}print('end')") == "end\n"


def test_threads_that_ask_for_the_library_at_once_get_it() -> None:
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from tilewright.targets.cpu import library\n"
        "library.begin()\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    print({x.result().host() == library.llvm().host() for x in [pool.submit(library.llvm) for _ in range(4)]})"
    )
    assert said(code) == "{True}\n"


ABORTS = """\
declare <4 x i32> @llvm.aarch64.neon.smull.v4i32(<4 x i16>, <4 x i16>)
define <4 x i32> @f(<4 x i16> %a) {
  %r = call <4 x i32> @llvm.aarch64.neon.smull.v4i32(<4 x i16> %a, <4 x i16> %a)
  ret <4 x i32> %r
}
"""
ALONE = """\
import sys
from tilewright.targets.cpu import build
build.llvm().submit(build.header(build.host()) + sys.stdin.read(), build.host(), 1, False).result()
"""


@pytest.mark.skipif(not build.is_x86(), reason="what this processor has an instruction for takes nothing down")
def test_what_would_end_the_process_does_not_get_to_llvm() -> None:
    dead = subprocess.run([sys.executable, "-c", ALONE], input=ABORTS, capture_output=True, text=True, check=False)
    assert dead.returncode == -6 and "LLVM ERROR" in dead.stderr
    with pytest.raises(InternalError, match=r"llvm\.aarch64\.neon\.smull is not on the cpu target's list"):
        build.compile_objects([f"{build.MODULE}\n{build.header(build.host())}{ABORTS}"], build.host())


@pytest.mark.parametrize("name", ["exp.f32", "exp2.v4f32", "x86.avx512.rcp14.ps.512", "trap", "sqrt.approx", "fmax"])
def test_intrinsics_that_are_not_on_the_list(name: str) -> None:
    with pytest.raises(InternalError, match="is not on the cpu target's list"):
        build.check_intrinsics(f"  %r = call float @llvm.{name}(float %x)")
