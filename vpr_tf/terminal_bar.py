"""Progress of long work, on the terminal."""

from __future__ import annotations

from typing import Any

from tqdm import tqdm


class TerminalBar(tqdm):
    """A bar of tqdm without its thread, which redraws bars that stand still.

    With too little memory `Thread.start` waits without end for such a thread. Without
    it each update looks whether it is time to draw.

    Args:
        arguments: Of `tqdm.tqdm`.
        options: Of `tqdm.tqdm`.
    """

    monitor_interval = 0

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{"miniters": 1, **options})
