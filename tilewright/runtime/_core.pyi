"""The C++ core: tensors, compiled ops and the threads that run them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, Self, TypeAlias, final, overload

import numpy as np
from numpy.typing import DTypeLike

from tilewright.runtime.dtypes import dtype as ElementType

Value: TypeAlias = bool | int | float | str | tuple[bool | int | float, ...]
Class: TypeAlias = tuple[str, int, int, int] | None
"""(dtype name, rank, unit axis or -1, a bit for each axis along which all elements are one); None: it is absent."""
Key: TypeAlias = tuple[Any, ...]
"""What ``on_miss`` is told: per operand its class; the attributes' values; and, if results are written to memory that
is not row-major, per result its class, None for the others."""
Pattern: TypeAlias = tuple[str | None, ...]
Axes: TypeAlias = tuple[tuple[Pattern, ...], tuple[Pattern, ...], tuple[str, ...], bool, tuple[bool, ...]]
"""See ``tilewright.dsl.axes``."""

Parameter: TypeAlias = tuple[
    str,
    Literal["tensor", "optional", "attr_int", "attr_float", "attr_bool", "attr_choice", "scalar"],
    str | tuple[str, ...] | int | None,
    bool,
    object,
    bool,
]
"""(name, kind, detail, has a default, the default, keyword only). The detail is the dtype declared for a scalar, the
choices of an attribute, the length of one that is a tuple, or None."""

Step: TypeAlias = tuple[Literal["phase"], int, int, int] | tuple[Literal["repeat"], int, Sequence[Step]]
"""("phase", kernel address, slot of tasks, slot of chunk) or ("repeat", slot of trips, steps)."""

class Tensor:
    """An n-dimensional array of one element type: dims and byte strides over shared storage.

    ``numpy.asarray`` gives a view, by the buffer protocol or, of bf16, by ``__array__``; field shows as uint64. Other
    libraries take it by DLPack.
    """

    @staticmethod
    def from_buffer(obj: object, dtype: str | None = None) -> Tensor:
        """A tensor over the memory of ``obj``, which it keeps alive; ``dtype`` reinterprets the elements.

        TypeError when ``obj`` has no buffer, or its elements are not native, aligned and of a known type;
        ValueError for more than 32 axes.
        """

    @staticmethod
    def from_capsule(capsule: object, /) -> Tensor:
        """A tensor over the memory of a DLPack capsule, which is consumed: ``__dlpack__`` of another library gives it.

        TypeError and ValueError say why it cannot be a tensor; then the capsule is as it was.
        """

    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def strides(self) -> tuple[int, ...]:
        """In bytes."""

    @property
    def dtype(self) -> ElementType: ...
    def data_ptr(self) -> int:
        """The address of the first element."""

    @property
    def nbytes(self) -> int: ...
    @property
    def __array_interface__(self) -> dict[str, Any]: ...
    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        """See ``tilewright.runtime.arrays.array``."""

    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __dlpack__(
        self,
        *,
        stream: None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> object:
        """A DLPack capsule of this memory, or with ``copy=True`` of a row-major copy.

        It is versioned if ``max_version`` is at least (1, 0). BufferError for read-only tensors otherwise, for streams,
        for devices other than (1, 0), the CPU, for field, and for negative strides, which end PyTorch.
        """

    def __dlpack_device__(self) -> tuple[int, int]: ...

    # What these do, and their errors, is said by help(): in runtime/core/tensor_doc.h.
    def reshape(self, *shape: int | Sequence[int]) -> Self: ...
    @overload
    def view(self, *size: int | Sequence[int]) -> Self: ...
    @overload
    def view(self, dtype: ElementType) -> Self: ...
    def view_as(self, other: Tensor) -> Self: ...
    def reshape_as(self, other: Tensor) -> Self: ...
    def ravel(self) -> Self: ...
    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Self: ...
    def unflatten(self, dim: int, sizes: int | Sequence[int]) -> Self: ...
    def permute(self, *dims: int | Sequence[int]) -> Self: ...
    def transpose(self, dim0: int, dim1: int) -> Self: ...
    def swapaxes(self, axis0: int, axis1: int) -> Self: ...
    def swapdims(self, dim0: int, dim1: int) -> Self: ...
    def t(self) -> Self: ...
    @property
    def T(self) -> Self: ...
    @property
    def mT(self) -> Self: ...
    def movedim(self, source: int | Sequence[int], destination: int | Sequence[int]) -> Self: ...
    def moveaxis(self, source: int | Sequence[int], destination: int | Sequence[int]) -> Self: ...
    def squeeze(self, dim: int | Sequence[int] | None = None) -> Self: ...
    def unsqueeze(self, dim: int) -> Self: ...
    def expand(self, *size: int | Sequence[int]) -> Self: ...
    def expand_as(self, other: Tensor) -> Self: ...
    def broadcast_to(self, *size: int | Sequence[int]) -> Self: ...
    def narrow(self, dim: int, start: int, length: int) -> Self: ...
    def select(self, dim: int, index: int) -> Self: ...
    def split(self, split_size: int | Sequence[int], dim: int = 0) -> tuple[Self, ...]: ...
    def chunk(self, chunks: int, dim: int = 0) -> tuple[Self, ...]: ...
    def tensor_split(self, indices_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Self, ...]: ...
    def unbind(self, dim: int = 0) -> tuple[Self, ...]: ...
    def diagonal(self, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Self: ...
    def unfold(self, dimension: int, size: int, step: int) -> Self: ...
    def as_strided(
        self, size: int | Sequence[int], stride: int | Sequence[int], storage_offset: int | None = None
    ) -> Self: ...
    def contiguous(self) -> Self: ...
    def is_contiguous(self) -> bool: ...
    @overload
    def size(self, dim: None = None) -> tuple[int, ...]: ...
    @overload
    def size(self, dim: int) -> int: ...
    @overload
    def stride(self, dim: None = None) -> tuple[int, ...]: ...
    @overload
    def stride(self, dim: int) -> int: ...
    def numel(self) -> int: ...
    def nelement(self) -> int: ...
    def dim(self) -> int: ...
    def ndimension(self) -> int: ...
    @property
    def ndim(self) -> int: ...
    def element_size(self) -> int: ...
    @property
    def itemsize(self) -> int: ...
    def storage_offset(self) -> int: ...
    @property
    def _version(self) -> int: ...
    def item(self) -> bool | int | float: ...
    def tolist(self) -> Any: ...
    def numpy(self, force: bool = False) -> np.ndarray[Any, Any]: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Self]: ...
    def __getitem__(self, index: Any, /) -> Self:
        """Integers, slices with any step, ``...`` and None, or a tuple of these, give a view; the rest is a hook's."""

    def __setitem__(self, index: Any, value: Any, /) -> None:
        """Through the view that ``__getitem__`` gives, or the hook ``advanced_setitem``."""

    def __bool__(self) -> bool: ...
    def __int__(self) -> int: ...
    def __float__(self) -> float: ...
    def __index__(self) -> int: ...

