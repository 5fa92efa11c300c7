"""Freed memory is kept where the process is ours to tune, and nowhere else."""

import platform
import subprocess
import sys

import pytest

from keras_coatnet.allocator import VARIABLES, is_ours_to_tune

pytestmark = pytest.mark.backend_free

# Page faults of the second buffer of 64 MB, with the file of the module alone: no Keras.
FAULTS = """
import importlib.util, resource, sys
spec = importlib.util.spec_from_file_location("allocator", sys.argv[1])
allocator = importlib.util.module_from_spec(spec)
spec.loader.exec_module(allocator)
kept = allocator.keep_freed_memory()
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
def touch():
    buffer = libc.malloc(64 << 20)
    ctypes.memset(buffer, 1, 64 << 20)
    libc.free(buffer)
touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
touch()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before > 1000)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back")
@pytest.mark.parametrize(
    ("switch", "said"), [({}, "True False"), ({"KERAS_COATNET_KEEP_MEMORY": "0"}, "False True")], ids=["on", "off"]
)
def test_second_buffer_faults_unless_memory_is_kept(switch, said):
    from keras_coatnet import allocator

    command = [sys.executable, "-c", FAULTS, allocator.__file__]
    result = subprocess.run(command, env=switch, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == said


@pytest.mark.parametrize(
    ("environment", "ours"),
    [
        ({}, True),
        ({"KERAS_COATNET_KEEP_MEMORY": "1"}, True),
        ({"KERAS_COATNET_KEEP_MEMORY": "0"}, False),
        (VARIABLES, False),
        ({"MALLOC_ARENA_MAX": "4"}, False),
        ({"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}, False),
        ({"GLIBC_TUNABLES": "glibc.pthread.rseq=0"}, True),
        ({"LD_PRELOAD": "/usr/lib/libjemalloc.so.2"}, False),
    ],
)
def test_what_the_user_has_tuned_is_left_alone(environment, ours):
    assert is_ours_to_tune(environment) is ours
