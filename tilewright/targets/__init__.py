"""What kernels are compiled to: one folder per target, found by name through :mod:`tilewright.targets.target`."""