@final
class Object:
    """Compiled code in memory: an ELF object file, laid out and relocated. What is in it is valid while it lives.

    ValueError says why an image cannot be loaded: it is damaged, of another machine, or needs something from outside.
    """

    def __init__(self, image: bytes) -> None: ...
    def address(self, name: str) -> int:
        """The address of a global symbol; KeyError if there is none."""

    def __contains__(self, name: str) -> bool: ...

@final
class Pending:
    """A module that LLVM compiles."""

    def result(self) -> bytes:
        """The object file or the listing, when it is made; ValueError says why there is none.

        This thread compiles modules too meanwhile, without the GIL.
        """

@final
class Llvm:
    """LLVM's code generator, in the library at a path; its threads need no GIL.

    RuntimeError says why the library cannot be used. A machine is (triple, cpu, features). A process has one library,
    and code of modules is made by its threads, at most one fewer than it may use CPUs, and by those that wait for it.
    """

    def __init__(self, library: str) -> None:
        """Waits for the library where it is being loaded, and loads it where not."""

    @staticmethod
    def begin(library: str) -> None:
        """Begins to load the library on a thread of its own, if the process may use two CPUs.

        Raises nothing: who makes an Llvm of the library waits for it, and gets the RuntimeError.
        """

    @staticmethod
    def settle() -> None:
        """Returns when nothing is being loaded: a process must not end in the midst of it."""

    def host(self) -> tuple[str, str, str]:
        """This machine."""

    def data_layout(self, machine: tuple[str, str, str]) -> str:
        """What a module must say of how data lie in memory."""

    def submit(
        self,
        text: str,
        machine: tuple[str, str, str],
        optimisation: int,
        reduce_strides: bool,
        listing: bool = False,
    ) -> Pending:
        """Begins to compile a module: to an object file, or to a ``listing`` in assembly.

        ``optimisation``: how hard the code generator works, 0 to 3; ``reduce_strides``: whether products by sizes in
        loops become additions, which is a fifth of its work.
        """

    def stop(self) -> None:
        """Ends the threads; who waits for a module compiles it."""

