"""Tests of the progress bar."""

import io
import threading

import pytest

from vpr_tf.terminal_bar import TerminalBar


def test_bar_starts_no_thread_that_may_wait_forever():
    before = threading.active_count()
    with TerminalBar(total=2, file=io.StringIO()) as bar:
        bar.update()
        assert threading.active_count() == before


@pytest.mark.parametrize("options", [{}, {"miniters": 2}])
def test_every_update_may_draw_unless_told_otherwise(options):
    written = io.StringIO()
    with TerminalBar(total=3, file=written, mininterval=0, **options) as bar:
        bar.update()
        assert ("1/3" in written.getvalue()) != bool(options)
