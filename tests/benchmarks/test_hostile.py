import importlib.util
import os
import random
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import pytest

from benchmarks.hostile.__main__ import table
from benchmarks.hostile.campaign import Row
from benchmarks.hostile.inputs import Kind, Link, judge, make_input
from benchmarks.hostile.kinds import kinds
from benchmarks.hostile.mutations import mutated_bytes, mutated_json, mutated_value
from benchmarks.hostile.watch import (
    ABSOLUTE_OUTSIDE,
    INPUT,
    OUTSIDE,
    Watch,
    use_scratch,
)
from tests.vpr_tf.place_index.samples import needs_scann

KINDS = kinds()
# Of a kind that takes longer than the others a few; of those that are always refused
# nothing is accepted.
FEW = {
    **{"images": 3, "configs": 20, "yaml": 20, "bases": 20, "index arrays": 25},
    **{"scann files": 25, "keras files": 6, "saved models": 20, "links": 60},
    **{"onnx files": 40, "openvino files": 40},
}
NEEDED = {"onnx files": "onnxruntime", "openvino files": "openvino"}
NEVER_ACCEPTED = {*FEW, "pickles"}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    """The working folder, so that an absolute path leads beside the input."""
    former = Path.cwd(), tempfile.tempdir, os.environ.get("TMPDIR")
    yield use_scratch(tmp_path_factory.mktemp("hostile"))
    os.chdir(former[0])
    tempfile.tempdir = former[1]
    if former[2] is None:
        del os.environ["TMPDIR"]
    else:
        os.environ["TMPDIR"] = former[2]


@pytest.fixture(scope="module")
def watch(scratch):
    return Watch(scratch)


def judged(kind, folder, watch=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, of numbers beyond its own
        return judge(kind, folder, watch)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=needs_scann if name.startswith("scann") else ())
        for name in KINDS
    ],
)
def test_hostile_inputs_are_refused_or_possible(name, scratch, watch):
    for package in ("onnx", NEEDED[name]) if name in NEEDED else ():
        pytest.importorskip(package)
    accepted = refused = 0
    for number in range(FEW.get(name, 100)):
        folder = make_input(KINDS[name], name, 7, number, scratch)
        is_accepted, finding = judged(KINDS[name], folder, watch if number else None)
        assert not finding, f"--seed 7 --only {name}:{number}"
        accepted += is_accepted
        refused += not is_accepted
    assert accepted or name in NEVER_ACCEPTED
    assert refused or name == "images"  # of a folder one is read, mostly


def test_inputs_follow_from_seed_and_number():
    for name, kind in KINDS.items():
        if name in NEEDED and not importlib.util.find_spec(NEEDED[name]):
            continue
        first, again, other = (
            kind.make(random.Random(f"{seed}:{name}:5")) for seed in (1, 1, 2)
        )
        assert first == again
        assert first != other


def kind_of(read):
    return Kind(lambda rng: {"a": b"1", f"../{OUTSIDE}/b": b"2"}, read, (ValueError,))


def write_outside(folder):
    (folder.parent / OUTSIDE / "new").write_bytes(b"")
    return []


def read_outside(folder):
    (folder.parent / OUTSIDE / "b").read_bytes()
    return []


def read_by_another_program(folder):
    subprocess.run(["true"], check=True)
    return []


def remove_elsewhere(folder):
    Path("/nowhere/at/all").unlink(missing_ok=True)
    return []


def say_nothing(folder):
    raise ValueError


@pytest.mark.parametrize(
    ("read", "finding"),
    [
        (lambda folder: 1 / 0, "ZeroDivisionError at test_hostile.py"),
        (lambda folder: ["size"], "size"),
        (say_nothing, "ValueError without a message"),
        (write_outside, "outside made, moved or deleted: new"),
        (read_outside, "outside opened: b"),
        (read_by_another_program, "subprocess.Popen"),
        (remove_elsewhere, "os.remove /nowhere/at/all"),
    ],
)
def test_what_must_not_happen_is_a_finding(scratch, watch, read, finding):
    kind = kind_of(read)
    folder = make_input(kind, "planted", 0, 0, scratch)
    assert finding in judge(kind, folder, watch)[1]


def test_writing_into_the_own_folder_is_no_finding(scratch, watch):
    def read(folder):
        (folder / "new").write_bytes((folder / "a").read_bytes())
        (folder / "new").rename(folder / "newer")
        return []

    kind = kind_of(read)
    folder = make_input(kind, "planted", 0, 0, scratch)
    assert judge(kind, folder, watch) == (True, "")


def test_links_and_absolute_paths_lead_beside_the_input(scratch, watch):
    kind = Kind(
        lambda rng: {"link": Link(f"../{OUTSIDE}"), f"../{OUTSIDE}/b": b"2"},
        lambda folder: [
            Path(ABSOLUTE_OUTSIDE, "b").read_text(),
            *Path("link").iterdir(),
        ],
        (OSError,),
    )
    folder = make_input(kind, "planted", 0, 0, scratch)
    assert folder == scratch / INPUT
    _, finding = judge(kind, folder, watch)
    assert "outside opened: b" in finding
    assert "outside" not in judge(kind, folder)[1]


PLANTED = """
import os, signal, sys
from pathlib import Path
from benchmarks.hostile import campaign
from benchmarks.hostile.inputs import Kind

def read(folder):
    if (folder / "a").read_bytes() == b"1":
        os.kill(os.getpid(), signal.SIGSEGV)
    return []

def make(rng):
    return {"a": b"1" if rng.random() < 0.1 else b"2"}

campaign.PRELOADED = []
campaign.known_kinds = lambda: {"planted": Kind(make, read, ())}
if __name__ == "__main__":
    planted = campaign.Campaign(Path(sys.argv[1]), seed=3)
    first, again, more = (planted.run_kind("planted", n) for n in (20, 20, 30))
    assert first == again, (first, again)
    print(first.inputs, more.inputs, more.accepted, more.findings, more.sorts)
"""


def test_a_campaign_sees_crashes_and_goes_on_where_it_was(tmp_path):
    file = tmp_path / "planted.py"
    file.write_text(PLANTED)
    paths = [*sys.path, str(Path(__file__).parents[2])]
    done = subprocess.run(
        [sys.executable, str(file), str(tmp_path / "runs")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    first, inputs, accepted, findings, sorts = map(int, done.stdout.split())
    assert (first, inputs, sorts) == (20, 30, 1)
    assert accepted + findings == inputs
    assert findings
    text = (tmp_path / "runs/planted/findings.txt").read_text()
    assert "--seed 3 --only planted:" in text
    assert "ProcessDied of SIGSEGV" in text


def test_the_table_has_sums():
    text = table([Row("a", 3, 1, 2, 0, 0, 5, 1), Row("b", 4, 2, 1, 1, 1, 7, 2)])
    assert text.rows[-1] == ("all", 7, 3, 3, 1, 1, 7, 3)


def test_mutations_change_most_values_and_leave_the_original():
    value = {"a": [1, 2.5, {"b": "text"}], "c": None}
    rng = random.Random(0)
    assert sum(mutated_value(rng, value) != value for _ in range(100)) > 70
    assert value == {"a": [1, 2.5, {"b": "text"}], "c": None}
    assert len({mutated_bytes(rng, b"0123456789") for _ in range(100)}) > 70
    assert len({mutated_json(rng, value) for _ in range(100)}) > 50