@final
class Program:
    """The runnable form of a plan. Slots are places in the whole size table, head first.

    ``sizes_ptr`` and the kernels are addresses that ``keepalive`` keeps valid; ``outputs`` holds
    (dtype name, the slot of each dim), and True if it is written to memory of any strides; ``scalars`` the dtype names
    of the run-time scalars, in order.
    """

    def __init__(
        self,
        sizes_ptr: int,
        head_slots: int,
        tail_slots: int,
        outputs: Sequence[tuple[Any, ...]],
        scratch_slot: int,
        steps: Sequence[Step],
        checks: Sequence[str],
        keepalive: object = None,
        scalars: Sequence[str] = (),
    ) -> None: ...

class Op:
    """A compiled operator: binds the arguments of a call, finds the program of their key, runs it.

    ``on_miss(key)`` makes the program of a key that is new. ``coerce(obj)`` makes a Tensor of an operand
    that has no usable buffer. A call whose operands were no Tensors gives arrays: ``to_numpy(tensor)`` makes those of
    element types that NumPy itself does not have.
    ``on_error(kind, info)`` must raise: ``("argument", message)`` for a wrong call, ``("check", (message, operands))``
    for wrong sizes, with all operands as Tensors, None for absent ones, and
    ``("index", (code, operand, position, value))`` for what the kernel noted in the status, where ``operand`` counts
    all operands of the op, absent ones too.
    ``packs`` says of each operand how many axes stand before and after the axis pack that it shares with others, None
    if it shares none. The axes of the pack are stretched to one shape by NumPy's rules before the key is computed; a
    stretched axis has the stride 0. ``("shape", message)`` is reported where they do not fit.
    ``axes`` says which axes are merged, and reordered, before the key is computed; results have theirs as if they were
    not. ``out=`` takes a tensor, or a tuple of one per result or None, to write to.
    An operand whose type has ``__tilewright_record__(op, values)`` is asked in place of a run: ``values`` are the
    arguments and defaults in the order of the parameters, and what it returns is the result of the call.
    Two threads that miss the same key at once both ask; the first program stays.
    """

    def __init__(
        self,
        name: str,
        parameters: Sequence[Parameter],
        on_miss: Callable[[Key], Program],
        on_error: Callable[[str, Any], object],
        coerce: Callable[[object], Tensor],
        to_numpy: Callable[[Tensor], Any],
        packs: Sequence[tuple[int, int] | None] | None = None,
        axes: Axes | None = None,
    ) -> None: ...
    def stretched(self, operands: tuple[Tensor | None, ...], /) -> tuple[Tensor | None, ...]:
        """Operands, stretched where they share a pack."""

    def key(self, *args: Any, **kwargs: Any) -> Key:
        """What ``on_miss`` would be told of a call with these arguments; run-time scalars may be left out."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    @property
    def name(self) -> str: ...
    @property
    def __name__(self) -> str: ...
    @property
    def misses(self) -> int:
        """How often ``on_miss`` ran."""

def empty(shape: tuple[int, ...], dtype: ElementType, /) -> Tensor:
    """A row-major tensor that is not filled in."""

def set_dtypes(all: Sequence[object]) -> None:
    """What ``Tensor.dtype`` is, per element type of the core, in its order."""

def set_errors(classes: tuple[type[Exception], type[Exception], type[Exception]]) -> None:
    """What wrong calls of tensors raise for values, types and indices: ``cls(message, None, remedy or None)``."""

def set_tensor_hooks(
    *,
    copy: Callable[[Any, Any], object] | None = ...,
    advanced_getitem: Callable[[Any, Any], object] | None = ...,
    advanced_setitem: Callable[[Any, Any, Any], object] | None = ...,
    assign: Callable[[Any, Any], object] | None = ...,
) -> dict[str, Callable[..., Any] | None]:
    """Sets what tensors leave to Python (None: nothing) and returns what it was; those not given stay.

    ``copy(source, target)`` copies to a tensor of the same shape, converted, or tensors to tensors, None for those left
    out. ``advanced_getitem(tensor, index)`` and ``advanced_setitem(tensor, index, value)`` are given, as they were
    written, the indices of which some part is not an int, a slice, ``...`` or None. ``assign(view, value)`` writes to
    what other indices name; it counts the write (``_version``).
    """

def set_tensor_type(type: type[Tensor]) -> None:
    """Makes ``type``, a subtype of Tensor without fields of its own, what new tensors are."""

@final
class Function:
    """A function of tensors, and a method where it is found on a type: ops under one name.

    ``arguments``: (name, role, number of the operand or the ops' keyword, required, default, keyword only), where the
    role is operand, keyword, dim, keepdim, dtype, out or ignored. ``operands``: (dtype variable or -1, dtype, optional,
    whether it has the axis that ``dim`` names). ``overloads``, of which the first that fits is called: (op or its name,
    the dtypes that it is for per variable, ranks of the operands, -1 for any, or none, and as sets of bits the
    arguments that it takes and those it needs). ``axes``, what ``dim`` names: none; reduced, all in the last pack;
    last; between two packs; ``rank`` is the op's keyword that says how many. ``kept``: per result, whether it has that
    axis. Several results become a ``result_type``. ``in_place``: the result is written into the first operand, which is
    returned. ``alike``: it has the dtype of the operands, and their common shape. ``widens``: integers
    are taken as floats.

    Operands of one variable are promoted by PyTorch's rules, and Python's numbers become tensors without axes.
    CallTypeError for wrong arguments and dtypes, CallIndexError for a dim that there is not, CallError otherwise.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[tuple[str, str, int | str | None, bool, object, bool]],
        operands: Sequence[tuple[int, str | None, bool, bool]],
        overloads: Sequence[tuple[str, Sequence[Sequence[str]], Sequence[int], int, int]],
        axes: Literal["none", "reduced", "last", "between"],
        rank: str | None,
        kept: Sequence[bool],
        result_type: type | None,
        in_place: bool = False,
        alike: bool = False,
        widens: bool = False,
    ) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    def __get__(self, instance: object, owner: type | None = None) -> Any: ...
    @property
    def __name__(self) -> str: ...

