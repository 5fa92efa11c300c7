"""Memory that is kept for the next batch instead of given back to the system after each one.

The C library of Linux maps every buffer of more than 32 MB anew, and each page of it faults when it is first touched:
at batch 8 and 224 pixels that is a large part of what JAX and PyTorch spend on a CPU.
"""

import ctypes
import os
import platform

# Set to 0, this leaves the C library alone.
SWITCH = "KERAS_COATNET_KEEP_MEMORY"
# Parameters of mallopt, from malloc.h.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8
NEVER = -1
TOP_PAD = 256 << 20
# The same from outside, for programs that are not ours: they have to be there when the process starts.
VARIABLES = {
    "MALLOC_MMAP_THRESHOLD_": "8589934592",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": str(TOP_PAD),
    "MALLOC_ARENA_MAX": "1",
}


def keep_freed_memory():
    """Have this process keep the memory it frees, for the next buffers: faster on CPUs, and a higher peak.

    Call it before the first model is built. It holds for the whole process until it ends, and for no other: neither
    variables nor child processes are touched. Nothing happens off Linux' glibc, where the user has tuned the allocator
    already (MALLOC_..., GLIBC_TUNABLES, or another one in LD_PRELOAD), or with KERAS_COATNET_KEEP_MEMORY=0.

    Returns: whether it was done.
    """
    if not is_ours_to_tune(os.environ) or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    # No buffer is mapped by itself. A threshold in its place would have to be an int, and XLA takes more at once.
    kept = mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, NEVER) and mallopt(M_TOP_PAD, TOP_PAD)
    # XLA allocates in threads, whose own arenas hold no large buffers.
    return bool(kept and mallopt(M_ARENA_MAX, 1))


def is_ours_to_tune(environment):
    """Whether nobody has tuned the allocator, or switched this off, in a process's environment."""
    if environment.get(SWITCH) == "0":
        return False
    if any(name.startswith("MALLOC_") for name in environment):
        return False
    return "glibc.malloc" not in environment.get("GLIBC_TUNABLES", "") and "malloc" not in environment.get(
        "LD_PRELOAD", ""
    )
