"""The networks of the models that Kalas ships: built as their weights' descriptions say."""

from collections.abc import Callable

import torch

from inference import specs, taxonomy, weights
from inference.detection import DETAILS, SIZE
from inference.networks.garment_finder import GarmentFinder
from inference.networks.garment_net import GarmentNet
from inference.networks.superpoint import SuperPoint
from inference.networks.text_net import TextNet
from inference.specs import BadWeights, UnknownModel, WeightsSpec


def build(choice: str, *, device: torch.device | str = "cpu") -> GarmentNet:
    """The trained network in evaluation mode. Raises UnknownModel, BadWeights."""
    return build_described(specs.find(choice), device=device)


def build_described(spec: WeightsSpec, *, device: torch.device | str = "cpu") -> GarmentNet:
    """The network that the description says, with its weights. Raises BadWeights."""
    network = GarmentNet(
        labels=len(spec.labels),
        colours=len(spec.colour_families),
        attributes=spec.attribute_values,
        widths=spec.widths,
        depths=spec.depths,
        colour_hidden=spec.colour_hidden,
    )
    network.load_state_dict(weights.load(spec))
    return prepare(network, device=device)


def build_words(spec: WeightsSpec) -> TextNet:
    """Raises BadWeights."""
    network = TextNet()
    network.load_state_dict(weights.load(spec))
    return network.eval().requires_grad_(False)


def build_finder(spec: WeightsSpec) -> GarmentFinder:
    """Raises BadWeights."""
    if spec.labels != DETAILS or spec.input_size != SIZE:
        raise BadWeights(f"{spec.choice} sees or finds other things than this Kalas reads.")
    path, head = spec.neck
    network = GarmentFinder(widths=spec.widths, depths=spec.depths, path=path, head=head)
    network.load_state_dict(weights.load(spec))
    network.to(memory_format=torch.channels_last)
    return network.eval().requires_grad_(False)


def build_points(spec: WeightsSpec) -> SuperPoint:
    """Raises BadWeights."""
    network = SuperPoint()
    if spec.architecture != "superpoint":
        raise BadWeights(f"{spec.choice} is a {spec.architecture}, which finds no key points.")
    try:
        network.load_state_dict(weights.load(spec))
    except RuntimeError as error:
        if isinstance(error, BadWeights):
            raise
        raise BadWeights(f"The weights of {spec.choice} are of another network.") from error
    return network.eval().requires_grad_(False)


def prepare(network: GarmentNet, *, device: torch.device | str) -> GarmentNet:
    """On the device, ready to answer; convolutions are faster with the channels last."""
    network.to(device).to(memory_format=torch.channels_last)
    return network.eval().requires_grad_(False)


def build_untrained(name: str, *, widths: tuple[int, ...] = ()) -> GarmentNet:
    """The network with random weights, where training starts. Raises UnknownModel.

    `widths` of its stages other than its own are a teacher's.
    """
    try:
        build_one = UNTRAINED[name]
    except KeyError as error:
        raise UnknownModel(f"{name}; there are {', '.join(UNTRAINED)}") from error
    return build_one(widths=widths) if widths else build_one()


def _build_kalas_mini(widths: tuple[int, ...] = (48, 96, 192, 384)) -> GarmentNet:
    names = taxonomy.load()
    return GarmentNet(
        labels=len(names.label_order),
        colours=len(names.colour_families),
        attributes=sum(len(values) for _, values in names.attribute_order),
        widths=widths,
        depths=(2, 2, 3, 2),
        colour_hidden=128,
    )


UNTRAINED: dict[str, Callable[..., GarmentNet]] = {"kalas-mini": _build_kalas_mini}
"""What can be trained today, answering today's taxonomy."""