def supply(
    function: Callable[[str], Callable[..., Any]],
    op: Callable[[str], Op],
    conversion: str,
    coerce: Callable[[object, str, int], Tensor],
) -> None:
    """What operators and functions call: ``function(name)`` and ``op(name)`` find those, once; ``conversion`` is the op
    that gives its first operand in the dtype of its second; ``coerce(value, function, operand)`` makes a tensor."""

def set_operators(functions: Mapping[str, str]) -> None:
    """The names of the functions that operators on tensors call, by names such as __add__, __iadd__, __lt__."""

class Recorder(Protocol):
    """What notes the calls of a thread."""

    def record(
        self,
        op: Any,
        arguments: tuple[Any, ...],
        key: Key,
        operands: tuple[Tensor, ...],
        results: tuple[Tensor, ...],
        merged: tuple[Tensor, ...],
        /,
    ) -> None:
        """Notes a call, and says so of its tensors by ``watch``.

        ``arguments`` are in the order of the parameters; ``operands``, those that are there, as kernels see them;
        ``results``, whose memory is allocated, as users and ``merged`` as kernels see them. All tensors are the
        recorder's own."""

    def settle(self) -> None:
        """Computes all that was noted, and says so of each tensor by ``settled``."""

def set_mode(to: Recorder | Literal[False] | None) -> Recorder | Literal[False] | None:
    """Sets what becomes of the calls of this thread: None: they run; False: they run, and nobody is asked to settle;
    else the recorder that notes them. Returns what it was."""

