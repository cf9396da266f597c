"""Calls of an op: the key, the arguments, the results and what is refused."""

from __future__ import annotations

import struct
import timeit
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from runtime_probe import BASE, Array, Maker, Refused, maybe, operand, option, process_threads, refuse

from tilewright.runtime import Op, Program, Tensor, to_numpy, to_tensor


@pytest.fixture
def make() -> Maker:
    return Maker()


LAYOUTS: dict[str, tuple[Array, int]] = {  # with the unit axis of the key
    "row-major": (BASE, 1),
    "transposed": (BASE.T, 0),
    "rows reversed": (BASE[::-1], 1),
    "columns reversed": (BASE[:, ::-1], -1),
    "both strided": (BASE[::2, ::3], -1),
    "rows repeated": (np.broadcast_to(BASE[0], (4, 8)), 1),
    "columns repeated": (np.broadcast_to(BASE[:, :1], (6, 5)), -1),
    "transposed and strided": (BASE.T[:, ::2], 0),
    "transposed and reversed": (BASE.T[::-1], -1),
    "one column": (BASE[:, 3:4], 1),
    "one column of the transposed": (BASE.T[:, 2:3], 1),
    "one row": (BASE[2:3], 1),
    "one row, strided": (BASE[2:3, ::2], -1),
    "one cell": (BASE[1:2, 1:2], 1),
    "no rows": (BASE[:0, ::2], 1),
    "no columns": (BASE[::2, :0], 1),
    "no rows, transposed": (BASE[:, ::2].T[:0], 1),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(make: Maker, layout: str) -> None:
    array, unit = LAYOUTS[layout]
    result = make.copy()(array)
    assert isinstance(result, np.ndarray) and result.dtype == np.int32 and result.flags.c_contiguous
    np.testing.assert_array_equal(result, array)
    still = {"rows repeated": 1, "columns repeated": 2}.get(layout, 0)
    assert make.keys == [((("i32", 2, unit, still),), ())]


def test_a_read_only_array_is_an_input(make: Maker) -> None:
    array = BASE.copy()
    array.flags.writeable = False
    np.testing.assert_array_equal(make.copy()(array), array)
    view = np.asarray(to_tensor(array))
    assert not view.flags.writeable


def test_sizes_compile_nothing_but_layouts_and_types_do(make: Maker) -> None:
    op = make.copy()
    for rows in range(5):
        for columns in range(5):
            array = BASE[:rows, :columns].copy()
            np.testing.assert_array_equal(op(array), array)
    assert op.misses == 1
    op(BASE.T)
    op(BASE.astype(np.float32))
    op(BASE.T[1:, :])
    assert op.misses == 3
    assert make.keys == [((("i32", 2, 1, 0),), ()), ((("i32", 2, 0, 0),), ()), ((("f32", 2, 1, 0),), ())]


def test_attributes_and_absence_are_in_the_key_and_scalars_are_not(make: Maker) -> None:
    parameters = [
        operand("x"),
        maybe("b"),
        option("n", "attr_int", 1),
        option("p", "scalar", 0.5),
        option("eps", "attr_float", 0.0),
        option("flag", "attr_bool", False),
    ]
    phase = make.phase("where", 6, 6)

    def program(key: Any) -> Program:
        head = 4 if key[0][1] else 2
        step = ("phase", phase[1], head + 2, head + 2)
        return make.program("where", head, 3, [("u64", [head])], head + 1, [step], scalars=["f32"])

    op = make.op(parameters, program)
    x = np.zeros(3, np.float32)
    op(x), op(x, None), op(x, n=1, p=2.0), op(x, b=None, p=3, eps=0.0, flag=False)
    assert op.misses == 1
    x_key = ("f32", 1, 0, 0)
    op(x, n=2)
    op(x, eps=1)
    op(x, flag=True)
    assert op.misses == 4
    assert make.keys == [
        ((x_key, None), values) for values in ((1, 0.0, False), (2, 0.0, False), (1, 1.0, False), (1, 0.0, True))
    ]
    assert [type(v) for v in make.keys[2][1]] == [int, float, bool]
    with pytest.raises(TypeError, match="on_miss returned .* not a Program for these operands"):
        make.op(parameters, lambda key: make.program("where", 6, 3, [("u64", [2])], 3, [], scalars=["f32"]))(x)


def detailed(name: str, kind: str, detail: object, default: object) -> Any:
    return (name, kind, detail, True, default, True)


def test_choices_and_tuples_in_the_key(make: Maker) -> None:
    parameters = [
        operand("x"),
        detailed("size", "attr_int", 2, (1, 2)),
        detailed("mode", "attr_choice", ("no", "yes"), "no"),
        detailed("keep", "attr_bool", 1, True),
        detailed("by", "attr_float", 3, 0.5),
    ]
    op = make.op(parameters, lambda key: make.program("where", 2, 3, [], 1, []))
    x = np.zeros(3)
    op(x), op(x, size=[1, 2]), op(x, size=(np.int8(1), 2), mode="".join("no"), keep=(True,), by=(0.5, 0.5, 0.5))
    assert op.misses == 1
    op(x, size=2), op(x, mode="yes"), op(x, by=(0.5, 0.5, 1)), op(x, keep=False)
    whole = ((1, 2), "no", (True,), (0.5, 0.5, 0.5))
    changed = {0: (2, 2)}, {1: "yes"}, {3: (0.5, 0.5, 1.0)}, {2: (False,)}
    assert [key[1] for key in make.keys] == [
        tuple(c.get(n, value) for n, value in enumerate(whole)) for c in ({}, *changed)
    ]


@pytest.mark.parametrize(
    ("kind", "detail", "error", "message"),
    [
        ("attr_choice", None, TypeError, "choices are a tuple of texts"),
        ("attr_choice", ("a", 1), TypeError, "bad argument type"),
        ("attr_int", 0, ValueError, "a tuple has a length above 0"),
        ("attr_int", "a", TypeError, "integer"),
    ],
)
def test_wrong_details(kind: str, detail: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Op("probe", [detailed("a", kind, detail, 1)], refuse, refuse, refuse, refuse)


def test_ranks_and_cells(make: Maker) -> None:
    op = make.op([operand("x")], lambda key: make.program("where", 2 * key[0][0][1], 3, [], 1, []))
    with pytest.raises(ValueError, match="no slot 1 in the size table"):
        make.program("where", 0, 1, [], 1, [])
    for rank in range(1, 6):
        assert op(np.zeros((1,) * rank)) == ()
    assert [key[0][0][1] for key in make.keys] == [1, 2, 3, 4, 5]


# Arguments


def test_binding(make: Maker) -> None:
    op = make.add()
    a, b = np.array([1, 2], np.float32), np.array([10, 20], np.float32)
    for result in (op(a, b), op(a, b=b), op(b=b, a=a), op(*[a], **{"".join("b"): b})):
        np.testing.assert_array_equal(result, [11, 22])


@pytest.mark.parametrize(
    ("arguments", "keywords", "message"),
    [
        ((1,), {}, "probe() needs 'b'"),
        ((), {"b": 1}, "probe() needs 'a'"),
        ((1, 2, 3), {}, "probe() takes 2 positional arguments, not 3"),
        ((1, 2), {"c": 3}, "probe() has no parameter 'c'"),
        ((1, 2), {"b": 3}, "probe() got 'b' twice"),
        ((1, 2), {}, "probe(): 'a': an array is needed, not int"),
        ((None, 2), {}, "probe(): 'a': an array is needed, not NoneType"),
        ((np.zeros(2), "b"), {}, "probe(): 'b': an array is needed, not str"),
        ((np.zeros(2, "O"), 1), {}, "probe(): 'a': there are no tensors of object"),
        ((np.zeros(2, "c16"), 1), {}, "probe(): 'a': there are no tensors of complex128"),
        ((np.zeros((1,) * 33), 1), {}, "probe(): 'a': this array is no tensor: a tensor has at most 32 axes, not 33"),
    ],
)
def test_wrong_arguments(make: Maker, arguments: tuple[Any, ...], keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(Refused) as error:
        make.add()(*arguments, **keywords)
    assert error.value.args == ("argument", message)


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("attr_int", 1.0, "takes a value of type int, not 1.0"),
        ("attr_int", 1 << 63, "takes a value of type int, not 9223372036854775808"),
        ("attr_float", "x", "takes a value of type float, not 'x'"),
        ("attr_bool", 1, "takes a value of type bool, not 1"),
        ("attr_choice", "c", 'takes a value of type "a" | "b", not \'c\''),
        ("attr_choice", 0, 'takes a value of type "a" | "b", not 0'),
        ("scalar", None, "takes a value of type u8, not None"),
        ("scalar", 256, "takes a value of type u8, not 256"),
        ("scalar", -1, "takes a value of type u8, not -1"),
    ],
)
def test_wrong_values(make: Maker, kind: str, value: object, message: str) -> None:
    scalars = ["u8"] if kind == "scalar" else []
    parameter = detailed("v", kind, ("a", "b"), "a") if kind == "attr_choice" else option("v", kind)
    op = make.op([operand("x"), parameter], lambda key: make.program("where", 2, 3, [], 3, [], scalars=scalars))
    with pytest.raises(Refused) as error:
        op(np.zeros(2), v=value)
    assert error.value.args == ("argument", f"probe(): 'v' {message}")


def test_errors_of_others_pass_through(make: Maker) -> None:
    class Odd:
        def __index__(self) -> int:
            raise KeyError("mine")

    op = make.op([operand("x"), option("v", "attr_int")], lambda key: 1 // 0)
    with pytest.raises(KeyError, match="mine"):
        op(np.zeros(2), v=Odd())
    with pytest.raises(ZeroDivisionError):
        op(np.zeros(2), v=1)
    with pytest.raises(ZeroDivisionError):
        op(np.zeros(2), v=1)
    assert op.misses == 2


def test_an_on_error_that_returns_is_an_error() -> None:
    op = Op("probe", [operand("x")], lambda key: None, lambda kind, info: None, to_tensor, to_numpy)  # type: ignore[arg-type, return-value]
    with pytest.raises(RuntimeError, match=r"probe\(\): on_error did not raise for argument: probe\(\) needs 'x'"):
        op()


def test_an_op_that_is_not_initialised_refuses() -> None:
    op = Op.__new__(Op)
    with pytest.raises(RuntimeError, match="not initialised"):
        op()
    with pytest.raises(ValueError, match="unknown parameter kind 'odd'"):
        Op("probe", [("x", "odd", None, False, None, False)], refuse, refuse, refuse, refuse)  # type: ignore[arg-type, list-item]
    with pytest.raises(ValueError, match="positional parameter follows a keyword-only one"):
        Op("probe", [option("n", "attr_int"), operand("x")], refuse, refuse, refuse, refuse)  # type: ignore[arg-type]


HALVES = (0.1, -0.0, 0.0, 1 + 2**-8, 1 + 2**-11, 1 + 3 * 2**-11, 1.999, 3e-8, 2.9e-8, 65519.9, 65520.0, -1e-39, 1e300)
"""Ties, denormals, the first that overflows."""


def half(number: float, dtype: Any) -> int:
    with np.errstate(over="ignore"):
        return int(np.array(number).astype(dtype).view(np.uint16))


def test_scalar_cells(make: Maker) -> None:
    def bits(layout: str, value: object) -> int:
        return int.from_bytes(struct.pack(layout, value), "little", signed=False)

    cases: list[tuple[str, Any, int]] = [
        ("bool", True, 1),
        ("i8", -128, 2**64 - 128),
        ("i16", np.int16(-2), 2**64 - 2),
        ("i32", 2**31 - 1, 2**31 - 1),
        ("i64", -(2**63), 2**63),
        ("u8", 255, 255),
        ("u16", 65535, 65535),
        ("u32", 2**32 - 1, 2**32 - 1),
        ("u64", 2**64 - 1, 2**64 - 1),
        *(("f16", x, half(x, np.float16)) for x in HALVES),
        *(("bf16", x, half(x, ml_dtypes.bfloat16)) for x in HALVES),
        ("f32", np.float32(0.1), bits("<f", 0.1)),
        ("f32", 1e300, bits("<f", float("inf"))),
        ("f64", 0.1, bits("<d", 0.1)),
        ("f64", -1, bits("<d", -1.0)),
        ("field", 2**63 + 5, 2**63 + 5),
    ]
    names = [name for name, _, _ in cases]
    step = make.phase("cells", 4, 4)
    program = make.program("cells", 2, 3, [("u64", [2])], 3, [step], scalars=names)
    parameters = [operand("x"), *(option(f"s{i}", "scalar") for i in range(len(cases)))]
    op = make.op(parameters, lambda key: program)
    values = {f"s{i}": value for i, (_, value, _) in enumerate(cases)}
    cells = op(np.zeros(len(cases), np.int8), **dict(reversed(values.items())))
    for (name, value, expected), cell in zip(cases, cells.tolist(), strict=True):
        if name in ("i8", "i16", "i32", "f16", "bf16", "f32"):
            expected, cell = expected % 2**32, cell % 2**32
        assert cell == expected, (name, value)


# Results


def test_numpy_in_and_out_share_memory(make: Maker) -> None:
    phase = make.phase("where", 4, 4)
    op = make.op([operand("x")], lambda key: make.program("where", 2, 3, [("u64", [2])], 3, [phase]))
    array = np.zeros(100)[90::-3]
    result = op(array)
    assert isinstance(result, np.ndarray) and result.flags.writeable
    assert result.tolist() == [array.ctypes.data, result.ctypes.data]
    assert result.ctypes.data % 64 == 0
    tensor = to_tensor(array)
    answer = op(tensor)
    assert isinstance(answer, Tensor)
    assert np.asarray(answer).tolist() == [array.ctypes.data, answer.data_ptr()]
    assert array.ctypes.data == tensor.data_ptr()


def test_any_tensor_in_gives_tensors_out(make: Maker) -> None:
    op, array = make.add(), np.array([1, 2], np.float32)
    tensor = to_tensor(array)
    assert isinstance(op(array, array), np.ndarray)
    for result in (op(tensor, tensor), op(array, tensor), op(tensor, array)):
        assert isinstance(result, Tensor)
        assert np.asarray(result).tolist() == [2, 4]
    empty = make.op([], lambda key: make.program("where", 0, 3, [("u64", [0])], 1, []))
    assert isinstance(empty(), Tensor)


def test_a_result_outlives_its_tensor(make: Maker) -> None:
    op, array = make.add(), np.array([1, 2], np.float32)
    kept = [np.asarray(op(to_tensor(array * i), to_tensor(array))) for i in range(50)]
    assert [row.tolist() for row in kept] == [[i + 1, 2 * i + 2] for i in range(50)]


def test_scratch_and_phases(make: Maker) -> None:
    steps = [make.phase("partial", 2, 3), make.phase("combine", 4, 4)]
    op = make.op([operand("x")], lambda key: make.program("total", 2, 4, [("f64", []), ("u64", [])], 5, steps))
    for n in (1, 9, 10, 11, 1000, 12345):
        with process_threads(2):
            total, scratch = op(np.arange(n, dtype=np.float64))
        assert total.shape == () and total[()] == n * (n - 1) / 2
        assert int(scratch[()]) % 64 == 0


def test_repeats_and_idle_phases(make: Maker) -> None:
    steps: list[Any] = [
        make.phase("zero", 6, 6),
        ("repeat", 4, [("repeat", 5, [make.phase("trip", 6, 6)]), make.phase("outer_trip", 6, 6)]),
        make.phase("never", 7, 6),
        ("repeat", 7, [make.phase("never", 6, 6)]),
    ]
    op = make.op([operand("x")], lambda key: make.program("trips", 2, 7, [("i64", [2, 3]), ("i64", [2])], 8, steps))
    inner, outer = op(np.zeros(1))
    assert inner.tolist() == [[1, 2, 3], [4, 5, 6]] and outer.tolist() == [1, 2]
    inner, outer = op(np.zeros(0))
    assert not inner.any() and not outer.any()
    deep: Any = make.phase("zero", 6, 6)
    for _ in range(9):
        deep = ("repeat", 4, [deep])
    with pytest.raises(ValueError, match="too deep"):
        make.program("trips", 2, 7, [], 8, [deep])


def test_status(make: Maker) -> None:
    phase = make.phase("note", 2, 2)

    def program(key: Any) -> Program:
        head = 2 * sum(each is not None for each in key[0])
        return make.program("note", head, 2, [], head + 1, [("phase", phase[1], head, head)])

    op = make.op([operand("x"), maybe("b"), maybe("c")], program)
    note = np.array([0, 1, 0, 7, -3])
    assert op(note * 0) == ()
    for second, expected in ((0, 0), (1, 2)):
        note[2] = second
        with pytest.raises(Refused) as error:
            op(note, c=note)
        assert error.value.args == ("index", (1, expected, 7, -3))
    with pytest.raises(Refused) as error:
        op(note, note)
    assert error.value.args == ("index", (1, 1, 7, -3))


def test_checks(make: Maker) -> None:
    op = make.add()

    def f32(n: int) -> Array:
        return np.zeros(n, np.float32)

    for a, b, message in ((3, 4, "the lengths differ"), (1001, 1001, "too long"), (1001, 4, "the lengths differ")):
        with pytest.raises(Refused) as error:
            op(f32(a), f32(b))
        kind, (said, operands) = error.value.args
        assert (kind, said, [x.shape for x in operands]) == ("check", message, [(a,), (b,)])
    assert op(f32(1000), f32(1000)).shape == (1000,)
    assert op.misses == 1


def test_impossible_results(make: Maker) -> None:
    op = make.op([operand("x")], lambda key: make.program("bad", 2, 3, [("f32", [3, 2])], 4, []))
    with pytest.raises(Refused) as error:
        op(np.zeros(1))
    kind, (said, _) = error.value.args
    assert (kind, said) == ("check", "axis 1 of the result would have the negative extent -3")
    with pytest.raises(
        MemoryError, match=rf"^no memory for a result f32\[\d+, \d+\]: more than {1 << 48} bytes asked for, \d+ in use$"
    ):
        op(np.zeros(0))


def test_the_call_is_cheap(make: Maker) -> None:
    op, tensor = make.add(), to_tensor(np.zeros(8, np.float32))
    op(tensor, tensor)
    best = min(timeit.repeat(lambda: op(tensor, tensor), number=20000, repeat=5)) / 20000
    print(f"{best * 1e9:.0f} ns a call, the lambda included")
    assert best < 1e-6
