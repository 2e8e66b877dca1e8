"""Memory of a buffer that is not needed any more, but that its owner keeps."""

from __future__ import annotations

import ctypes
import mmap

_madvise = getattr(ctypes.CDLL(None), "madvise", None) if hasattr(mmap, "MADV_DONTNEED") else None


def give_back(buffer: memoryview) -> None:
    """Whole pages of it go back to the system and read as zeros from then on; nothing where there is no madvise."""
    if _madvise is None or not buffer:
        return
    start = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
    first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
    size = (start + len(buffer) - first) // mmap.PAGESIZE * mmap.PAGESIZE
    if size > 0:
        _madvise(ctypes.c_void_p(first), ctypes.c_size_t(size), mmap.MADV_DONTNEED)
