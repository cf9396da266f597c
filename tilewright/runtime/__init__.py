"""Tensors, compiled ops and the threads that run them."""
