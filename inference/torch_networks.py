"""A model's networks in torch: the reference, what is exported, and what runs on CUDA."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from inference import registry, specs
from inference.networks.garment_net import GarmentNet
from inference.runtime import Array, Floats, Model, Part
from inference.specs import WeightsSpec


class FromPixels(nn.Module):
    """uint8 (N, height, width, 3) RGB → what the network says, as a plain tuple."""

    def __init__(self, network: nn.Module, spec: WeightsSpec) -> None:
        super().__init__()
        self.network = network
        self.mean: Tensor
        self.register_buffer("mean", torch.tensor(spec.mean).view(1, 3, 1, 1))
        self.std: Tensor
        self.register_buffer("std", torch.tensor(spec.std).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        # Pixel by pixel is channels-last already: the permutation copies nothing.
        images = pixels.permute(0, 3, 1, 2).float() / 255
        return tuple(self.network((images - self.mean) / self.std))


class FromWords(nn.Module):
    """(ids, weights) as `encode_words` gives them → the texts' vectors, as a tuple of one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor, weights: Tensor) -> tuple[Tensor]:
        return (self.network(ids, weights),)


class TorchNetwork:
    """Arrays in, arrays out; in bfloat16 where that is fast, which is on CUDA."""

    def __init__(self, module: nn.Module, *, device: str, short: bool | None = None) -> None:
        self._module = module.to(device).eval().requires_grad_(False)
        self._device = torch.device(device)
        self._short = self._device.type == "cuda" if short is None else short

    @torch.inference_mode()
    def __call__(self, *inputs: Array) -> Sequence[Floats]:
        tensors = [torch.from_numpy(np.ascontiguousarray(array)) for array in inputs]
        on_cuda = self._device.type == "cuda"
        if on_cuda:
            tensors = [tensor.pin_memory() for tensor in tensors]
        tensors = [tensor.to(self._device, non_blocking=on_cuda) for tensor in tensors]
        with torch.autocast(self._device.type, dtype=torch.bfloat16, enabled=self._short):
            answers = self._module(*tensors)
        return [cast(Floats, answer.float().cpu().numpy()) for answer in answers]


def open_model(spec: WeightsSpec, *, device: str, reason: str = "") -> Model:
    """Raises UnknownModel, BadWeights."""
    networks = {
        part: TorchNetwork(module, device=device) for part, module in build_parts(spec).items()
    }
    return Model(
        spec=spec,
        garments=networks["garments"],
        words=networks.get("words"),
        finder=networks.get("finder"),
        finder_mirrored=specs.is_finder_mirrored(spec),
        device=device,
        runtime=f"torch {torch.__version__}" + (f" ({reason})" if reason else ""),
    )


def build_parts(spec: WeightsSpec) -> dict[Part, nn.Module]:
    """The modules of a model by part, in evaluation mode. Raises UnknownModel, BadWeights."""
    parts: dict[Part, nn.Module] = {"garments": FromPixels(registry.build_described(spec), spec)}
    if spec.text:
        words = specs.find(spec.text, store=spec.folder)
        parts["words"] = FromWords(registry.build_words(words))
    if spec.finder:
        finder = specs.find(spec.finder, store=spec.folder)
        parts["finder"] = FromPixels(registry.build_finder(finder), finder)
    return {part: module.eval().requires_grad_(False) for part, module in parts.items()}


def wrap(network: GarmentNet, spec: WeightsSpec, *, device: str) -> Model:
    """A GarmentNet as a model of one part, for instance one in training."""
    garments = TorchNetwork(FromPixels(network, spec), device=device)
    return Model(spec, garments, device=device, runtime=f"torch {torch.__version__}")
