"""Subcommands of `vpr`; nothing imports them but the entry points."""