def settle(tensor: Tensor) -> None:
    """Has the tensor's recorder settle, if there is something pending that writes to its memory."""

def settled(tensor: Tensor) -> None:
    """Nothing pending reads or writes the tensor's memory any more."""

class Settler(Protocol):
    def settle(self) -> None: ...

def watch(tensors: tuple[Tensor, ...], recorder: Settler, pending: bool) -> None:
    """Has ``recorder`` asked to settle before the memory of the tensors is written to or, if ``pending``, read."""

def storage(tensor: Tensor) -> int:
    """A number of the memory that the tensor shares with its views."""

def holders(tensor: Tensor) -> int:
    """How many tensors are of that memory."""

def copy(source: Tensor, target: Tensor) -> None:
    """Writes one tensor into another of the same shape."""

def set_default_float(name: str) -> None:
    """The dtype that Python's floats have, and results of functions of floats that are given integers."""

def promote_types(type1: ElementType, type2: ElementType) -> ElementType:
    """The least dtype that both fit into, by PyTorch's rules, and NumPy's for wide unsigned integers.

    >>> import tilewright as tw
    >>> tw.promote_types(tw.int32, tw.float16), tw.promote_types(tw.uint8, tw.int8)
    (tilewright.float16, tilewright.int16)
    """

def result_type(*operands: object) -> ElementType:
    """The dtype that arithmetic on tensors, Python's numbers and dtypes gives.

    >>> import tilewright as tw
    >>> tw.result_type(tw.int32, 2.5)
    tilewright.float32
    """

def get_threads() -> int:
    """The most threads that calls of this process use; at first, the CPUs that it may use."""

def set_threads(n: int) -> None:
    """Sets what ``get_threads`` returns. ValueError for n < 1."""

def limit_threads(n: int) -> int:
    """Limits the calls of this Python thread to n threads (0: no limit of its own); returns the limit before."""

def cgroup_cpus(otherwise: int, root: str = "") -> int:
    """The CPUs that the quotas of this process's cgroups allow, at most ``otherwise``; /proc is read below ``root``."""

def memory_stats() -> tuple[int, int, int, int, int, int, int]:
    """The fields of ``tilewright.runtime.memory.Stats``, in their order."""

def reset_peak() -> None:
    """Starts the peak anew from what is in use."""

def empty_cache() -> None:
    """Gives free blocks, and the scratch of this thread, back to the system."""

def has_room(n: int) -> bool:
    """Whether the system would give a block of n bytes now; gives the cache back if it must."""

def memory_limit() -> int:
    """The most bytes in use, cached and scratch together; negative: no limit."""

def set_memory_limit(n: int) -> None:
    """Sets what ``memory_limit`` returns; gives the cache back when more than that is held."""
