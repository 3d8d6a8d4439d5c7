"""A served encoder: by REST and gRPC, with the errors of both."""

import gc

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from tests.vpr_tf.extraction.engines.serving_stand_in import SERVERS, StandIn
from tests.vpr_tf.extraction.hostile_models import save_model
from vpr_tf.config import Preprocessing
from vpr_tf.engine_choice import using_engine
from vpr_tf.extraction import EncoderError, FeatureExtractor, load_extractor
from vpr_tf.extraction.engines import remote
from vpr_tf.extraction.engines.serving_messages import predict_request
from vpr_tf.extraction.errors import ImageSizeError
from vpr_tf.extraction.saved_encoder import SavedEncoder
from vpr_tf.extraction.served_address import ServedAddress

PIXELS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)


class MeanColour:
    """An encoder of three numbers."""

    descriptor_dim = 3
    fingerprint = "mean colour"

    def __call__(self, images, training=False):
        means = tf.reduce_mean(tf.convert_to_tensor(images), axis=(1, 2))
        return tf.linalg.l2_normalize(means, axis=1)


@pytest.fixture(autouse=True)
def no_waits(monkeypatch):
    monkeypatch.setattr(remote, "_WAITS_S", (0.0, 0.0))


@pytest.fixture
def stand_in():
    return StandIn(MeanColour())


@pytest.fixture(params=SERVERS)
def url(request, stand_in):
    serve, form = SERVERS[request.param]
    with serve(stand_in) as authority:
        yield form.format(authority, "city")


def extractor_at(url, encoder=None):
    with using_engine(encoder_url=url):
        return FeatureExtractor(encoder or MeanColour())


def test_descriptors_are_those_of_this_machine(url, stand_in, monkeypatch):
    extractor = extractor_at(url)
    assert extractor.engine == "remote"
    photos = [PIXELS] * 5
    expected = FeatureExtractor(MeanColour()).extract(photos)
    np.testing.assert_allclose(extractor.extract(photos), expected, atol=1e-6)
    assert stand_in.batches == [(1, 224, 224, 3), (5, 20, 30, 3)]
    monkeypatch.setattr(remote, "_MOST_REQUEST_BYTES", 2 * PIXELS.size * 4)
    np.testing.assert_allclose(extractor.extract(photos), expected, atol=1e-6)
    assert max(batch for batch, *_ in stand_in.batches[2:]) < 5
    extractor_at(f"{url}/versions/1").forward()


def test_a_saved_model_that_is_served_is_itself(url, stand_in, tmp_path):
    folder = save_model(tmp_path / "1")
    stand_in.describe = lambda images: SavedEncoder(folder)(images).numpy()
    expected = load_extractor(model=folder).extract([PIXELS])
    with using_engine(encoder_url=url):
        extractor = load_extractor(model=folder)
    np.testing.assert_allclose(extractor.extract([PIXELS]), expected, atol=1e-6)
    assert stand_in.batches == [(1, 16, 16, 3)] * 2


def test_a_server_that_starts_is_waited_for(url, stand_in):
    stand_in.num_down = 2
    assert extractor_at(url).extract([PIXELS]).shape == (1, 3)
    stand_in.num_down = 9
    with pytest.raises(EncoderError, match=r"does not answer, after 3 tries: .*load"):
        extractor_at(url).extract([PIXELS])


def test_what_is_not_served_is_named(url):
    for other in (f"{url}/versions/2", url.replace("city", "town")):
        with pytest.raises(
            EncoderError,
            match=r"^The server at .* serves no model (city/versions/2|town)",
        ):
            extractor_at(other).forward()


def test_another_encoder_is_refused(url, stand_in):
    stand_in.describe = lambda images: MeanColour()(images).numpy()[:, ::-1]
    with pytest.raises(EncoderError, match="Received another"):
        extractor_at(url).forward()
    stand_in.describe = lambda images: np.zeros((len(images), 4))
    with pytest.raises(EncoderError, match=r"shape \(1, 3\). Received: \(1, 4\)"):
        extractor_at(url).forward()


def test_another_encoder_in_the_midst_is_refused(url, stand_in):
    forward = extractor_at(url).forward()
    images = np.full((8, 9, 9, 3), 0.5, np.float32)
    forward(images)
    stand_in.describe = lambda images: MeanColour()(images).numpy()[:, ::-1]
    with pytest.raises(EncoderError, match="Received another"):
        forward(images)
    stand_in.describe = lambda images: 2 * MeanColour()(images).numpy()
    with pytest.raises(EncoderError, match=r"Received another.* norm 2, must be 1 "):
        forward(images)


