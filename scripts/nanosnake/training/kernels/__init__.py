"""Faster kernels from optional GPU packages; everything here has a fallback."""
