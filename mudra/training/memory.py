"""Memory that a training step lets go of stays with the program, for the next step to take.

Source: ours; mallopt(3), M_MMAP_MAX and M_TRIM_THRESHOLD.

The C library of most Linux systems gives every large block back to the system when it is let go, and each step then
waits while the system hands out the same memory again, page by page and filled with zeros. How much of a training step
that is, `benchmarks/held_memory.py` measures. The price: a program's memory stays as large as it ever was, which
training's is anyway.
"""

from __future__ import annotations

import ctypes
import platform

# Parameters of mallopt, from <malloc.h>.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_NEVER = -1
# The heap grows by at least so much at once.
_GROWTH_BYTES = 64 * 2**20


def hold_memory() -> bool:
    """Let the C library keep what is freed; return whether it could be told, which glibc alone understands.

    It holds for the whole program and cannot be taken back.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    mallopt.argtypes, mallopt.restype = (ctypes.c_int, ctypes.c_int), ctypes.c_int
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _NEVER), (_M_TOP_PAD, _GROWTH_BYTES))
    return all(mallopt(parameter, value) == 1 for parameter, value in settings)
