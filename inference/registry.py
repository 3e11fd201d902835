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
        genders=len(names.genders),
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
            sha256="b658da5c6b2b201569a2f3728f6bba05176ddfcdefd3bb7377667615bb383050",
            taxonomy="kalas-1",
            input_size=(80, 60),
            mean=MEAN,
            std=STD,
            temperature=1.0,
            source="trained from random weights by `manage.py train` on the data below",
            licence="Apache-2.0",
            data=(
                "Fashion Product Images (small), P. Aggarwal, Kaggle: MIT",
                "Clothing dataset, A. Grigorev and contributors: CC0",
                "Clothing Co-Parsing (backgrounds only), Yang, Luo, Lin, CVPR 2014: Apache-2.0",
            ),
            metrics={},
        ),
    ),
}
