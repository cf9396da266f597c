"""The standard library: everything that is written with ops."""
