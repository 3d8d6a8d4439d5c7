import json

import numpy as np
import pytest

from tests.vpr_tf.models.file_server import file_server
from tests.vpr_tf.models.released_stand_in import (
    NAME,
    cosplace_bytes,
    random_encoder,
    released_at,
)
from tests.vpr_tf.models.torch_weights.legacy_pth_files import fake_torch
from vpr_tf.config import EncoderConfig
from vpr_tf.models import GeoLocalizationNet, build_encoder
from vpr_tf.models.conversion import save_verified
from vpr_tf.models.pretrained import load_released


@pytest.fixture(scope="module")
def original():
    return random_encoder()


@pytest.fixture(scope="module")
def pth(original):
    with pytest.MonkeyPatch.context() as monkeypatch:
        fake_torch(monkeypatch)
        return cosplace_bytes(original)


@pytest.fixture
def server(pth, monkeypatch, tmp_path):
    with file_server() as server:
        server.files["/ResNet18_32_cosplace.pth"] = pth
        released_at(monkeypatch, f"{server.url}/ResNet18_32_cosplace.pth")
        monkeypatch.setenv("VPR_TF_CACHE", str(tmp_path / "cache"))
        yield server


def assert_same_weights(model, other):
    for ours, theirs in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_first_use_downloads_and_later_ones_need_no_network(
    server, original, tmp_path, capsys
):
    first = GeoLocalizationNet.from_pretrained(NAME)
    assert_same_weights(first, original)
    assert "cosplace_resnet18_32.pth" in capsys.readouterr().err
    record = json.loads((tmp_path / "cache/converted" / f"{NAME}.json").read_text())
    assert record["source_url"].startswith(server.url)
    server.files.clear()
    second = GeoLocalizationNet.from_pretrained(
        NAME,
        train_from_stage=3,
        bn_mode="keras",
        dtype="mixed_bfloat16",
        image_shape=(64, 96, 3),
    )
    assert_same_weights(second, original)
    assert second.train_from_stage == 3
    assert second.bn_mode == "keras"
    assert second.backbone_dtype_policy.name == "mixed_bfloat16"
    assert second.input_shape == (None, 64, 96, 3)
    assert len(server.requests) == 1


def test_config_names_released_weights(server, original, tmp_path):
    model = build_encoder(EncoderConfig("ResNet18", 32, weights=NAME))
    assert_same_weights(model, original)
    assert model.train_from_stage == 3
    # A damaged converted file is made anew from the download.
    converted = tmp_path / "cache/converted" / f"{NAME}.keras"
    converted.write_bytes(converted.read_bytes()[:-100])
    assert_same_weights(
        build_encoder(EncoderConfig("ResNet18", 32, weights=NAME)), original
    )
    assert len(server.requests) == 1


def test_other_architecture_names_the_fields(server):
    model = GeoLocalizationNet(
        "EfficientNetLite0", 16, aggregation={"name": "gem", "p": 2.0}, whitening_dim=8
    )
    with pytest.raises(ValueError, match="are of another encoder") as error:
        load_released(model, NAME)
    lines = str(error.value).splitlines()[1:]
    assert [line.split(":")[0].strip() for line in lines] == [
        "encoder.backbone",
        "encoder.aggregation",
        "encoder.descriptor_dim",
        "encoder.whitening_dim",
    ]
    assert server.requests == []


def test_without_network_the_error_names_the_way(server):
    server.files.clear()
    with pytest.raises(ConnectionError, match=r"404.*vpr convert"):
        GeoLocalizationNet.from_pretrained(NAME)


def test_release_without_address_names_the_way(tmp_path):
    with pytest.raises(ConnectionError, match="--name mixvpr_resnet50_512 --output"):
        GeoLocalizationNet.from_pretrained("mixvpr_resnet50_512", cache_dir=tmp_path)


def test_file_that_is_no_checkpoint_is_not_kept(server, tmp_path):
    server.files["/ResNet18_32_cosplace.pth"] = b"not weights at all"
    with pytest.raises(ValueError, match="checkpoint"):
        GeoLocalizationNet.from_pretrained(NAME)
    downloads = tmp_path / "cache" / "downloads"
    assert [p.name for p in downloads.iterdir()] == [f"{NAME}.pth.lock"]
    assert not (tmp_path / "cache" / "converted").exists()


def test_weights_of_another_width_list_the_differences(server, monkeypatch):
    fake_torch(monkeypatch)
    server.files["/ResNet18_32_cosplace.pth"] = cosplace_bytes(random_encoder(16))
    pattern = r"aggregation\.3\.bias: shape \(16,\), expected \(32,\)"
    with pytest.raises(ValueError, match=pattern):
        GeoLocalizationNet.from_pretrained(NAME)


def test_wrong_checksum_is_refused(server, monkeypatch):
    url = f"{server.url}/ResNet18_32_cosplace.pth"
    released_at(monkeypatch, url, sha256="0" * 64)
    with pytest.raises(ValueError, match="must have the sha256"):
        GeoLocalizationNet.from_pretrained(NAME)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_not_saved(tmp_path, value):
    model = random_encoder(8)
    model.get_layer("projection").bias.assign(np.full(8, value, "f4"))
    with pytest.raises(ValueError, match="projection/bias holds NaN"):
        save_verified(model, tmp_path / "a.keras")
    assert list(tmp_path.iterdir()) == []
