"""Objects for aarch64, loaded by our loader and run by qemu."""
