"""The models that Kalas ships: name → how to build the network, and its weights."""

from collections.abc import Callable

import torch

from inference import taxonomy, weights
from inference.networks.garment_net import MEAN, STD, GarmentNet
from inference.weights import WeightsSpec


class UnknownModel(KeyError):
    """No model of that name is shipped."""


def build(name: str, *, device: torch.device | str = "cpu") -> GarmentNet:
    """The trained network in evaluation mode. Raises UnknownModel, weights.BadWeights."""
    network = build_untrained(name)
    network.load_state_dict(weights.load(spec(name)))
    return prepare(network, device=device)


def prepare(network: GarmentNet, *, device: torch.device | str) -> GarmentNet:
    """On the device, ready to answer; convolutions are faster with the channels last."""
    network.to(device).to(memory_format=torch.channels_last)
    return network.eval().requires_grad_(False)


def build_untrained(name: str) -> GarmentNet:
    """The network with random weights, where training starts. Raises UnknownModel."""
    return _entry(name)[0]()


def spec(name: str) -> WeightsSpec:
    """Raises UnknownModel."""
    return _entry(name)[1]


def _entry(name: str) -> tuple[Callable[[], GarmentNet], WeightsSpec]:
    try:
        return MODELS[name]
    except KeyError as error:
        raise UnknownModel(f"{name}; there are {', '.join(MODELS)}") from error


def _build_kalas_mini() -> GarmentNet:
    names = taxonomy.load()
    return GarmentNet(
        labels=len(names.label_order),
        colours=len(names.colour_families),
        attributes=len(names.genders),
        widths=(48, 96, 192, 384),
        depths=(1, 2, 2, 1),
    )


MODELS: dict[str, tuple[Callable[[], GarmentNet], WeightsSpec]] = {
    "kalas-mini": (
        _build_kalas_mini,
        WeightsSpec(
            name="kalas-mini",
            version="1",
            file="kalas-mini-1.safetensors",
            sha256="2eb6a12e9581c306c2891b12efa4b9e0f7d452c0786aa0fb4cb3eb12df3d0cf9",
            taxonomy="kalas-1",
            input_size=(80, 60),
            mean=MEAN,
            std=STD,
            temperature=0.7528,
            source="trained from random weights by `manage.py train` on the data below",
            licence="Apache-2.0",
            data=(
                "Fashion Product Images (small), P. Aggarwal, Kaggle: MIT",
                "Clothing dataset, A. Grigorev and contributors: CC0",
                "Clothing Co-Parsing (backgrounds only), Yang, Luo, Lin, CVPR 2014: Apache-2.0",
            ),
            metrics={
                "category top-1": 0.8493,
                "category top-5": 0.9903,
                "fpi category top-1": 0.8565,
                "fpi category top-5": 0.9923,
                "clothing category top-1": 0.7862,
                "clothing category top-5": 0.9724,
                "garment or not": 0.9938,
                "calibration error": 0.0154,
            },
        ),
    ),
}
