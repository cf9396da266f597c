"""The functions of mathematics in plain arithmetic, a file per family. Accuracies: ``ir/functions.py``."""

from tilewright.passes.legalise.math import (
    error_function,
    exponential,
    gamma,
    logarithm,
    powers,
    rounding,
    trigonometry,
)
from tilewright.passes.legalise.math.formats import Table

TABLE: Table = {
    **rounding.TABLE,
    **exponential.TABLE,
    **logarithm.TABLE,
    **powers.TABLE,
    **trigonometry.TABLE,
    **error_function.TABLE,
    **gamma.TABLE,
}
