"""Passes and pipelines as values, their text, and the runner."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilewright.dsl.parse_pipeline import parse_pipeline
from tilewright.errors import CheckError, InternalError, ScheduleError, SyntaxUserError, UnsupportedError, VerifyError
from tilewright.ir import index as ix
from tilewright.ir.index import Condition, symbol
from tilewright.ir.schedule import PRIMITIVES
from tilewright.passes.loops import PASSES, Reorder, Simplify, Split, Vectorize
from tilewright.passes.loops.nest import Primitive
from tilewright.passes.pipeline import Pass, Pipeline


@dataclass(frozen=True)
class Append(Pass):
    """Adds a word to a list of words."""

    name: ClassVar[str] = "append"
    requires: ClassVar[frozenset[str]] = frozenset({"open"})
    word: str
    times: int = 1

    def run(self, subject: tuple[str, ...]) -> tuple[str, ...]:
        return subject + (self.word,) * self.times


@dataclass(frozen=True)
class Open(Pass):
    name: ClassVar[str] = "open"
    establishes: ClassVar[frozenset[str]] = frozenset({"open"})

    def run(self, subject: tuple[str, ...]) -> tuple[str, ...]:
        return subject


@dataclass(frozen=True)
class Everything(Pass):
    """Options of every kind."""

    name: ClassVar[str] = "every-thing"
    number: int = 0
    real: float = 0.0
    flag: bool = False
    text: str = ""
    maybe: str | None = None
    many: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Failing(Pass):
    name: ClassVar[str] = "failing"
    how: str

    def run(self, subject: object) -> object:
        raise {
            "user": CheckError("your mistake"),
            "unsupported": UnsupportedError("not here"),
            "internal": VerifyError("some-rule", "ours"),
            "python": KeyError("oops"),
        }[self.how]


REGISTRY = {p.name: p for p in (Append, Open, Everything, Failing)} | PASSES

WORDS = (
    "split{loop=j factor=16 tail=cut names=[jo, j] given=[((K % 8) == 0), (N >= M + 1)]},"
    'simplify,reorder{loops=[i, k]},vectorize{loop="j\'"}'
)


def test_a_pipeline_has_a_text_that_parses_back() -> None:
    k, n, m = symbol("K"), symbol("N"), symbol("M")
    given_ = (ix.eq(k % 8, 0), ix.ge(n, m + 1))
    pipeline = Pipeline((Split("j", 16, "cut", ("jo", "j"), given_), Simplify(), Reorder(("i", "k")), Vectorize("j'")))
    assert str(pipeline) == WORDS
    assert Pipeline(parse_pipeline(WORDS, PASSES)) == pipeline


def test_the_empty_pipeline() -> None:
    assert str(Pipeline(())) == ""
    assert parse_pipeline("", REGISTRY) == ()
    assert Pipeline(()).run(7) == 7


numbers = st.one_of(st.integers(), st.floats(allow_nan=False), st.booleans(), st.none(), st.text(max_size=8))
values = st.recursive(
    st.one_of(
        numbers,
        st.sampled_from(["true", "none", "inf", "nan", "x86-64", "a b"]),
        st.builds(
            Condition,
            st.sampled_from(["ge", "eq"]),
            st.sampled_from([symbol("N"), symbol("N") % 8 - 3, symbol("dim(x,0)")]),
        ),
    ),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=6,
)


@given(st.integers(), st.floats(allow_nan=False), st.booleans(), st.text(), st.lists(values, max_size=4).map(tuple))
def test_options_of_every_kind_read_back(
    number: int, real: float, flag: bool, text: str, many: tuple[Any, ...]
) -> None:
    p = Everything(number, real, flag, text, None, many)
    (read,) = parse_pipeline(str(p), REGISTRY)
    assert read == p and repr(read) == repr(p)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("spilt{loop=i}", "no pass spilt", "did you mean split?"),
        ("zzz", "no pass zzz", "the passes are append"),
        ("split{loop=i}", "split needs the option factor", None),
        ("split{loop=i factor=x}", "factor is int, not str", None),
        ("split{loop=i factor=true}", "factor is int, not bool", None),
        ("split{loop=i loop=j factor=4}", "loop is given twice", "its options are loop, factor, tail, names, given"),
        ("simplify{x=3}", "simplify has no option x", "its options are none"),
        ("split{", "the text ends too early", None),
        ("split,,simplify", "unexpected ','", None),
        ("split{loop=i factor=(N >= )}", "unexpected ')'", None),
    ],
)
def test_malformed_pipelines_are_refused(text: str, message: str, hint: str | None) -> None:
    with pytest.raises(SyntaxUserError) as e:
        parse_pipeline(text, REGISTRY)
    assert message in e.value.message
    assert e.value.span is not None
    assert hint is None or hint in (e.value.hint or "")


def test_a_pass_that_refuses_its_options_is_shown_in_the_text() -> None:
    with pytest.raises(ScheduleError, match="factor=1 is not an integer above 1") as e:
        parse_pipeline("simplify,split{loop=i factor=1}", REGISTRY)
    assert e.value.span is not None and e.value.span.column == 10


# --- the runner ---------------------------------------------------------------------------------


def test_passes_run_in_order_and_the_hook_sees_each_step() -> None:
    seen: list[tuple[str, Any, Any]] = []
    pipeline = Pipeline((Open(), Append("a"), Append("b", 2)))
    assert pipeline.run((), lambda p, before, after: seen.append((str(p), before, after))) == ("a", "b", "b")
    assert seen == [
        ("open", (), ()),
        ("append{word=a}", (), ("a",)),
        ("append{word=b times=2}", ("a",), ("a", "b", "b")),
    ]


def test_requirements_are_checked_before_a_pass_runs() -> None:
    with pytest.raises(
        InternalError, match=r"pass append\{word=a\} requires open, which nothing before it established"
    ):
        Pipeline((Append("a"), Open())).run(())
    assert Pipeline((Append("a"),)).run((), holds=frozenset({"open"})) == ("a",)


@pytest.mark.parametrize(("how", "error"), [("user", CheckError), ("unsupported", UnsupportedError)])
def test_the_users_errors_pass_through(how: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        Pipeline((Failing(how),)).run(())


@pytest.mark.parametrize(("how", "cause"), [("internal", VerifyError), ("python", KeyError)])
def test_other_failures_name_the_pass(how: str, cause: type[Exception]) -> None:
    with pytest.raises(InternalError, match=rf"pass failing\{{how={how}\}}:") as e:
        Pipeline((Failing(how),)).run(())
    assert type(e.value.__cause__) is cause


def test_failures_of_the_hook_name_the_pass() -> None:
    def hook(p: Pass, before: object, after: object) -> None:
        raise VerifyError("some-rule", "broken after it")

    with pytest.raises(InternalError, match=r"pass open: .*\[some-rule\] broken after it") as e:
        Pipeline((Open(),)).run((), hook)
    assert isinstance(e.value.__cause__, VerifyError)


# --- names --------------------------------------------------------------------------------------


def test_every_pass_is_named_like_its_module() -> None:
    for name, cls in PASSES.items():
        module = cls.__module__.rsplit(".", 1)[1]
        assert name == cls.name == module.replace("_", "-")
        assert Path(PASSES[name].__module__.replace(".", "/")).name == module
        assert cls.__doc__


def test_the_table_of_primitives_is_what_the_classes_take() -> None:
    primitives = {n: c for n, c in PASSES.items() if issubclass(c, Primitive)}
    assert primitives.keys() == PRIMITIVES.keys()
    for name, cls in primitives.items():
        wanted = [(a.name, a.optional) for a in PRIMITIVES[name].arguments]
        assert [(f.name, f.default is not MISSING) for f in fields(cls)] == wanted
        assert PRIMITIVES[name].doc
