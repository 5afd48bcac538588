"""Owns how this process keeps its memory: what it frees stays with it, for the next step of the same size."""

import ctypes
import functools

TRIM, TOP_PAD, MMAP = -1, -2, -3
"""Names of glibc's malloc.h: free memory above which the heap shrinks, step in which it grows, size of an own map."""
MOST, STEP, LARGE = 2**31 - 1, 64 << 20, 32 << 20


@functools.cache
def keep() -> bool:
    """Let freed memory be used again instead of given back; return whether this C library knows how.

    A network frees and takes the same megabytes at every layer. By default glibc gives them back and the kernel clears
    each page anew: a tenth of a training step on a CPU.
    """
    try:
        tune = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return {tune(name, size) for name, size in ((TRIM, MOST), (TOP_PAD, STEP), (MMAP, LARGE))} == {1}
