import os
import sys
import threading
import time

import pytest

from vpr_tf.models.hidden_messages import hidden_messages


def file_of_stderr():
    found = os.fstat(2)
    return found.st_dev, found.st_ino


def test_stderr_is_restored_after_threads_that_overlap():
    before = file_of_stderr()
    started = threading.Barrier(2)

    def hide(seconds):
        started.wait()
        with hidden_messages(), hidden_messages():
            assert file_of_stderr() != before
            time.sleep(seconds)

    threads = [threading.Thread(target=hide, args=(s,)) for s in (0.05, 0.1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert file_of_stderr() == before


def test_a_closed_stderr_stays_closed(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    kept = os.dup(2)
    os.close(2)
    try:
        with hidden_messages():
            pass
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(2)
    finally:
        os.dup2(kept, 2)
        os.close(kept)
