"""CosPlace's classes and groups of a table of positions and headings.

python examples/partition_a_table.py
"""

import numpy as np

import data_prep


def main() -> int:
    """Cuts 200 m x 200 m into classes; returns their number."""
    rng = np.random.default_rng(0)
    table = {  # or a pandas DataFrame with these columns
        "utm_east": 395_000 + 200 * rng.random(20_000),
        "utm_north": 4_990_000 + 200 * rng.random(20_000),
        "utm_zone": np.full(20_000, 32),
        "heading_deg": 360 * rng.random(20_000),
    }
    found = data_prep.partition_table(
        table, cell_size_m=10, heading_bin_deg=30, cell_stride=5, heading_stride=2,
        min_images_per_class=3,
    )  # fmt: skip
    in_class = found.class_id >= 0
    print(f"{len(found.classes):,} classes hold {in_class.sum():,} of 20,000 rows")
    print("classes of the largest groups:",
          np.sort(np.bincount(found.classes["group_id"]))[::-1][:5])  # fmt: skip
    return len(found.classes)


if __name__ == "__main__":
    main()