def test_images_that_the_server_refuses_are_refused(url, stand_in):
    forward = extractor_at(url).forward()
    describe = stand_in.describe
    stand_in.describe = lambda images: describe(images) if len(images[0]) > 8 else 1 / 0
    with pytest.raises(ImageSizeError, match=r"refuses images of 8x9 pixels.*division"):
        forward(np.zeros((1, 8, 9, 3), np.float32))
    stand_in.describe = lambda images: 1 / 0
    with pytest.raises(
        EncoderError, match=r"must describe images\. .*division"
    ) as caught:
        forward(np.zeros((1, 8, 9, 3), np.float32))
    assert caught.type is EncoderError


@pytest.mark.parametrize(
    "denial",
    [
        (401, grpc.StatusCode.UNAUTHENTICATED),
        (413, grpc.StatusCode.INTERNAL),
    ],
)
def test_a_server_that_fails_is_no_matter_of_size(url, stand_in, denial):
    forward = extractor_at(url).forward()
    stand_in.denial = denial
    with pytest.raises(
        EncoderError, match=r"must describe images\. .*denied"
    ) as caught:
        forward(np.zeros((1, 8, 9, 3), np.float32))
    assert caught.type is EncoderError


@pytest.mark.parametrize(
    "answer",
    [
        b"{}",
        b"[]",
        b"{",
        b"[" * 100_000,
        b'{"predictions": [[' + b"9" * 400 + b"]]}",
        b'{"predictions": {"a": 1}}',
        b"\xff",
    ],
    ids=str,
)
def test_answers_of_other_servers_are_refused(stand_in, answer):
    stand_in.answer = answer
    serve, form = SERVERS["http"]
    with (
        serve(stand_in) as authority,
        pytest.raises(
            EncoderError, match=r"must answer as TF Serving does\. Received: ."
        ),
    ):
        extractor_at(form.format(authority, "city")).forward()


def test_the_channel_is_closed_with_the_extractor(stand_in, monkeypatch):
    closed = []
    connect = grpc.insecure_channel

    def insecure_channel(authority):
        channel = connect(authority)
        close = channel.close
        monkeypatch.setattr(channel, "close", lambda: (closed.append(1), close()))
        return channel

    monkeypatch.setattr(grpc, "insecure_channel", insecure_channel)
    serve, form = SERVERS["grpc"]
    with serve(stand_in) as authority:
        extractor = extractor_at(form.format(authority, "city"))
        extractor.forward()
        assert not closed
        del extractor
        gc.collect()
        assert closed == [1]


@pytest.mark.parametrize("scheme", ["http", "grpc", "https", "grpcs"])
def test_no_server_is_one_error(scheme, monkeypatch):
    monkeypatch.setattr(remote, "_TIMEOUT_S", 2.0)
    path = "v1/models/city" if scheme.startswith("http") else "city"
    with pytest.raises(EncoderError, match="does not answer, after 3 tries"):
        extractor_at(f"{scheme}://127.0.0.1:1/{path}").forward()


def test_a_remote_engine_needs_an_address():
    with pytest.raises(EncoderError, match="Pass --encoder-url"):
        FeatureExtractor(MeanColour(), engine="remote").forward()
    with (
        using_engine(encoder_url="http://h:1/v1/models/x"),
        pytest.raises(EncoderError, match="computes in float32"),
    ):
        FeatureExtractor(MeanColour(), Preprocessing(precision="mixed_bfloat16"))


def test_tensors_are_those_of_tensorflow():
    array = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    request = predict_request("city", 7, "descriptors", {"images": array})
    tensor = tensor_pb2.TensorProto.FromString(
        request.inputs["images"].SerializeToString()
    )
    np.testing.assert_array_equal(tf.make_ndarray(tensor), array)


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8501/v1/models/city",
        "http://localhost:8501/city",
        "http://user@localhost:8501/v1/models/city",
        "http://localhost:8501/v1/models/city?x=1",
        "http://localhost:8501/v1/models/../city",
        "http://localhost:8501/v1/models/citt\u00e0",
        "http://localhost:8501/v1/models/city/versions/\u0661",
        "grpc://localhost/city",
        "grpc://localhost:8500/v1/models/city",
        "grpc://localhost:99999/city",
        "file:///etc/passwd",
    ],
)
def test_other_addresses_are_refused(url):
    with pytest.raises(EncoderError, match="address of a served encoder must be"):
        ServedAddress.parse(url)


def test_addresses_are_read():
    address = ServedAddress.parse("https://[::1]/v1/models/a.b-c/versions/12")
    assert address == ServedAddress("http", True, "::1", 443, "a.b-c", 12)
    assert str(address) == "https://[::1]:443/v1/models/a.b-c/versions/12"
