import json

import pytest

from vpr_tf.place_index.tuning.candidates import candidates_of
from vpr_tf.search import MilvusSettings, ScannSettings

SIZES = [1, 2, 15, 16, 100, 4_999, 5_000, 49_999, 50_000, 499_999, 500_000, 2_800_000]


@pytest.mark.parametrize("num_images", SIZES)
def test_all_candidates_can_be_built(num_images):
    found = candidates_of(("scann", "milvus"), num_images, 512)
    assert found[0].kind == "exact"
    settings_of = {"scann": ScannSettings, "milvus": MilvusSettings}
    for candidate in found[1:]:
        told = settings_of[candidate.kind].from_dict(
            candidate.settings, num_images, 512
        )
        for search in candidate.searches:
            whole = told.to_dict()
            if candidate.kind == "milvus":
                search = {"search_params": search}
            settings_of[candidate.kind].from_dict({**whole, **search}, num_images, 512)
    names = [candidate.name for candidate in found]
    assert len(set(names)) == len(names)
    settings = [json.dumps([one.kind, one.settings]) for one in found]
    assert len(set(settings)) == len(settings)


def test_larger_databases_are_worth_more_tries():
    numbers = [len(candidates_of(("scann",), size, 512)) for size in SIZES]
    assert numbers[:3] == [1, 1, 1]
    assert numbers[3] == 2
    assert numbers[-1] == max(numbers) > numbers[6] >= 3


def test_trees_with_soar_are_compared_with_those_without():
    found = {one.name: one for one in candidates_of(("scann",), 1_000_000, 512)}
    usual = ScannSettings.for_size(1_000_000, 512)
    assert found["scann 2000 leaves int8"].settings == usual.to_dict()
    without = found["scann 2000 leaves int8 without SOAR"].settings
    assert without["soar_lambda"] == 0
    assert without["leaves_to_search"] > usual.leaves_to_search


def test_only_asked_kinds_are_tried():
    assert [one.kind for one in candidates_of((), 1000, 8)] == ["exact"]
    assert {one.kind for one in candidates_of(("milvus",), 1000, 8)} == {
        "exact",
        "milvus",
    }
