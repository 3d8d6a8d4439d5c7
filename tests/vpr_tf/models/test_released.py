import pytest

from vpr_tf.models import released_encoder, released_names
from vpr_tf.models.backbones import backbone_spec


def test_counts_of_the_releases():
    names = released_names()
    assert len(set(names)) == len(names)
    counts = {
        "cosplace": 30,
        "eigenplaces": 13,
        "megaloc": 1,
        "boq": 2,
        "salad": 2,
        "supervlad": 2,
        "image": 2,
    }
    for project, count in counts.items():
        assert sum(name.startswith(project) for name in names) == count


@pytest.mark.parametrize(
    ("name", "backbone", "dim", "url"),
    [
        (
            "cosplace_resnet50_2048",
            "ResNet50",
            2048,
            "https://github.com/gmberton/CosPlace/releases/download/v1.0/"
            "ResNet50_2048_cosplace.pth",
        ),
        (
            "eigenplaces_vgg16_512",
            "VGG16",
            512,
            "https://github.com/gmberton/EigenPlaces/releases/download/v1.0/"
            "VGG16_512_eigenplaces.pth",
        ),
        (
            "megaloc",
            "DINOv2_B14",
            8448,
            "https://huggingface.co/gberton/MegaLoc/resolve/main/model.safetensors",
        ),
        ("mixvpr_resnet50_4096", "ResNet50", 4096, None),
        (
            "boq_resnet50_16384",
            "ResNet50",
            16384,
            "https://github.com/amaralibey/Bag-of-Queries/releases/download/v1.0/"
            "resnet50_16384.pth",
        ),
        ("supervlad", "DINOv2_B14", 3072, None),
        ("supervlad_1_cluster", "DINOv2_B14", 768, None),
        ("salad_cliquemining", "DINOv2_B14", 8448, None),
    ],
)
def test_entries(name, backbone, dim, url):
    released = released_encoder(name)
    assert (released.backbone, released.descriptor_dim) == (backbone, dim)
    assert released.url == url


def test_every_entry_names_a_known_backbone_and_a_paper():
    for name in released_names():
        released = released_encoder(name)
        assert backbone_spec(released.backbone).feature_channels > 0
        assert "arXiv:" in released.reference or "NeurIPS" in released.reference
        assert released.file_name.startswith(f"{name}.")


def test_mixvpr_needs_images_of_its_size():
    assert released_encoder("mixvpr_resnet50_128").image_shape == (320, 320, 3)
    assert released_encoder("megaloc").image_shape == (None, None, 3)


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"'cosplace_vgg19_512'.*cosplace_vgg16_64.*"):
        released_encoder("cosplace_vgg19_512")


@pytest.mark.parametrize(
    ("name", "prepared"),
    [
        ("cosplace_resnet18_512", "shorter_side 512, float32"),
        ("mixvpr_resnet50_512", "square 320, float32"),
        ("salad", "square 322, float32"),
        ("megaloc", "square 322, float32"),
        ("boq_resnet50_16384", "square 384, float32"),
        ("boq_dinov2_12288", "square 322, float32"),
    ],
)
def test_a_release_says_how_photos_are_prepared(name, prepared):
    assert str(released_encoder(name).preprocessing) == prepared
