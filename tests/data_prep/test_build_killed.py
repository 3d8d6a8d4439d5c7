import random
import shutil
import signal
import time

import pytest

from tests.data_prep.conftest import write_images
from tests.data_prep.test_build_dataset import files_of, run_build, write_yaml

NUM_KILLS = 4


@pytest.mark.slow
def test_killed_build_ends_with_the_bytes_of_an_undisturbed_one(tmp_path):
    write_images(tmp_path / "train", 2500)
    (tmp_path / "train" / "holiday.txt").write_text("not an image")
    config_path = write_yaml(tmp_path, images_per_shard=40)
    dataset = tmp_path / "dataset"
    start = time.perf_counter()
    assert run_build(config_path).wait() == 0
    seconds = time.perf_counter() - start
    undisturbed = files_of(dataset)
    shutil.rmtree(dataset)

    rng = random.Random(0)
    kills = 0
    for _ in range(NUM_KILLS):
        process = run_build(config_path)
        time.sleep(rng.uniform(0.05, 0.8) * seconds)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
    assert kills
    process = run_build(config_path)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert files_of(dataset) == undisturbed


def test_each_stage_goes_on_after_a_kill(tmp_path, make_config, monkeypatch):
    """Stops at every named step in turn, as a kill there would."""
    import data_prep.build
    import data_prep.finish
    import data_prep.shards
    from data_prep.build import build_dataset

    class Killed(BaseException):
        pass

    write_images(tmp_path / "train", 600)
    undisturbed = files_of(build_dataset(make_config(images_per_shard=64)).path)
    shutil.rmtree(tmp_path / "dataset")
    steps = [
        (data_prep.build, "scan_split", 0),
        (data_prep.shards.MetadataTable, "write_checkpoint", 1),
        (data_prep.build, "_write_ids", 0),
        (data_prep.build, "write_partition", 0),
        (data_prep.build, "write_shards", 0),
        (data_prep.build, "finish_dataset", 0),
        (data_prep.finish, "write_tfds_metadata", 0),
        (data_prep.finish, "write_atomically", 0),
    ]
    for module, name, calls_before in steps:
        original = getattr(module, name)
        calls = []

        def interrupted(*args, original=original, calls=calls, allowed=calls_before):
            if len(calls) == allowed:
                raise Killed
            calls.append(args)
            return original(*args)

        with monkeypatch.context() as patch:
            patch.setattr(module, name, interrupted)
            with pytest.raises(Killed):
                build_dataset(make_config(images_per_shard=64))
    build_dataset(make_config(images_per_shard=64))
    assert files_of(tmp_path / "dataset") == undisturbed
