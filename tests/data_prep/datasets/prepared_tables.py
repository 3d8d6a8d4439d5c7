"""What the tables of a prepared dataset hold."""

import csv

from vpr_tf.config import ReadingConfig
from vpr_tf.photos import scan_photos


def rows_of(prepared, split):
    with (prepared.folder / f"{split}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def photos_of(prepared, split):
    reading = ReadingConfig(folder=str(prepared.source))
    return scan_photos(
        prepared.folder / f"{split}.csv", reading=reading, progress=False
    )


def listed(prepared):
    return {check.split: check.num_listed for check in prepared.checks}
