"""The command `vpr`; nothing imports it but the entry points."""

from vpr_tf.cli.main import main

__all__ = ["main"]
