"""Bytes into every parser: mutated texts, and what each of them must give."""
