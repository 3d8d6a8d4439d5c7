"""Commands on a Ray cluster of two machines: the results are those of one machine."""

import itertools
import json
import threading

import keras
import pytest

from tests.command_line import on_index, vpr
from tests.data_prep.conftest import encode_image, write_images
from tests.data_prep.test_build_dataset import files_of, write_yaml
from tests.ray_cluster import die, refuse, slow_square
from tests.small_training import write_config
from vpr_tf.cluster import ClusterError, open_workers, ray_workers, using_cluster
from vpr_tf.config import Preprocessing
from vpr_tf.extraction import EncoderError, FeatureExtractor
from vpr_tf.models import GeoLocalizationNet
from vpr_tf.photos import InvalidEntryError, scan_photos
from vpr_tf.worker_pool import WorkerError

pytestmark = pytest.mark.slow

CONFIG = """
name: tiny
dataset: {path: dataset}
evaluation: {resize: square, image_size: 32, batch_size: 2}
"""


@pytest.fixture
def kill_other_at(cluster):
    """Kills the other machine as soon as it does a unit of a function."""
    threads = []

    def start(function):
        threads.append(threading.Thread(target=cluster.kill_other_at, args=(function,)))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.join()
    assert cluster.other is None, "it was not killed"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny encoder, which describes single photos."""
    folder = tmp_path_factory.mktemp("model")
    keras.utils.set_random_seed(1)
    encoder = GeoLocalizationNet("EfficientNetLite0", 8, last_stage=0)
    encoder.save(folder / "encoder.keras")
    (folder / "tiny.yaml").write_text(CONFIG)
    return folder / "encoder.keras"


def write_photos(folder, num_photos):
    """Writes photos of two sizes, of which two do not decode."""
    names = write_images(folder, num_photos)
    for number, name in enumerate(names[::3]):
        (folder / name).write_bytes(encode_image(number, size=(40, 56)))
    for name in names[5], names[num_photos // 2]:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
    return folder


def test_build_with_a_killed_machine_has_the_bytes_of_one_machine(
    tmp_path, cluster, kill_other_at
):
    names = write_images(tmp_path / "train", 600)
    (tmp_path / "train" / names[7]).write_bytes(b"no image")
    config = write_yaml(tmp_path, images_per_shard=8)
    dataset = tmp_path / "dataset"
    assert vpr("data", "build", "--config", config) == 0
    alone = files_of(dataset)
    dataset.rename(tmp_path / "alone")

    kill_other_at("write_shard")
    assert vpr("data", "build", "--config", config, "--ray", cluster.address) == 0
    assert files_of(dataset) == alone


def test_check_has_the_table_of_one_machine(tmp_path, cluster, model, capsys):
    photos = write_photos(tmp_path / "photos", 200)
    config = model.parent / "tiny.yaml"
    words = ("photos", "check", photos, "--json", "--model", model, "--config", config)
    found = []
    for name, more in (("alone", ()), ("ray", ("--ray", cluster.address))):
        table = tmp_path / f"{name}.csv"
        assert vpr(*words, "--output", table, *more) == 1
        printed = json.loads(capsys.readouterr().out)  # Ray has printed nothing there
        del printed["table"], printed["page"]
        rejected = table.with_suffix(".rejected.csv").read_text()
        found.append((printed, table.read_text(), rejected))
    assert found[0] == found[1]
    assert found[0][0]["num_rejected"] == 2


def build_index(index, photos, model, *more):
    words = ("--photos", photos, "--model", model, "--kind", "exact")
    config = ("--config", model.parent / "tiny.yaml")
    return on_index("build", index, *words, *config, *more)


def test_index_with_a_killed_machine_has_the_descriptors_of_one_machine(
    tmp_path, cluster, model, kill_other_at
):
    photos = write_photos(tmp_path / "photos", 1200)
    alone, shared = tmp_path / "alone.index", tmp_path / "shared.index"
    assert build_index(alone, photos, model) == 0
    kill_other_at("describe_part")
    assert build_index(shared, photos, model, "--ray", cluster.address) == 0
    assert same_files(alone, shared)


def same_files(one, other):
    """Whether two folders hold the same, but for the times of their making."""
    first, second = files_of(one), files_of(other)
    differing = [name for name in first if first[name] != second.get(name)]
    return first.keys() == second.keys() and not {*differing} - {"manifest.json"}


def test_added_photos_have_the_descriptors_of_one_machine(tmp_path, cluster, model):
    first, more = tmp_path / "first", write_photos(tmp_path / "more", 60)
    write_images(first, 5, heading_deg=7)
    indexes = [tmp_path / "alone.index", tmp_path / "shared.index"]
    for index, options in zip(indexes, ((), ("--ray", cluster.address)), strict=True):
        assert build_index(index, first, model) == 0
        words = ("--photos", more, "--prefix", "more/")
        assert on_index("add", index, *words, *options) == 0
    assert same_files(*indexes)


def test_evaluation_has_the_results_of_one_machine(
    tmp_path, cluster, model, small_training_dataset
):
    config = write_config(tmp_path, small_training_dataset.path)
    words = ("evaluate", "--config", config, "--model", model)
    assert vpr(*words, "--output", tmp_path / "alone") == 0
    on_ray = ("--output", tmp_path / "shared", "--ray", cluster.address)
    assert vpr(*words, *on_ray) == 0
    assert same_files(tmp_path / "alone", tmp_path / "shared")


def test_units_come_in_order_from_endless_tasks(cluster):
    with using_cluster(cluster.address), open_workers(1, "--workers") as workers:
        taken = []
        tasks = ((taken.append(i) or i,) for i in itertools.count())
        results = workers.map_in_order(slow_square, tasks)
        assert list(itertools.islice(results, 20)) == [i * i for i in range(20)]
        results.close()
        assert len(taken) <= 20 + 2 * 4  # of two workers


def test_what_a_unit_raises_keeps_its_class(cluster):
    with (
        using_cluster(cluster.address),
        open_workers(1, "--workers") as workers,
        pytest.raises(InvalidEntryError, match=r"^3 cannot be$"),
    ):
        list(workers.map_in_order(refuse, [(3,)]))


def test_unit_that_ends_its_workers_is_given_up(cluster):
    with (
        using_cluster(cluster.address),
        open_workers(1, "--workers") as workers,
        pytest.raises(WorkerError, match=r"killed 4 times at the unit die 0.*num-cpus"),
    ):
        list(workers.map_in_order(die, [(0,)]))


def test_machine_that_sees_another_file_is_refused(cluster, tmp_path, monkeypatch):
    file = tmp_path / "photo.jpg"
    file.write_bytes(b"here")
    seen = ray_workers.seen_files([file, tmp_path / "missing"])
    other = tuple(one._replace(num_bytes=5) for one in seen)
    monkeypatch.setattr(ray_workers, "seen_files", lambda paths: other)
    with (
        using_cluster(cluster.address),
        open_workers(1, "--workers") as workers,
        pytest.raises(ClusterError, match=r"does not see .*photo.jpg.*4 bytes instead"),
    ):
        list(workers.map_in_order(slow_square, [(3,)], [file]))


def test_encoder_that_is_a_function_is_not_sent(cluster, tmp_path):
    photos = scan_photos(write_photos(tmp_path / "photos", 6), progress=False)
    extractor = FeatureExtractor(lambda images: images[:, 0, 0], Preprocessing())
    with (
        using_cluster(cluster.address),
        pytest.raises(EncoderError, match=r"can be sent.*Received: FunctionEncoder"),
    ):
        extractor.extract_files(photos, tmp_path / "descriptors", progress=False)
