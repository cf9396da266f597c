"""Passes: rewrites of the IRs, and the runner that strings them together."""
