"""How the C library keeps freed memory, in a process that answers for months."""

from __future__ import annotations

import ctypes

_M_ARENA_MAX = -8  # of glibc's malloc.h
_ARENAS = 2


def use_few_arenas() -> bool:
    """Lets all threads of this process share two arenas of glibc's allocator.

    glibc gives new threads arenas of their own, up to eight a core. What an index that
    is opened again and again leaves in each of them is not given back, and the process
    grows for hours. Arrays and models are larger than what lies in arenas, so that
    threads do not wait for each other.

    Returns:
        Whether the C library has such a setting; others have no arenas.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS))
    except (AttributeError, OSError):
        return False
