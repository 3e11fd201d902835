"""The networks in torch: on CUDA in bfloat16 with the same answers."""

import numpy as np
import pytest
import torch

from inference import registry, runtime, torch_networks
from inference.networks.garment_finder import GarmentFinder
from inference.networks.garment_net import normalise
from inference.preprocess import decode, resize_crop, whole
from inference.runtime import Model
from inference.specs import find
from inference.tests.photos import DEMO
from inference.torch_networks import TorchNetwork

SPEC = find("kalas-mini@2")


@pytest.fixture(scope="module")
def crops():
    images = [decode(path.read_bytes()) for path in sorted(DEMO.glob("*.jpg"))[:40:5]]
    return np.stack([resize_crop(image, whole(image), SPEC.input_size) for image in images])


@pytest.fixture(scope="module")
def exact(crops) -> list[np.ndarray]:
    return list(torch_networks.open_model(SPEC, device="cpu").garments(crops))


def assert_says_the_same(found, exact) -> None:
    assert (found[0].argmax(axis=1) == exact[0].argmax(axis=1)).all()
    # Cosines of the embeddings.
    assert (np.sum(found[1] * exact[1], axis=1) > 0.995).all()


def test_says_the_same_in_bfloat16(crops, exact):
    module = torch_networks.build_parts(SPEC)["garments"]

    found = TorchNetwork(module, device="cpu", short=True)(crops)

    assert found[0].dtype == np.float32
    assert_says_the_same(found, exact)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_says_the_same_on_cuda(crops, exact):
    model: Model = runtime.open_model("kalas-mini@2", device="cuda")

    assert (model.device, model.runtime[:5]) == ("cuda", "torch")
    assert_says_the_same(model.garments(crops), exact)


def test_sees_pixels_as_training_does(crops, exact):
    images = torch.from_numpy(crops).permute(0, 3, 1, 2)

    answer = torch_networks.FromBothSides(registry.build("kalas-mini@2"))(normalise(images))

    for seen, served in zip(answer, exact, strict=True):
        assert np.allclose(seen.numpy(), served, atol=1e-5)


def test_a_network_in_training_serves_as_a_model(crops, exact):
    model = torch_networks.wrap(registry.build("kalas-mini@2"), SPEC, device="cpu")

    assert np.allclose(model.garments(crops)[0], exact[0], atol=1e-4)


def test_finds_the_same_in_a_mirrored_photo_mirrored():
    finder = torch_networks.FindFromBothSides(GarmentFinder()).eval().requires_grad_(False)
    photos = torch.rand(2, 3, 64, 32, generator=torch.Generator().manual_seed(1))
    for name, buffer in finder.named_buffers():
        if name.endswith("running_mean"):
            buffer.normal_(generator=torch.Generator().manual_seed(2))

    maps, mirrored = finder(photos), finder(photos.flip(3))

    for each, other in ((maps.heat, mirrored.heat), (maps.segments, mirrored.segments)):
        torch.testing.assert_close(each, other.flip(3))
    there = mirrored.edges.flip(3).unflatten(1, (-1, 4))
    for own, its in enumerate((2, 1, 0, 3)):
        torch.testing.assert_close(maps.edges.unflatten(1, (-1, 4))[:, :, own], there[:, :, its])
