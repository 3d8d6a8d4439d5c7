import gc
import hashlib
import json
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from vpr_tf.search import (
    ExactIndex,
    IndexMismatchError,
    MilvusIndex,
    RetrievalError,
    milvus_client,
    milvus_index,
)

ROOT = Path(__file__).resolve().parents[3]


def random_rows(count, dim=8, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


def assert_same_as_exact(index, database, queries, k):
    distances, ids = index.search(queries, k)
    expected_distances, expected_ids = ExactIndex.build(database).search(queries, k)
    np.testing.assert_array_equal(ids, expected_ids)
    np.testing.assert_array_equal(distances, expected_distances)


def contents(folder):
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def database():
    rows = random_rows(300)
    rows[17] = 0
    rows[40:43] = rows[39]
    return rows


@pytest.fixture(scope="module")
def flat(database):
    index = MilvusIndex.build(database)
    yield index
    index.close()


@pytest.fixture(scope="module")
def saved(flat, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "index"
    folder.mkdir()
    flat.write(folder)
    return folder


def test_flat_search_equals_exact_search(flat, database, monkeypatch):
    monkeypatch.setattr(milvus_index, "_MAX_PER_REQUEST", 400)
    assert flat.is_exact
    queries = np.concatenate([random_rows(5, seed=1), database[[17, 39]]])
    for k in (1, 2, 20, 301, 401):  # row 39 is there four times
        assert_same_as_exact(flat, database, queries, k)
    assert_same_as_exact(flat, database, np.zeros((2, 8), np.float32), 3)
    assert flat.search(np.empty((0, 8), np.float32), 4)[1].shape == (0, 4)
    rows = np.array([3, 17, 200])
    np.testing.assert_array_equal(
        np.sort(flat.search(queries, 4, rows=rows)[1][:, :3]), np.tile(rows, (7, 1))
    )
    with pytest.raises(ValueError, match="NaN or infinity in 1 queries"):
        flat.search(np.full((1, 8), np.nan, np.float32), 1)


def test_parameters_reach_milvus(database):
    index = MilvusIndex.build(
        database, {"index_type": "IVF_FLAT", "params": {"nlist": 6}, "batch": 7}
    )
    found = index._database.client.describe_index("descriptors", "descriptor")
    assert (found["index_type"], found["params"]) == ("IVF_FLAT", {"nlist": 6})
    assert not index.is_exact
    queries = random_rows(20, seed=1)
    exact = ExactIndex.build(database).search(queries, 10)[1]
    one = index.with_search_settings(nprobe=1)
    assert one.settings["search_params"] == {"nprobe": 1}
    assert (one.search(queries, 10)[1] != exact).any()
    np.testing.assert_array_equal(
        index.with_search_settings(nprobe=6).search(queries, 10)[1], exact
    )


def test_saved_index_is_read_only_and_can_be_moved(saved, flat, database, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(saved, moved)
    for path in [moved, *moved.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = contents(moved)
    queries = random_rows(4, seed=3)
    indexes = [MilvusIndex.read(moved, database, flat.settings) for _ in range(2)]
    for index in indexes:
        assert_same_as_exact(index, database, queries, 9)
        index.close()
    assert contents(moved) == before
    for path in [moved, *moved.rglob("*")]:
        path.chmod(0o755)


def test_two_processes_search_at_once_and_end(saved, flat, database, tmp_path):
    np.save(tmp_path / "database.npy", database)
    program = f"""
        import json, sys
        from pathlib import Path
        import numpy as np
        from vpr_tf.search import MilvusIndex

        database = np.load({str(tmp_path / "database.npy")!r})
        settings = json.loads({json.dumps(flat.settings)!r})
        index = MilvusIndex.read(Path({str(saved)!r}), database, settings)
        print("open", index._database._private, flush=True)
        sys.stdin.readline()
        print(index.search(database[:5], 1)[1][:, 0].tolist())
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(program)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    readers = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(2)]
    folders = [Path(reader.stdout.readline().split()[1]) for reader in readers]
    for reader in readers:
        assert reader.communicate("\n", timeout=60)[0] == "[0, 1, 2, 3, 4]\n"
        assert reader.returncode == 0
    assert not any(folder.exists() for folder in folders)


def test_private_folder_goes_with_the_index(saved, flat, database):
    index = MilvusIndex.read(saved, database, flat.settings)
    folder = index._database._private
    assert folder.exists()
    del index
    gc.collect()
    assert not folder.exists()


def test_forked_process_has_to_open_the_index_itself(flat, database, monkeypatch):
    monkeypatch.setattr(milvus_client.os, "getpid", lambda: 1)
    with pytest.raises(RetrievalError, match="does not work in a forked process"):
        flat.search(database[:1], 1)


def test_threads_share_an_index(flat, database):
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(
            lambda row: flat.search(database[[row]], 1)[1][0, 0], range(16)
        )
        assert list(found) == list(range(16))


def test_other_descriptors_are_refused(saved, flat, database):
    with pytest.raises(IndexMismatchError, match="num_rows must be 299"):
        MilvusIndex.read(saved, database[:-1], flat.settings)
    changed = database.copy()
    changed[-1, 0] += 1e-3
    with pytest.raises(IndexMismatchError, match="holds another row 299"):
        MilvusIndex.read(saved, changed, flat.settings)
    settings = {**flat.settings, "index_type": "HNSW"}
    with pytest.raises(
        IndexMismatchError, match="is of another index: collection must"
    ):
        MilvusIndex.read(saved, database, settings)


@pytest.mark.parametrize("name", ["milvus.json", "milvus.db/collections"])
def test_incomplete_folder_is_refused(saved, flat, database, tmp_path, name):
    shutil.copytree(saved, tmp_path / "index")
    path = tmp_path / "index" / name
    path.unlink() if path.is_file() else shutil.rmtree(path)
    with pytest.raises(IndexMismatchError, match=r"cannot be read|is not of an index"):
        MilvusIndex.read(tmp_path / "index", database, flat.settings)


COLLECTION = Path("milvus.db/collections/descriptors")


def changed_json(name, change):
    def damage(index):
        path = index / COLLECTION / name
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return damage


def added_file(name):
    def damage(index):
        path = index / "milvus.db" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"PAR1")

    return damage


def linked(name):
    def damage(index):
        path = index / name
        target = path.with_name("other")
        path.rename(target)
        path.symlink_to(target)

    return damage


def renamed_partition(manifest):
    manifest["partitions"] = {"../../../..": manifest["partitions"]["_default"]}


def with_function(schema):
    params = {"provider": "openai", "base_url": "http://stranger"}
    schema["functions"] = [{"name": "f", "function_type": 2, "params": params}]


HOSTILE = {
    "partition outside": changed_json("manifest.json", renamed_partition),
    "another partition": changed_json(
        "manifest.json",
        lambda m: m["partitions"].update({"/": {"data_files": [], "delta_files": []}}),
    ),
    "data outside": changed_json(
        "manifest.json",
        lambda m: m["partitions"]["_default"].update(data_files=["../../secret"]),
    ),
    "delta": changed_json(
        "manifest.json",
        lambda m: m["partitions"]["_default"].update(delta_files=["delta/a"]),
    ),
    "types": changed_json("manifest.json", lambda m: m.update(partitions=[1])),
    "huge index": changed_json(
        "manifest.json",
        lambda m: m["index_specs"]["descriptor"].update(build_params={"M": 10**9}),
    ),
    "function": changed_json("schema.json", with_function),
    "fields": changed_json("schema.json", lambda s: s["fields"].pop()),
    "no collection": lambda index: shutil.rmtree(index / COLLECTION),
    "another database": added_file("databases/more/schema.json"),
    "another collection": added_file("collections/more/schema.json"),
    "log": added_file("collections/descriptors/wal/wal_000001.arrow"),
    "snapshot": added_file("collections/descriptors/snapshots/a/manifest.json"),
    "linked database": linked(Path("milvus.db")),
    "linked folder": linked(COLLECTION / "partitions"),
    "linked file": linked(COLLECTION / "schema.json"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_milvus_gets_no_files_but_those_that_we_write(
    saved, flat, database, tmp_path, monkeypatch, name
):
    shutil.copytree(saved, tmp_path / "index")
    HOSTILE[name](tmp_path / "index")
    monkeypatch.setattr(milvus_client, "connect", None)  # it is not opened
    with pytest.raises(ValueError, match=r"is not of an index|must be a file or"):
        MilvusIndex.read(tmp_path / "index", database, flat.settings)


def test_cluster_that_does_not_answer_is_an_error(database, monkeypatch):
    monkeypatch.setattr(milvus_client, "_CONNECT_TIMEOUT_S", 0.5)
    monkeypatch.setenv("MILVUS_URI", "http://127.0.0.1:9")
    with pytest.raises(RetrievalError, match=r"cannot be opened at http://127.0.0.1:9"):
        MilvusIndex.build(database, {"uri": "http://127.0.0.1:9"})


def test_missing_library_says_what_to_install(database, monkeypatch):
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(ImportError, match=r"pip install 'vpr_tf\[milvus"):
        MilvusIndex.build(database)
