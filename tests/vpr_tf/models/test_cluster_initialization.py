import keras
import numpy as np
import pytest

from vpr_tf.models import GeoLocalizationNet, initialize_clusters, needs_clusters


def make_encoder(aggregation, **arguments):
    keras.utils.set_random_seed(0)
    return GeoLocalizationNet(
        "EfficientNetLite0", None, aggregation=aggregation, last_stage=0, **arguments
    )


def image_batches(*shapes):
    rng = np.random.default_rng(0)
    return [rng.random((*shape, 3), "float32") for shape in shapes]


@pytest.fixture(scope="module")
def fresh_encoder():
    return make_encoder({"name": "netvlad", "num_clusters": 3})


@pytest.fixture
def encoder(fresh_encoder):
    weights = fresh_encoder.get_weights()
    yield fresh_encoder
    fresh_encoder.set_weights(weights)


def test_clusters_are_means_of_the_local_features_nearest_to_them(encoder):
    batches = image_batches((2, 12, 16), (3, 8, 8))
    assert needs_clusters(encoder)
    assert initialize_clusters(encoder, batches) == 2 * 48 + 3 * 16
    assert not needs_clusters(encoder)
    features = np.concatenate(
        [
            encoder.feature_extractor()(images).numpy().reshape(-1, 32)
            for images in batches
        ]
    )
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    centroids = encoder.get_layer("aggregation").centroids.numpy()
    distances = np.linalg.norm(features[:, None] - centroids[None], axis=2)
    nearest = distances.argmin(axis=1)
    for cluster in range(3):
        mean = features[nearest == cluster].mean(axis=0)
        np.testing.assert_allclose(centroids[cluster], mean, atol=1e-4)


def test_the_same_seed_gives_the_same_bytes(encoder):
    start = encoder.get_weights()

    def clusters(seed):
        encoder.set_weights(start)
        batches = image_batches((4, 12, 16))
        initialize_clusters(encoder, batches, seed=seed, features_per_image=10)
        return encoder.get_layer("aggregation").centroids.numpy()

    np.testing.assert_array_equal(clusters(1), clusters(1))
    assert not np.array_equal(clusters(1), clusters(2))


def test_reading_stops_when_there_are_enough_features(encoder):
    read = []

    def batches():
        for images in image_batches((2, 8, 8), (2, 8, 8), (2, 8, 8), (2, 8, 8)):
            read.append(len(images))
            yield images

    number = initialize_clusters(
        encoder, batches(), max_features=25, features_per_image=10
    )
    assert number == 25
    assert read == [2, 2]


@pytest.mark.parametrize("normalize_features", [True, False])
def test_features_are_those_that_the_layer_gets(normalize_features):
    model = make_encoder(
        {
            **{"name": "netvlad", "num_clusters": 3, "normalize_input": False},
            "normalize_features": normalize_features,
        }
    )
    (images,) = image_batches((2, 12, 16))
    initialize_clusters(model, [images])
    features = model.feature_extractor()(images).numpy().reshape(-1, 32)
    if normalize_features:
        features /= np.linalg.norm(features, axis=1, keepdims=True)
    centroids = model.get_layer("aggregation").centroids.numpy()
    distances = np.linalg.norm(features[:, None] - centroids[None], axis=2)
    nearest = centroids[distances.argmin(axis=1)]
    np.testing.assert_allclose(nearest.mean(axis=0), features.mean(axis=0), atol=1e-5)


def test_clusters_are_kept_in_files(encoder, tmp_path):
    initialize_clusters(encoder, image_batches((2, 12, 16)))
    encoder.save(tmp_path / "encoder.keras")
    assert not needs_clusters(keras.saving.load_model(tmp_path / "encoder.keras"))


def test_other_aggregations_have_no_clusters():
    model = make_encoder("gem")
    assert not needs_clusters(model)
    with pytest.raises(ValueError, match=r"Only NetVLAD.*GeneralizedMeanPooling2D"):
        initialize_clusters(model, image_batches((2, 12, 16)))


def test_too_few_features_are_refused(encoder):
    with pytest.raises(ValueError, match="Received: no batch"):
        initialize_clusters(encoder, [])
    with pytest.raises(ValueError, match="3 clusters need as many different features"):
        initialize_clusters(encoder, [np.zeros((2, 1, 1, 3), "float32")])
    assert needs_clusters(encoder)
