"""Short forms of the campaigns of `python -m benchmarks.index_reliability`."""

import pytest

from benchmarks.index_kills import KillCampaign, Readers
from benchmarks.index_reliability import SAMPLES, run_mutations
from benchmarks.index_samples import CHANGES
from tests.vpr_tf.place_index.samples import needs_scann


@pytest.fixture(scope="module")
def campaign(tmp_path_factory):
    return KillCampaign(tmp_path_factory.mktemp("kills"))


@pytest.mark.parametrize("change", CHANGES)
def test_killed_change_leaves_the_old_or_the_new_state(campaign, change):
    campaign.kill_at_steps(change, every=29)
    assert campaign.kill_at_lines(change, every=101) > 1
    campaign.kill_at_random(change, trials=2)
    assert campaign.outcomes[f"{change}: old"]
    assert campaign.outcomes[f"{change}: new"]


def test_readers_in_other_processes_see_only_states_that_were(tmp_path):
    CHANGES["create"](tmp_path / "index")
    for searches, states, wrong in Readers(tmp_path / "index", 2, 8).run():
        assert not wrong
        assert searches >= states > 1


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=needs_scann if sample.kind == "scann" else ())
        for name, sample in SAMPLES.items()
    ],
)
def test_damaged_index_is_refused_or_answers_as_before(tmp_path, name):
    outcomes = run_mutations(tmp_path / "mutations", name, 28)
    assert set(outcomes) == {"refused", "right"}
    assert outcomes.total() == 28
    assert outcomes["refused"] > 14
