"""The interpreters: the definition of what programs mean, at each level of the road.

They share no code with lowering or simplification, and run in a number system of choice: every dtype as
it is (``TYPED``), all floats as f64 (``FLOAT64``) or all floats as the exact field (``EXACT``).
"""

from tilewright.ir.interpret.domains import EXACT, FLOAT64, TYPED, Domain, Exact, Float64, Typed
from tilewright.ir.interpret.indices import Env, evaluate, holds
from tilewright.ir.interpret.loops import run_kernel
from tilewright.ir.interpret.memory import Memory
from tilewright.ir.interpret.plan import run_plan, size_table
from tilewright.ir.interpret.status import IndexFault, Status
from tilewright.ir.interpret.tensor import run_function

__all__ = [
    "EXACT",
    "FLOAT64",
    "TYPED",
    "Domain",
    "Env",
    "Exact",
    "Float64",
    "IndexFault",
    "Memory",
    "Status",
    "Typed",
    "evaluate",
    "holds",
    "run_function",
    "run_kernel",
    "run_plan",
    "size_table",
]
