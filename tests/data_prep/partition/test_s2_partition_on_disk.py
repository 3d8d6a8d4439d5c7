import json

import numpy as np
import pytest

from data_prep.__main__ import main
from tests.data_prep.conftest import encode_image, image_name
from tests.data_prep.test_build_dataset import files_of
from vpr_tf.config import save_config
from vpr_tf.data.partition import REGION_DTYPE
from vpr_tf.data.prepared_dataset import PreparedDataset
from vpr_tf.geo import lat_lon_to_utm
from vpr_tf.geo.s2_cells import leaf_cells


@pytest.fixture
def config_file(tmp_path, make_config):
    """A street of images 20 m apart, two at each place, and a planet partition."""
    folder = tmp_path / "train"
    folder.mkdir()
    for number in range(24):
        latitude = 37.7 + number // 2 * 20 / 111e3
        east, north, _ = lat_lon_to_utm(latitude, -122.5)
        fields = {"latitude": latitude, "utm_east_m": east, "utm_north_m": north}
        name = image_name(number, **fields)
        (folder / name).write_bytes(encode_image(number))
    partition = {
        "name": "planet",
        "method": "planet",
        "min_images_per_class": 2,
        "max_images_per_class": 6,
    }
    path = tmp_path / "config.yaml"
    save_config(make_config(partition=partition), path)
    return str(path)


def named(method: str) -> list[str]:
    own = {"hierarchical": "max_images_per_level=[12,6,3]"}.get(method, "num_classes=5")
    fields = (f"name={method}", f"method={method}", own)
    return [f"build.partition.{field}" for field in fields]


def test_a_dataset_is_built_with_it_and_others_are_added(config_file, tmp_path, capsys):
    assert main(["build", "--config", config_file]) == 0
    before = files_of(tmp_path / "dataset")
    for method in ("hierarchical", "combinatorial"):
        command = ["partition", "--config", config_file, *named(method)]
        assert main(command) == 0
        added = files_of(tmp_path / "dataset" / "partitions" / method)
        assert main(command) == 0  # scripts may repeat it
        assert "already; nothing to do" in capsys.readouterr().out
        assert files_of(tmp_path / "dataset" / "partitions" / method) == added
    after = files_of(tmp_path / "dataset")
    assert {name: after[name] for name in before} == before

    dataset = PreparedDataset(tmp_path / "dataset")
    positions = dataset.split("train").positions()
    leaves = leaf_cells(positions.latitude_deg, positions.longitude_deg)
    for name, num_groups in (("planet", 1), ("hierarchical", 3), ("combinatorial", 5)):
        partition = dataset.partition(name)
        assert partition.num_groups == num_groups
        assert partition.regions.dtype == REGION_DTYPE
        for region in partition.regions:
            inside = (region["first_leaf"] <= leaves) & (leaves <= region["last_leaf"])
            first, last = partition.class_offsets[region["class_id"] :][:2]
            members = partition.record_ids[first:last]
            assert inside.any()
            assert set(np.flatnonzero(inside)) <= set(members.tolist())


def test_a_partition_has_the_fields_of_its_method(config_file, tmp_path, capsys):
    assert main(["build", "--config", config_file]) == 0
    path = tmp_path / "dataset" / "partitions" / "planet" / "partition.json"
    parameters = json.loads(path.read_text())["parameters"]
    assert parameters == {
        "name": "planet",
        "method": "planet",
        "min_images_per_class": 2,
        "max_images_per_class": 6,
        "s2_max_level": 20,
    }
    command = ["partition", "--config", config_file]
    assert main(command) == 0
    assert main([*command, "build.partition.max_images_per_class=7"]) == 2
    message = "another partition 'planet' (max_images_per_class=6 there, 7 here)"
    assert message in capsys.readouterr().err
    assert main([*command, "build.partition.method=cosplace"]) == 2
    assert "(method='planet' there, 'cosplace' here)" in capsys.readouterr().err


def test_inspect_draws_the_cells(config_file, tmp_path, capsys):
    assert main(["build", "--config", config_file]) == 0
    added = [*named("combinatorial"), "build.partition.min_images_per_class=5"]
    assert main(["partition", "--config", config_file, *added]) == 0
    pictures = tmp_path / "pictures"
    command = ["inspect", "--config", config_file, "--output", str(pictures)]
    assert main(command) == 0
    output = capsys.readouterr().out
    assert "partition planet: planet, max_images_per_class=6" in output
    assert "  group 4: " in output
    assert "all groups together tell" in output
    for name in ("planet", "combinatorial"):
        assert (pictures / f"{name}_map_zone_10N.png").stat().st_size > 10_000
