"""Default schedules: which primitives are applied to a plan's kernels."""
