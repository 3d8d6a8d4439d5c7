import dataclasses

import numpy as np
from PIL import Image

from data_prep.inspection import preview_dataset
from data_prep.inspection.preview import _across_border
from tests.small_training import small_config
from tests.vpr_tf.evaluation.tiny_dataset import Shot, write_dataset
from vpr_tf.cli import main


def test_pictures_hold_images_classes_and_augmented_images(
    small_training_dataset, tmp_path
):
    dataset = small_training_dataset
    config = small_config(tmp_path, dataset.path)
    partition = dataset.partition("cosplace")

    def pixels(output, *extra):
        augmentation = dataclasses.replace(config.train.augmentation, extra=[*extra])
        train = dataclasses.replace(config.train, augmentation=augmentation)
        paths = preview_dataset(
            dataset, partition, train, tmp_path / output, num_rows=2
        )
        assert [path.name for path in paths] == [
            *("train.png", "classes.png", "augmented.png")
        ]
        return [
            np.asarray(Image.open(path).convert("RGB")).astype(int) for path in paths
        ]

    plain, again = pixels("plain"), pixels("again")
    black = pixels("black", {"name": "Cutout", "probability": 1.0, "size": 1.0})
    for first, second in zip(plain, again, strict=True):
        np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(plain[1], black[1])
    assert (black[2] == 0).mean() > (plain[2] == 0).mean() + 0.2


def test_neighbour_is_the_nearest_photo_of_another_class_with_the_same_view():
    from scipy.spatial import cKDTree

    points = np.array([[0.0, 0], [8, 0], [9, 0], [11, 0], [30, 0]])
    of_class = np.array([0, 0, 1, 2, 3])
    headings = np.array([10.0, 350, 180, 20, 0])
    arguments = (cKDTree(points), of_class, np.arange(5), headings)
    assert _across_border(np.array([0, 1]), *arguments) == (2, 3.0)
    assert _across_border(np.array([2]), *arguments) is None


def test_without_train_the_split_alone_is_drawn(tmp_path, capsys):
    shots = [Shot((220, 30, 30), metres) for metres in (0, 100)]
    write_dataset(
        tmp_path / "dataset", {"test-a-database": shots, "test-a-queries": shots}
    )
    config = tmp_path / "config.yaml"
    config.write_text(f"name: a\ndataset: {{path: {tmp_path}/dataset}}\n")
    words = f"data preview --config {config} --output {tmp_path / 'pictures'} --split"
    assert main([*words.split(), "test-a-queries"]) == 0
    (picture,) = (tmp_path / "pictures").iterdir()
    assert picture.name == "test-a-queries.png"
    assert main([*words.split(), "train"]) == 2
    assert "It has: test-a-database" in capsys.readouterr().err


def test_an_unknown_split_is_refused(small_training_dataset, tmp_path, capsys):
    small_config(tmp_path, small_training_dataset.path)
    words = f"data preview --config {tmp_path / 'small.yaml'} --split tran"
    assert main(words.split()) == 2
    assert "tran" in capsys.readouterr().err
