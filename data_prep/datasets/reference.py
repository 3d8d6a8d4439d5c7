"""The table of `docs/datasets.md`: `python -m data_prep.datasets.reference`."""

from __future__ import annotations

from data_prep.datasets.registry import dataset_names, find_adapter


def datasets_markdown() -> str:
    """Returns the datasets as the table of `docs/datasets.md`."""
    rows = []
    for name in dataset_names():
        about = find_adapter(name).description
        counts = [
            f"{split} {n:,}" for split, n in about.counts.items() if n is not None
        ]
        stated = ", ".join(counts) or "not stated"
        cells = (f"`{about.name}`", about.title, about.licence, stated)
        rows.append(f"| {' | '.join(cells)} |")
    head = "| name | dataset | licence | photos that are stated |"
    return "\n".join([head, "| --- | --- | --- | --- |", *rows, ""])


if __name__ == "__main__":
    print(datasets_markdown(), end="")
