"""The driver: from a source op and the classes of its operands to a callable program."""
