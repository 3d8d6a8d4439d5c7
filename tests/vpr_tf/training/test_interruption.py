import os
import signal

import pytest

from vpr_tf.training.process import stop_on_signals


def test_first_signal_asks_and_second_stops():
    before = signal.getsignal(signal.SIGINT)
    with stop_on_signals() as stop:
        assert not stop()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop()
        assert stop.exit_status == 143
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_long_work_is_interrupted_at_once():
    with stop_on_signals() as stop:
        with pytest.raises(KeyboardInterrupt), stop.raising():
            os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        assert stop.exit_status == 130
