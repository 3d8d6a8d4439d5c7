"""TensorFlow's own lines, of processes that print them by nature."""

import os
import subprocess
import sys

# XLA tells of the first cluster that it compiles, by its own logging.
COMPILE = """
import vpr_tf
import tensorflow as tf
tf.function(lambda x: 2 * x, jit_compile=True)(tf.ones(3))
"""
# A tensor of 300 dimensions fails a CHECK, which ends the process.
CRASH = """
import ctypes
from pathlib import Path
import vpr_tf
import tensorflow as tf
cc = ctypes.CDLL(str(Path(tf.__file__).with_name("libtensorflow_cc.so.2")))
cc.TF_AllocateTensor(1, (ctypes.c_int64 * 300)(*[1] * 300), 300, ctypes.c_size_t(4))
"""


def run_alone(*words: str, **environment: str) -> subprocess.CompletedProcess:
    others = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, *words],
        capture_output=True,
        text=True,
        env={**others, **environment},
    )


def test_tensorflow_tells_nothing_of_itself():
    done = run_alone("-c", COMPILE)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_all_lines_come_when_they_are_wanted():
    done = run_alone("-c", COMPILE, TF_CPP_MIN_LOG_LEVEL="0")
    assert done.returncode == 0
    assert "Compiled cluster using XLA" in done.stderr


def test_last_words_of_a_crash_are_shown():
    done = run_alone("-c", CRASH)
    assert done.returncode < 0
    assert "Too many dimensions" in done.stderr


def test_benchmarks_hide_them_too():
    done = run_alone("-m", "benchmarks.encoders", "--help")
    assert (done.returncode, done.stderr) == (0, "")
