"""The threads of the service share a few heaps of the C library, and what is free in these is given back."""

import ctypes
import subprocess
import sys

import pytest

from daemon.malloc import HEAPS

THREADS = 12

# Every thread takes memory while all others hold theirs: without a limit each gets a heap of its own.
PROGRAM = f"""
import ctypes, threading
from daemon.malloc import limit_arenas

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
together = threading.Barrier({THREADS})

def take():
    together.wait()
    libc.malloc(ctypes.c_size_t(1000))
    together.wait()

limit_arenas()
threads = [threading.Thread(target=take) for _ in range({THREADS})]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""

# Of every two small pieces one stays: nothing at the end of the heap is free, and the library keeps what is between.
SPREAD = """
import ctypes
from daemon.malloc import trim

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]

def resident_mb():
    return int(open("/proc/self/statm").read().split()[1]) * 4096 / 2**20

pieces = [(libc.malloc(ctypes.c_size_t(size)), size) for size in (100, 50_000) * 1000]
for piece, size in pieces:
    ctypes.memset(piece, 1, size)
for piece, _ in pieces[1::2]:
    libc.free(piece)
before = resident_mb()
trim()
print(before - resident_mb())
"""


def heaps(program: str) -> int:
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    return output.count("<heap nr=")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="not the C library of GNU")
def test_threads_share_heaps() -> None:
    assert heaps(PROGRAM.replace("limit_arenas()\n", "\n")) > HEAPS
    assert heaps(PROGRAM) <= HEAPS


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not the C library of GNU")
def test_what_is_free_between_what_is_held_is_given_back() -> None:
    output = subprocess.run([sys.executable, "-c", SPREAD], capture_output=True, text=True, check=True).stdout
    assert float(output) > 30


# A matrix of a preview again and again: page by page from the system each time, or from what is held.
REPEATED = """
import resource
import numpy as np
from daemon.malloc import hold_buffers

hold_buffers()
for _ in range(5):
    np.ones(100_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(200):
    np.ones(100_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not the C library of GNU")
def test_buffers_are_used_again_and_not_given_back() -> None:
    output = subprocess.run([sys.executable, "-c", REPEATED], capture_output=True, text=True, check=True).stdout
    assert int(output) < 1000
