import subprocess
import sys

import pytest

# Small blocks of many threads; malloc_info tells in how many arenas they lie.
THREADS = """
import ctypes, sys, threading
from vpr_tf.serving.allocator import use_few_arenas
if sys.argv[1] == "few" and not use_few_arenas():
    sys.exit(3)
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
together = threading.Barrier(8)
def work():
    together.wait()
    for _ in range(1000):
        libc.malloc(500)
    together.wait()
threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.fdopen.restype = ctypes.c_void_p
libc.malloc_info(0, ctypes.c_void_p(libc.fdopen(1, b"w")))
libc.fflush(None)
"""


def arenas(which):
    command = [sys.executable, "-c", THREADS, which]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 3:
        pytest.skip("the C library has no arenas")
    assert done.returncode == 0, done.stderr
    return done.stdout.count("<heap nr=")


def test_threads_share_two_arenas():
    assert arenas("few") <= 2
    assert arenas("many") > 2
