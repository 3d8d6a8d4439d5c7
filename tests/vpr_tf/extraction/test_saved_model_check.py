"""SavedModels of strangers: what could touch a file is refused before it is loaded."""

import re
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.python.framework import op_def_registry

from tests.vpr_tf.extraction.hostile_models import IMAGES, edited, save_model, writer_of
from vpr_tf.extraction.errors import UntrustedModelError
from vpr_tf.extraction.saved_encoder import SavedEncoder
from vpr_tf.extraction.saved_model_check import check_saved_model, faults_of
from vpr_tf.extraction.saved_model_operations import COMPUTING, SAVING
from vpr_tf.stored_paths import StoredPathError
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


def refused(folder, *what):
    """Sees that a model is refused with one line that says what and which."""
    with pytest.raises(UntrustedModelError) as caught:
        SavedEncoder(folder)
    message = str(caught.value)
    assert "\n" not in message
    for word in (str(folder), *what):
        assert word in message
    return message


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


def saver_of(content, kind):
    functions = content.meta_graphs[0].graph_def.library.function
    return next(f for f in functions if f"traced_{kind}" in f.signature.name)


def calls_of(content):
    graph = content.meta_graphs[0].graph_def
    calls = [node for node in graph.node if "PartitionedCall" in node.op]
    for function in graph.library.function:
        calls += [node for node in function.node_def if "PartitionedCall" in node.op]
    return calls


@pytest.mark.parametrize("kind", ["save", "restore"])
def test_saver_may_not_be_called_by_a_signature(honest, kind):
    with edited(honest) as content:
        name = saver_of(content, kind).signature.name
        for call in calls_of(content):
            call.attr["f"].func.name = name
    refused(honest, f"the operation {kind.title()}V2")


@pytest.mark.parametrize("kind", ["save", "restore"])
def test_saver_may_not_belong_to_an_object(honest, kind):
    with edited(honest) as content:
        name = saver_of(content, kind).signature.name
        node = content.meta_graphs[0].object_graph_def.nodes.add()
        node.bare_concrete_function.concrete_function_name = name
    refused(honest, f"the operation {kind.title()}V2")


def test_saver_may_not_hide_in_an_attribute_of_an_attribute(honest):
    with edited(honest) as content:
        name = saver_of(content, "save").signature.name
        for call in calls_of(content):
            call.attr["f"].func.attr["g"].list.func.add().name = name
    refused(honest, "the operation SaveV2")


def test_saver_may_not_be_a_gradient(honest):
    with edited(honest) as content:
        library = content.meta_graphs[0].graph_def.library
        gradient = library.registered_gradients.add()
        gradient.gradient_func = saver_of(content, "save").signature.name
    refused(honest, "the operation SaveV2")


def swap_operation(content):
    """Gives an operation of the library another name."""
    library = content.meta_graphs[0].graph_def.library
    nodes = [node for function in library.function for node in function.node_def]
    next(node for node in nodes if node.op == "Mean").op = "WriteFile"


def shadow_operation(content):
    """A function with the name of an operation that writes."""
    swap_operation(content)
    library = content.meta_graphs[0].graph_def.library
    library.function.add().signature.name = "WriteFile"


def double_function(content):
    library = content.meta_graphs[0].graph_def.library
    library.function.add().CopyFrom(library.function[0])


def replace_function(content):
    library = content.meta_graphs[0].graph_def.library
    library.function[0].attr["api_implements"].s = b"other"


def add_graph(content):
    content.meta_graphs.add().graph_def.node.add().op = "WriteFile"


def drop_objects(content):
    content.meta_graphs[0].ClearField("object_graph_def")


def register_object(content):
    content.meta_graphs[0].object_graph_def.nodes[0].registered_name = "Own.Class"


def register_saver(content):
    content.meta_graphs[0].object_graph_def.nodes[0].registered_saver.name = "own"


def make_optimizer(content):
    node = content.meta_graphs[0].object_graph_def.nodes[0]
    node.user_object.identifier = "optimizer"


