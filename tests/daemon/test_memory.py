"""The threads of the service share a few heaps of the C library."""

import ctypes
import subprocess
import sys

import pytest

from daemon.memory import HEAPS

THREADS = 12

# Every thread takes memory while all others hold theirs: without a limit each gets a heap of its own.
PROGRAM = f"""
import ctypes, threading
from daemon.memory import share_heaps

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
together = threading.Barrier({THREADS})

def take():
    together.wait()
    libc.malloc(ctypes.c_size_t(1000))
    together.wait()

share_heaps()
threads = [threading.Thread(target=take) for _ in range({THREADS})]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
libc.fflush(None)
"""


def heaps(program: str) -> int:
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    return told.count("<heap nr=")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="not the C library of GNU")
def test_threads_share_heaps() -> None:
    assert heaps(PROGRAM.replace("share_heaps()\n", "\n")) > HEAPS
    assert heaps(PROGRAM) <= HEAPS
