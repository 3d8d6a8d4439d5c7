import pytest


@pytest.fixture(scope="module")
def machines():
    """A Ray cluster of two machines of one processor."""
    pytest.importorskip("ray", reason="the extra ray is not installed")
    from tests.ray_cluster import two_machines

    with two_machines() as started:
        yield started


@pytest.fixture
def cluster(machines):
    """The cluster with both machines, whatever a test before did."""
    machines.add_machine()
    return machines
