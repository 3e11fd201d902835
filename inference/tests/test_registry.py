from pathlib import Path

import numpy as np
import pytest
import torch

from inference import registry, specs, taxonomy
from inference.networks.garment_net import GarmentNet, normalise
from inference.preprocess import decode, resize_crop, whole
from inference.specs import UnknownModel

DEMO = Path(__file__).parents[2] / "annotations" / "demo_photos"

MEANT = {
    "dress": {"dress"},
    "hat": {"hat"},
    "pants": {"trousers", "jeans", "joggers", "leggings"},
    "polo": {"polo", "t-shirt"},
    "shirt": {"shirt"},
    "t-shirt": {"t-shirt", "polo"},
    "shorts": {"shorts"},
}
"""What is right for a demo photo, by the label in its file name."""


@pytest.fixture(scope="module")
def network() -> GarmentNet:
    return registry.build("kalas-mini")


def crops(paths: list[Path]) -> torch.Tensor:
    size = specs.find("kalas-mini").input_size
    images = [decode(path.read_bytes()) for path in paths]
    views = np.stack([resize_crop(image, whole(image), size) for image in images])
    return torch.from_numpy(views).permute(0, 3, 1, 2)


def test_describes_the_shipped_weights():
    spec = specs.find("kalas-mini")

    assert spec.taxonomy == taxonomy.load().version
    assert spec.path.stat().st_size <= 25 * 1024 * 1024
    assert spec.metrics["fpi category top-1"] >= 0.85
    assert spec.metrics["fpi category top-5"] >= 0.98


def test_refuses_an_unknown_model():
    with pytest.raises(UnknownModel, match="kalas-mini"):
        registry.build("kalas-maxi")


@torch.inference_mode()
def test_answers_most_demo_photos_rightly(network):
    photos = [(p, m) for label, m in MEANT.items() for p in sorted(DEMO.glob(f"*-{label}-*.jpg"))]
    order = specs.find("kalas-mini").labels

    best = network(normalise(crops([path for path, _ in photos]))).category.argmax(dim=1)

    assert len(photos) >= 20
    right = sum(order[int(i)] in meant for i, (_, meant) in zip(best, photos, strict=True))
    assert right / len(photos) >= 0.7


@torch.inference_mode()
def test_abstains_from_a_plain_ground(network):
    grey = torch.full((1, 3, 80, 60), 128, dtype=torch.uint8)

    best = int(network(normalise(grey)).category.argmax())

    assert specs.find("kalas-mini").labels[best] == taxonomy.load().abstention


@torch.inference_mode()
def test_gives_unit_embeddings_of_at_most_256_numbers(network):
    embedding = network(normalise(crops(sorted(DEMO.glob("*.jpg"))[:4]))).embedding

    assert embedding.shape == (4, 256)
    assert torch.allclose(embedding.norm(dim=1), torch.ones(4), atol=1e-5)


@torch.inference_mode()
def test_answers_a_batch_as_it_answers_each_photo(network):
    images = normalise(crops(sorted(DEMO.glob("*.jpg"))[:8]))

    together = network(images)
    each = [network(image[None]) for image in images]

    for part, apart in zip(together, zip(*each, strict=True), strict=True):
        assert torch.allclose(part, torch.cat(apart), atol=1e-4)


@torch.inference_mode()
def test_finds_a_changed_view_of_a_photo_nearest(network):
    paths = sorted(DEMO.glob("*.jpg"))[:40]
    images = crops(paths)
    darker = (images.flip(3).float() * 0.9).to(torch.uint8)

    gallery = network(normalise(images)).embedding
    queries = network(normalise(darker)).embedding

    nearest = (queries @ gallery.T).argmax(dim=1)
    assert (nearest == torch.arange(len(paths))).float().mean() >= 0.9
