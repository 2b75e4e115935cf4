"""What the process keeps of memory that was freed.

glibc's allocator serves large blocks from mappings of their own, which go back to the system when they are freed. But
it learns: each such block that is freed raises the size above which it does so, up to 32 MiB. So after the first large
frame, frames come from the heap, where one small object that lives on behind them keeps all of it resident: a server
that was sent frames of 8 MB for a while kept 40 to 90 MB more.

Setting the limit once ends the learning (mallopt(3), "M_MMAP_THRESHOLD"). Other allocators are left alone, as are
limits that the environment sets.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3

MMAP_BYTES: Final = 512 * 1024
"""Blocks of this size and more are given back when they are freed."""
TRIM_BYTES: Final = 1024 * 1024
"""So much free memory at the end of the heap is given back."""

_VARIABLES: Final = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES")


def give_back_memory() -> bool:
    """Have freed memory go back to the system from now on, in the whole process. Gives whether that was done: where
    the C library has `mallopt`, and nobody set these limits in the environment.
    """
    if any(name in os.environ for name in _VARIABLES):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False  # macOS, Windows, musl.
    is_done: bool = mallopt(_M_MMAP_THRESHOLD, MMAP_BYTES) == 1 and mallopt(_M_TRIM_THRESHOLD, TRIM_BYTES) == 1
    return is_done
