"""An index of descriptors and positions, whatever made them.

python examples/index_of_descriptors.py
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import vpr_tf as vpr


def main(folder: str | Path) -> None:
    """Makes an index in a folder, searches and changes it."""
    rng = np.random.default_rng(0)
    descriptors = rng.normal(size=(100, 64))
    descriptors /= np.linalg.norm(descriptors, axis=1, keepdims=True)
    latitude = 45.06 + 1e-4 * np.arange(100)  # every 11 m along a street of Turin
    index = vpr.PlaceIndex.create(
        Path(folder) / "street.index",
        descriptors=descriptors,
        latitude=latitude,
        longitude=np.full(100, 7.68),
        keys=[f"{number:03d}.jpg" for number in range(100)],
    )
    query = descriptors[42] + 0.05 * rng.normal(size=64)
    matches = index.search(query, k=3)
    print("looks most like:", ", ".join(matches.keys[0]))
    index.remove(keys=["042.jpg"])
    index.add(descriptors[42:43], latitude=[45.1], longitude=[7.68], keys=["new.jpg"])
    print("after the change:", index.search(query, k=1).keys[0][0])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(sys.argv[1] if len(sys.argv) > 1 else temporary)
