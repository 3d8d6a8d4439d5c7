"""SavedModels that look like exports and do something else."""

import contextlib
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from vpr_tf.config import DatasetConfig, EvaluationConfig, ExperimentConfig, save_config
from vpr_tf.extraction.errors import UntrustedModelError
from vpr_tf.extraction.model_source import EXPORTED_CONFIG
from vpr_tf.extraction.saved_encoder import SavedEncoder

CONFIG = ExperimentConfig(
    name="town",
    dataset=DatasetConfig(path="datasets/x"),
    evaluation=EvaluationConfig(resize="square", image_size=16),
)
IMAGES = tf.TensorSpec((None, None, None, 3), tf.float32, name="images")


def save_model(folder: Path, act=None, module=None, **options) -> Path:
    """Writes a SavedModel whose descriptors are the mean colours.

    Args:
        folder: To write.
        act: Called with the images inside the signature: what else the graph does.
        module: Holds more of it.
        options: Of `tf.saved_model.SaveOptions`.
    """
    module = tf.Module() if module is None else module
    module.shift = tf.Variable([0.0, 0.0, 0.0])

    @tf.function(input_signature=[IMAGES])
    def describe(images):
        done = [] if act is None else [act(images)]
        done = [one for one in done if one is not None]
        with tf.control_dependencies(done):
            colours = tf.reduce_mean(images, (1, 2)) + module.shift
        return {"descriptors": tf.math.l2_normalize(colours, 1)}

    tf.saved_model.save(
        module,
        str(folder),
        signatures={"descriptors": describe},
        options=tf.saved_model.SaveOptions(**options),
    )
    (folder / EXPORTED_CONFIG).parent.mkdir()
    save_config(CONFIG, folder / EXPORTED_CONFIG)
    return folder


@contextlib.contextmanager
def edited(folder: Path):
    """Gives the graph of a SavedModel to change."""
    file = folder / "saved_model.pb"
    content = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    yield content
    file.write_bytes(content.SerializeToString())


def writer_of(canary: Path):
    """What writes a file when its graph runs."""
    return lambda images: tf.io.write_file(str(canary), "written")


def refused(folder, *what):
    """Sees that a model is refused with one line that says what and which."""
    with pytest.raises(UntrustedModelError) as caught:
        SavedEncoder(folder)
    message = str(caught.value)
    assert "\n" not in message
    for word in (str(folder), *what):
        assert word in message
    return message