def make_slot(content):
    content.meta_graphs[0].object_graph_def.nodes[0].slot_variables.add()


def name_asset(content):
    content.meta_graphs[0].asset_file_def.add().filename = "../../secret"


def make_handle(content):
    library = content.meta_graphs[0].graph_def.library
    nodes = [node for function in library.function for node in function.node_def]
    constant = next(node for node in nodes if node.op == "Const")
    constant.attr["value"].tensor.dtype = types_pb2.DT_RESOURCE


EDITS = {
    "the operation WriteFile": swap_operation,
    "a second meaning of WriteFile": shadow_operation,
    "a second meaning of": double_function,
    "a function with api_implements": replace_function,
    "2 graphs instead of one": add_graph,
    "1 graphs instead of one": drop_objects,
    "an object of the kind Own.Class": register_object,
    "an object of the kind optimizer": make_optimizer,
    "an optimizer": make_slot,
    "the file ../../secret": name_asset,
    "a constant that stands for a thing of this process": make_handle,
}


@pytest.mark.parametrize("fault", EDITS)
def test_edited_graph_is_refused(honest, fault):
    with edited(honest) as content:
        EDITS[fault](content)
    refused(honest, fault)


def test_operation_of_a_second_graph_is_named(honest):
    with edited(honest) as content:
        add_graph(content)
    refused(honest, "the operation WriteFile")


def test_foreign_names_stay_on_one_line(honest):
    with edited(honest) as content:
        library = content.meta_graphs[0].graph_def.library
        library.function[0].node_def.add().op = "a\nb\x1b[2J" * 50
    refused(honest, r"the operation a\nb\x1b[2J")


@pytest.mark.parametrize(
    "name", ["saved_model.pb", "variables", "variables/variables.index", "assets"]
)
def test_links_are_not_followed(honest, tmp_path, name):
    (honest / name).rename(tmp_path / "elsewhere")
    (honest / name).symlink_to(tmp_path / "elsewhere")
    with trusting_models(), pytest.raises(StoredPathError, match="symbolic link"):
        check_saved_model(honest)


@pytest.mark.parametrize("content", [b"", b"no graph", b"\xff" * 100])
def test_damaged_graph_is_one_clear_error(honest, content):
    (honest / "saved_model.pb").write_bytes(content)
    refused(honest)


def test_huge_graph_is_not_read(honest):
    with (honest / "saved_model.pb").open("r+b") as file:
        file.truncate(1 << 40)
    refused(honest, "must have at most 512 MiB")


def test_variables_larger_than_their_file_are_refused(honest, tmp_path):
    prefix = str(tmp_path / "large")
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=["shift"],
        shape_and_slices=[""],
        tensors=[tf.zeros(1000)],
    )
    (tmp_path / "large.index").replace(honest / "variables" / "variables.index")
    refused_by = pytest.raises(UntrustedModelError, match=r"4,000 bytes\. Received")
    with refused_by:
        SavedEncoder(honest)


def test_damaged_variables_are_one_clear_error(honest):
    (honest / "variables" / "variables.index").write_bytes(b"damaged")
    with pytest.raises(UntrustedModelError, match="is damaged"):
        SavedEncoder(honest)


def test_damage_that_only_tensorflow_sees_is_one_clear_error(honest):
    with edited(honest) as content:
        content.meta_graphs[0].object_graph_def.nodes[0].children[0].node_id = 999
    with pytest.raises(ValueError, match=r"model is damaged: .* Copy or export") as e:
        SavedEncoder(honest)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("name", ["descriptors", "other"])
def test_descriptors_of_no_known_length_are_refused(honest, name):
    describe = tf.function(lambda images: {name: tf.reduce_mean(images)})
    signature = describe.get_concrete_function(IMAGES)
    tf.saved_model.save(tf.Module(), str(honest), signatures={"descriptors": signature})
    with pytest.raises(ValueError, match=r"of the shape \(batch, descriptor_dim\)"):
        SavedEncoder(honest)
