"""Recall@N of descriptors and positions, whatever made them.

python examples/evaluate_descriptors.py
"""

import numpy as np

import vpr_tf as vpr


def main() -> dict[int, float]:
    """Measures noisy copies of the database as queries."""
    rng = np.random.default_rng(0)
    database = rng.normal(size=(500, 32))
    # (num_images, 2) latitude and longitude in degrees
    positions = np.array([45.06, 7.68]) + 1e-2 * rng.normal(size=(500, 2))
    taken = rng.choice(500, 100, replace=False)
    queries = database[taken] + 1.2 * rng.normal(size=(100, 32))
    moved = positions[taken] + 5e-5 * rng.normal(size=(100, 2))  # about 6 m
    result = vpr.evaluate(database, positions, queries, moved)
    for n, recall in result.recalls.items():
        print(f"R@{n}: {recall:.1f}")
    return dict(result.recalls)


if __name__ == "__main__":
    main()
