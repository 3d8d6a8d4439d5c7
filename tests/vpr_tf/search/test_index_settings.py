import json

import pytest

from vpr_tf.search import MilvusSettings, ScannSettings


@pytest.mark.parametrize(
    ("num_images", "structure"),
    [
        (1, "brute_force"),
        (19_999, "brute_force"),
        (20_000, "quantized"),
        (99_999, "quantized"),
        (100_000, "tree"),
        (2_800_000, "tree"),
    ],
)
def test_structure_follows_the_size(num_images, structure):
    settings = ScannSettings.from_dict({}, num_images, 512)
    assert settings.structure == structure
    assert settings == ScannSettings.for_size(num_images, 512)
    if structure == "tree":
        assert 1 <= settings.leaves_to_search < settings.num_leaves < num_images


@pytest.mark.parametrize(
    ("num_images", "leaves", "searched"),
    [(100_000, 632, 32), (1_000_000, 2_000, 63), (2_800_000, 3_346, 233)],
)
def test_as_many_leaves_are_searched_as_were_measured(num_images, leaves, searched):
    chosen = ScannSettings.for_size(num_images, 512)
    assert (chosen.num_leaves, chosen.leaves_to_search) == (leaves, searched)
    without = ScannSettings.from_dict({"soar_lambda": 0.0}, num_images, 512)
    assert chosen.leaves_to_search < without.leaves_to_search


def test_soar_is_of_new_trees():
    chosen = ScannSettings.from_dict({}, 200_000, 512)
    assert chosen.soar_lambda == 1.5
    without = ScannSettings.from_dict({"soar_lambda": 0.0}, 200_000, 512)
    assert without.leaves_to_search > chosen.leaves_to_search
    before = {k: v for k, v in without.to_dict().items() if k != "soar_lambda"}
    assert ScannSettings.from_dict(before, 200_000, 512) == without


def test_all_settings_are_read_again():
    settings = ScannSettings.from_dict({"reorder": "bfloat16"}, 200_000, 512)
    written = json.loads(json.dumps(settings.to_dict()))
    assert ScannSettings.from_dict(written, 200_000, 512) == settings


def test_codes_of_long_descriptors_are_no_longer():
    blocks = [
        dim // ScannSettings.for_size(200_000, dim).dimensions_per_block
        for dim in (64, 256, 512, 2048)
    ]
    assert blocks == [32, 128, 128, 128]


def test_too_few_images_for_what_is_set():
    wanted = {"num_leaves": 100, "leaves_to_search": 30}
    assert ScannSettings.from_dict(wanted, 15, 512).structure == "brute_force"
    few = ScannSettings.from_dict(wanted, 20, 512)
    assert (few.structure, few.num_leaves, few.leaves_to_search) == ("tree", 20, 20)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"leaves": 3}, "has the settings structure, num_leaves.*Received: leaves"),
        ({"structure": "b"}, "`structure` must be one of brute_force, quantized, tree"),
        (
            {"reorder": "float16"},
            "`reorder` must be one of float32, bfloat16, int8, mem",
        ),
        ({"num_leaves": 2.5}, "`num_leaves` must be a whole number of 1 or more"),
        ({"num_leaves": 5, "leaves_to_search": 6}, "at most num_leaves=5. Received: 6"),
        ({"structure": "quantized", "num_leaves": 5}, "are of the structure `tree`"),
        ({"num_leaves": 5, "soar_lambda": -1}, r"`soar_lambda` must lie in \[0, 100\)"),
        ({"structure": "quantized", "soar_lambda": 1}, "are of the structure `tree`"),
        ({"dimensions_per_block": 0}, "whole number of 1 or more. Received: 0"),
        ({"training_sample": 8}, "`training_sample` must be a whole number of 16"),
        ({"anisotropic_threshold": 1}, r"must lie in \[0, 1\). Received: 1"),
    ],
)
def test_scann_settings_that_cannot_be_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        ScannSettings.from_dict(settings, 1000, 512)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"leaves": 3}, "has the settings .*Received: leaves"),
        ({"index_type": "ANNOY"}, "`index_type` must be one of FLAT, HNSW"),
        ({"metric": "IP"}, "`metric` must be one of L2"),
        ({"batch": 0}, "`batch` must be a whole number of 1 or more"),
        ({"collection": "a-b"}, "`collection` must be ASCII letters"),
        ({"uri": "milvus.db"}, "`uri` must be the address of a Milvus cluster"),
        ({"uri": "http://me:secret@host:1"}, "must not hold a user or password"),
    ],
)
def test_milvus_settings_that_cannot_be_are_named(settings, message):
    with pytest.raises(ValueError, match=message) as error:
        MilvusSettings.from_dict(settings, 1000, 8)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(("dim", "parts"), [(512, 128), (6, 3), (7, 7)])
def test_codes_of_milvus_have_parts_of_equal_length(dim, parts):
    settings = MilvusSettings.from_dict({"index_type": "IVF_PQ"}, 10_000, dim)
    assert settings.params == {"nlist": 250, "m": parts, "nbits": 8}
    assert settings.search_params == {"nprobe": 15}
