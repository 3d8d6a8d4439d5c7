"""SavedModels of strangers: what could touch a file is refused before it is loaded."""

import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework import op_def_registry

from tests.vpr_tf.extraction.hostile_models import refused, save_model, writer_of
from vpr_tf.extraction.saved_encoder import SavedEncoder
from vpr_tf.extraction.saved_model_check import faults_of
from vpr_tf.extraction.saved_model_operations import COMPUTING, SAVING
from vpr_tf.trusted_models import models_are_trusted, trusting_models

PIXELS = np.full((1, 4, 4, 3), 0.5, np.float32)
# Words in the names of operations that reach out of the graph.
REACHING = re.compile(
    "File|Read|Write|Save|Restore|Load|Print|Py|Debug|Summary|Send|Recv|Rpc|Remote|"
    "Table|Lookup|Vocab|Iterator|Reader|Queue|Collective|Service|Cache|Snapshot|Immut|"
    "Dataset|Xla|Tpu|TPU|Custom|Barrier|Session|Export|Import|Dump|Lmdb|LMDB|Sql"
)
# Those that are known to stay inside.
HARMLESS = {"ReadVariableOp", "DisableCopyOnRead", "Snapshot", "DatasetToSingleElement"}
HARMLESS |= {
    *("BatchDatasetV2", "ConcatenateDataset", "IgnoreErrorsDataset", "MapDataset"),
    *("OptionsDataset", "PaddedBatchDatasetV2", "ParallelMapDataset", "TensorDataset"),
    *("ParallelMapDatasetV2", "PrefetchDataset", "RangeDataset", "RewriteDataset"),
    *("TensorSliceDataset", "ZipDataset"),
}


def cached(path):
    return tf.data.Dataset.from_tensors(1).cache(path).get_single_element()


def printed(path):
    return tf.raw_ops.PrintV2(input="text", output_stream=f"file://{path}")


def by_python(path):
    return tf.py_function(lambda: Path(path).write_text("x"), [], tf.int64)


def by_numpy(path):
    return tf.numpy_function(lambda: np.int64(Path(path).write_text("x")), [], tf.int64)


def restored(path):
    return tf.raw_ops.RestoreV2(
        prefix=path, tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32]
    )[0]


def saved(path):
    return tf.raw_ops.SaveV2(
        prefix=path, tensor_names=["x"], shape_and_slices=[""], tensors=[tf.zeros(3)]
    )


def mapped_memory(path):
    return tf.raw_ops.ImmutableConst(
        dtype=tf.float32, shape=[1], memory_region_name=path
    )


def watched(path):
    return tf.raw_ops.DebugIdentityV2(
        input=tf.zeros(3), tfdbg_run_id="r", tensor_debug_mode=2, debug_urls=[path]
    )


def records(kind):
    return lambda path: kind(path).take(1).batch(1).get_single_element()


ACTS = {
    "WriteFile": lambda path: tf.io.write_file(path, "x"),
    "ReadFile": tf.io.read_file,
    "MatchingFiles": lambda path: tf.io.matching_files(path + "*"),
    "PyFunc": by_numpy,
    "EagerPyFunc": by_python,
    "PrintV2": printed,
    "TextLineDataset": records(tf.data.TextLineDataset),
    "TFRecordDataset": records(tf.data.TFRecordDataset),
    "FixedLengthRecordDatasetV2": records(
        lambda path: tf.data.FixedLengthRecordDataset(path, 4)
    ),
    "CacheDatasetV2": cached,
    "RestoreV2": restored,
    "SaveV2": saved,
    "ImmutableConst": mapped_memory,
    "DebugIdentityV2": watched,
}


@pytest.fixture
def honest(tmp_path):
    return save_model(tmp_path / "model")


def test_honest_model_is_loaded(honest):
    assert faults_of(honest) == []
    described = SavedEncoder(honest)(PIXELS)
    np.testing.assert_allclose(described, np.full((1, 3), 3**-0.5), rtol=1e-6)


def test_allowed_operations_exist_and_none_reaches_out():
    assert all(op_def_registry.get(name) for name in COMPUTING | SAVING)
    assert {name for name in COMPUTING if REACHING.search(name)} == HARMLESS


@pytest.mark.parametrize("operation", ACTS)
def test_operation_that_touches_files_is_refused(tmp_path, operation):
    canary = tmp_path / "canary"
    act = ACTS[operation]
    folder = save_model(tmp_path / "model", lambda images: act(str(canary)))
    message = refused(folder, f"the operation {operation}", "pass --trust-model")
    assert "trusting_models" in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


@pytest.mark.parametrize("operation", ACTS)
def test_operation_is_found_in_every_place(tmp_path, operation):
    act = ACTS[operation]
    canary = str(tmp_path / "canary")

    def in_branch(images):
        return tf.cond(
            tf.reduce_mean(images) > 2,
            lambda: [tf.constant(0), act(canary)][0],
            lambda: tf.constant(0),
        )

    folder = save_model(tmp_path / "branch", in_branch)
    refused(folder, f"the operation {operation}")
    module = tf.Module()
    module.unused = tf.function(lambda: [0, act(canary)][0], input_signature=[])
    folder = save_model(tmp_path / "unused", module=module)
    refused(folder, f"the operation {operation}")
    assert not (tmp_path / "canary").exists()


def test_trusted_model_does_what_it_wants(tmp_path):
    folder = save_model(tmp_path / "model", writer_of(tmp_path / "canary"))
    with trusting_models():
        encoder = SavedEncoder(folder)
    assert not models_are_trusted()
    encoder(PIXELS)
    assert (tmp_path / "canary").read_text() == "written"


def test_trust_ends_with_its_block():
    with trusting_models(False):
        assert not models_are_trusted()
    with trusting_models(), trusting_models(False):
        assert models_are_trusted()
    with pytest.raises(RuntimeError), trusting_models():
        raise RuntimeError
    assert not models_are_trusted()


def test_table_that_reads_a_file_at_loading_is_refused(tmp_path):
    (tmp_path / "words.txt").write_text("a\nb\n")
    module = tf.Module()
    lines = tf.lookup.TextFileInitializer(
        str(tmp_path / "words.txt"),
        *(tf.string, tf.lookup.TextFileIndex.WHOLE_LINE),
        *(tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER),
    )
    module.table = tf.lookup.StaticHashTable(lines, -1)
    folder = save_model(tmp_path / "model", module=module)
    found = faults_of(folder)
    assert "the operation InitializeTableFromTextFileV2" in found
    assert "the operation HashTableV2" in found
    assert "the file words.txt" in found
    assert {"an object of the kind asset", "an object of the kind resource"} <= {*found}
    refused(folder, "words.txt")


def test_gradient_is_looked_at(tmp_path):
    @tf.custom_gradient
    def own(images):
        def gradient(upstream):
            with tf.control_dependencies([tf.io.write_file("canary", "x")]):
                return tf.identity(upstream)

        return tf.identity(images), gradient

    folder = save_model(
        tmp_path / "model",
        lambda images: own(images),
        experimental_custom_gradients=True,
    )
    refused(folder, "the operation WriteFile")


def test_function_of_a_data_pipeline_is_looked_at(tmp_path):
    def act(images):
        numbers = tf.data.Dataset.from_tensors("canary")
        return numbers.map(tf.io.read_file).get_single_element()

    refused(save_model(tmp_path / "model", act), "the operation ReadFile")
