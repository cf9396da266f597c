"""The C target: one readable C99 file per plan, compiled by the system's C compiler."""
