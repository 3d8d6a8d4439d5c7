"""Where photos were taken, by an index.

python examples/localize_photos.py INDEX PHOTO...
"""

import sys
from collections.abc import Sequence

import vpr_tf as vpr


def main(index_folder: str, photos: Sequence[str]) -> int:
    """Prints a line for each photo; returns how many were localized."""
    num_localized = 0
    with vpr.PlaceIndex.open(index_folder) as index:
        for found in index.localize(photos):  # the encoder stays for the next call
            if found.is_localized:
                print(f"{found.photo}: {found.latitude:.6f}, {found.longitude:.6f}")
                num_localized += 1
            else:
                print(f"{found.photo}: {found.status}, {found.reason}")
    return num_localized


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
