"""The campaign of full disks below a service, in its short form."""

import numpy as np
import pytest

from benchmarks import service_full_disk


class FakeAdmin:
    def __init__(self, *statuses):
        self.statuses = list(statuses)

    def add(self):
        return self.statuses.pop(0)

    remove = add


@pytest.mark.parametrize(
    ("statuses", "was_refused", "finding"),
    [
        ((200, 200), False, ""),
        ((503, 200, 200), True, ""),
        ((500,), False, "status 500 with"),
        ((503, 409), True, "status 409 with room again"),
        ((200, 404), False, "status 404 of the removal"),
    ],
)
def test_a_trial_says_what_was_wrong(
    tmp_path, monkeypatch, statuses, was_refused, finding
):
    sizes = []
    monkeypatch.setattr(
        service_full_disk, "set_size", lambda disk, size: sizes.append(size)
    )
    monkeypatch.setattr(service_full_disk, "used_bytes", lambda disk: 10**6)
    rng = np.random.default_rng(0)
    found = service_full_disk._trial(FakeAdmin(*statuses), tmp_path, 10**4, rng)
    assert found[0] == was_refused
    assert found[1].startswith(finding)
    assert bool(found[1]) == bool(finding)
    assert 10**6 <= sizes[0] <= 10**6 + 1.5 * 10**4
    assert sizes[1:] == [None]
