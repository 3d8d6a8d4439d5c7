"""The table of `docs/evaluation.md`: `python -m vpr_tf.config.protocol_reference`."""

from __future__ import annotations

from vpr_tf.config.protocols import PROTOCOLS


def protocols_markdown() -> str:
    """Returns the protocols as the table of `docs/evaluation.md`."""
    rows = []
    for one in PROTOCOLS.values():
        queries = [] if one.num_queries is None else [one.num_queries]
        counts = [
            " or ".join(f"{count:,}" for count in stated) or "not stated"
            for stated in (queries, one.num_database)
        ]
        cells = (f"`{one.name}`", one.sets, one.positives, one.unmatched, *counts)
        rows.append(f"| {' | '.join(cells)} |")
    head = (
        "| protocol | photos | positives | queries without positives | queries | "
        "database |"
    )
    return "\n".join([head, "| --- | --- | --- | --- | ---: | ---: |", *rows, ""])


if __name__ == "__main__":
    print(protocols_markdown(), end="")
