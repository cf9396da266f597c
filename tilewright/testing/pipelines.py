"""Random pipelines of tensor passes."""

from __future__ import annotations

from hypothesis import strategies as st

from tilewright.passes.pipeline import Pass, Pipeline
from tilewright.passes.tensor.eliminate_dead import EliminateDead
from tilewright.passes.tensor.form_fma import FormFma
from tilewright.passes.tensor.inline import Inline
from tilewright.passes.tensor.set_order import SetOrder
from tilewright.passes.tensor.simplify import Simplify
from tilewright.passes.tensor.simplify_indices import SimplifyIndices
from tilewright.testing.choices import Choices, strategy

Units = tuple[tuple[str, int], ...]
"""Per input its unit axis, or -1."""


def make_pipeline(choices: Choices, units: Units, exact: bool, most: int = 4) -> Pipeline:
    """Up to ``most`` passes that keep what a function means: bit for bit, or, if ``exact``, in the field."""
    same: tuple[Pass, ...] = (Simplify(), Inline(), Inline(duplicate=True), SimplifyIndices(), EliminateDead())
    known = (*same, FormFma(), SetOrder(units)) if exact else same
    return Pipeline(tuple(choices.pick(known) for _ in range(choices.integer(0, most))))


def pipelines(units: Units, exact: bool, most: int = 4) -> st.SearchStrategy[Pipeline]:
    """Pipelines as :func:`make_pipeline` makes them."""
    return strategy(make_pipeline, units, exact, most)
