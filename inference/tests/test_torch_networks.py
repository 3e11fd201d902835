"""The networks in torch: on CUDA in bfloat16 with the same answers."""

import numpy as np
import pytest
import torch

from inference import registry, runtime, torch_networks
from inference.networks.garment_net import normalise
from inference.preprocess import decode, resize_crop, whole
from inference.runtime import Model
from inference.specs import find
from inference.tests.photos import DEMO
from inference.torch_networks import TorchNetwork

SPEC = find("kalas-mini@6")


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
    model: Model = runtime.open_model("kalas-mini@6", device="cuda")

    assert (model.device, model.runtime[:5]) == ("cuda", "torch")
    assert_says_the_same(model.garments(crops), exact)


def test_sees_pixels_as_training_does(crops, exact):
    images = torch.from_numpy(crops).permute(0, 3, 1, 2)

    answer = registry.build("kalas-mini@6")(normalise(images))

    for seen, served in zip(answer, exact, strict=True):
        assert np.allclose(seen.numpy(), served, atol=1e-5)


def test_a_network_in_training_serves_as_a_model(crops, exact):
    model = torch_networks.wrap(registry.build("kalas-mini@6"), SPEC, device="cpu")

    assert np.allclose(model.garments(crops)[0], exact[0], atol=1e-4)
