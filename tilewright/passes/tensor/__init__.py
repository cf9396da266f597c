"""Passes on tensor IR."""
