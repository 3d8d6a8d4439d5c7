"""Draws the small part of the official values that the tests carry with them.

    python tests/golden/make.py ../shared

writes `official.npz` and `state_dict_shapes.json` beside this file. The folder `golden`
of the shared one says in its README how the official PyTorch CosPlace gave the values.
Taken are numbers alone: layers whole, of images some pixels and the corners that a
resize needs, of the partition some classes, of the retrieval protocol positions and
predictions, of the search a few queries, of networks VGG16 and the names of two.
"""

import csv
import gzip
import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
NETWORKS = ("VGG16_64", "ResNet18_32")
NUM_PIXELS = 32
# (top, left, height, width) in the image, and the name of its resized values.
WINDOWS = {
    "resized_crop_t10_l20_h60_w80_to_64": (10, 20, 60, 80),
    "resized_crop_t5_l3_h40_w30_to_64": (5, 3, 40, 30),
    "resize_shorter_48": (0, 0, 96, 128),
}
CORNER = 12  # pixels of the input, enough for ...
RESIZED_CORNER = 5  # ... these of the output


def draw(shared: Path) -> dict[str, np.ndarray]:
    """Returns the arrays of `official.npz`."""
    golden = shared / "golden"
    rng = np.random.default_rng(0)
    operations = np.load(golden / "layers_and_image_operations.npz")
    layers = ("gem_", "l2_", "cosface_", "arcface_")
    return {
        **{key: operations[key] for key in operations if key.startswith(layers)},
        **color_pixels(operations, rng),
        **resized_corners(operations),
        **positions_and_features(golden),
        **protocol(np.load(golden / "retrieval_protocol.npz"), rng),
        "partition_first_images": first_images(golden),
        "partition_classes": some_classes(shared, rng),
    }


def color_pixels(operations, rng) -> dict[str, np.ndarray]:
    """Pixels before and after, and grey ones that keep the mean of the whole image."""
    image = operations["image"].reshape(-1, 3) / np.float64(255)
    chosen = rng.choice(len(image), NUM_PIXELS, replace=False)
    weights = np.array([0.2989, 0.587, 0.114])
    grey = image @ weights
    fill = (2 * grey.mean() - grey[chosen].mean()) / weights.sum()
    pixels = [image[chosen], np.full((NUM_PIXELS, 3), fill)]
    names = ("brightness_1_5", "contrast_0_4", "saturation_1_6", "hue_0_3", "hue_m0_4")
    after = {name: operations[name].reshape(-1, 3)[chosen] for name in names}
    return {"pixels": np.concatenate(pixels).astype(np.float32), **after}


def resized_corners(operations) -> dict[str, np.ndarray]:
    """The first and the last corner of each window, before and after."""
    arrays = {}
    for name, (top, left, height, width) in WINDOWS.items():
        window = operations["image"][top : top + height, left : left + width]
        for part, array, size in (
            ("window", window, CORNER),
            ("resized", operations[name], RESIZED_CORNER),
        ):
            corners = (array[:size, :size], array[-size:, -size:])
            arrays[f"{name}/{part}"] = np.stack(corners)
    return arrays


def positions_and_features(golden: Path) -> dict[str, np.ndarray]:
    """One channel of DINOv2's positions; features and descriptors of VGG16."""
    sys.path.insert(0, str(golden))
    from reference_weights import reference_array

    megaloc = np.load(golden / "network_MegaLoc_8448.npz")
    vgg16 = np.load(golden / "network_VGG16_64.npz")
    embeddings = reference_array("backbone.pos_embed", [1, 1370, 768])[..., :1]
    arrays = {"position_embedding": embeddings}
    for size in ("23x23", "16x20"):
        official = megaloc[f"position_embedding_first_4_channels_{size}"]
        arrays[f"position_embedding_{size}"] = official[:, :1]
    features = vgg16["features_first_8_channels_192x320"]
    arrays["vgg16_features_first_2_channels_192x320"] = features[:, :2]
    arrays["vgg16_descriptors_192x320"] = vgg16["descriptors_192x320"]
    return arrays


def protocol(golden, rng) -> dict[str, np.ndarray]:
    """Positions, predictions, positives, recalls; descriptors of a few queries.

    The database of the small search is what the official one ranked first for them.
    """
    predictions = golden["predictions"]
    queries = rng.choice(len(predictions), 5, replace=False)
    nearest = predictions[queries, :4]
    database, ids = np.unique(nearest, return_inverse=True)
    return {
        "database_position_cm": positions_cm(golden["database_names"]),
        "query_position_cm": positions_cm(golden["query_names"]),
        "predictions": predictions.astype(np.int16),
        "positives_count": golden["positives_count"].astype(np.int16),
        "recalls_1_5_10_20": golden["recalls_1_5_10_20"],
        "search_queries": golden["query_descriptors"][queries],
        "search_database": golden["database_descriptors"][database],
        "search_predictions": ids.reshape(nearest.shape),
    }


def positions_cm(names) -> np.ndarray:
    """East and north of image names `@<east>@<north>@...`."""
    fields = [name.split("@")[1:3] for name in names]
    return np.rint(np.array(fields, float) * 100).astype(np.int32)


def first_images(golden: Path) -> np.ndarray:
    """The first images by name, all of them kept, so that group order is official."""
    rows = partition_rows(golden, "M10_alpha30_N5_L2_min1")
    return np.array([columns_of(name, rows[name]) for name in sorted(rows)[:150]])


def some_classes(shared: Path, rng) -> np.ndarray:
    """Whole classes, those of heading 360 too, and images of classes too small."""
    rows = partition_rows(shared / "golden", "M20_alpha60_N2_L2_min2")
    keys = sorted({class_of(row) for row in rows.values()})
    chosen = {keys[i] for i in rng.choice(len(keys), 30, replace=False)}
    chosen.update([key for key in keys if key[2] == "360"][:5])
    kept = [name for name in sorted(rows) if class_of(rows[name]) in chosen]
    table = shared / "data" / "coordinates" / "sf_xs_val_database.csv.gz"
    names = sorted(gzip.decompress(table.read_bytes()).decode().split())
    dropped = [name for name in names if name not in rows]
    dropped = rng.choice(dropped, 20, replace=False)
    names = sorted([*kept, *dropped])
    return np.array([columns_of(name, rows.get(name)) for name in names])


def partition_rows(golden: Path, settings: str) -> dict[str, dict[str, str]]:
    """Returns the rows of a golden partition by the name of the image."""
    path = golden / f"partition_sf_xs_val_database_{settings}.csv.gz"
    with gzip.open(path, "rt") as text:
        return {row["name"]: row for row in csv.DictReader(text)}


def class_of(row) -> tuple[str, str, str]:
    """Returns what tells a class from others."""
    return row["class_east"], row["class_north"], row["class_heading"]


def columns_of(name: str, row) -> np.ndarray:
    """East and north in cm, heading; class and group, -1 of images in no class."""
    own = [*positions_cm([name])[0], int(name.split("@")[9])]
    if row is None:
        return np.array([*own, *[-1] * 7], np.int32)
    return np.array([*own, *list(row.values())[1:]], np.int32)


def main(shared: Path) -> None:
    """Writes both files."""
    np.savez_compressed(HERE / "official.npz", **draw(shared))
    shapes = json.loads((shared / "golden" / "state_dict_shapes.json").read_text())
    text = json.dumps({name: shapes[name] for name in NETWORKS})
    (HERE / "state_dict_shapes.json").write_text(text + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
