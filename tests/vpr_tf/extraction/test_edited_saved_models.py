"""SavedModels whose files were changed: by hand, by accident, or to lead elsewhere."""

import pytest
import tensorflow as tf
from tensorflow.core.framework import types_pb2

from tests.vpr_tf.extraction.hostile_models import (
    IMAGES,
    edited,
    refused,
    save_model,
)
from vpr_tf.extraction.errors import UntrustedModelError
from vpr_tf.extraction.saved_encoder import SavedEncoder
from vpr_tf.extraction.saved_model_check import check_saved_model
from vpr_tf.stored_paths import StoredPathError
from vpr_tf.trusted_models import trusting_models


@pytest.fixture
def honest(tmp_path):
    return save_model(tmp_path / "model")


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


@pytest.mark.parametrize("kept", [slice(0), slice(60), slice(8, None)])
def test_damaged_variables_are_one_clear_error(honest, kept):
    index = honest / "variables" / "variables.index"
    index.write_bytes(index.read_bytes()[kept])
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
