"""CP-VTON's second half: draw a person in a cloth that was bent to fit (Wang et al. 2018)."""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torchvision.models import vgg


class TriedOn(NamedTuple):
    picture: Tensor
    """(N, 3, 256, 192) in -1..1."""
    composite: Tensor
    """(N, 1, 256, 192): how much of each pixel is the cloth itself, 0..1."""


class UnetBlock(nn.Module):
    """(N, outer, H, W) → (N, outer + `input`, H, W) around an inner block; the outermost's skip
    is left out.

    MMFashion's leaky ReLU works in place, so that what goes past the block is the activated
    tensor: the weights have learnt it so.
    """

    def __init__(
        self, *, outer: int, inner: int, source: int | None = None, inside: "UnetBlock | None"
    ) -> None:
        super().__init__()
        self.outermost = source is not None
        down: list[nn.Module] = [
            nn.Conv2d(outer if source is None else source, inner, 4, stride=2, padding=1)
        ]
        if not self.outermost:
            down.insert(0, nn.LeakyReLU(0.2))
        if inside is not None and not self.outermost:
            down.append(nn.InstanceNorm2d(inner))
        up = [
            nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            nn.Conv2d(inner if inside is None else 2 * inner, outer, 3, padding=1),
            nn.InstanceNorm2d(outer),
        ]
        self.unet = nn.Sequential(*down, *([] if inside is None else [inside]), *up)

    def forward(self, x: Tensor) -> Tensor:
        if self.outermost:
            return cast(Tensor, self.unet(x))
        activated = self.unet[0](x)
        return torch.cat((activated, self.unet[1:](activated)), dim=1)


class Vgg19Slices(nn.Module):
    """float32 (N, 3, H, W) → the outputs of five of VGG-19's layers, which stay as they are."""

    ENDS = (0, 2, 7, 12, 21, 30)

    def __init__(self) -> None:
        super().__init__()
        layers = vgg.make_layers(vgg.cfgs["E"])
        for number in range(5):
            part = nn.Sequential()
            for i in range(self.ENDS[number], self.ENDS[number + 1]):
                part.add_module(str(i), layers[i])
            self.add_module(f"slice{number + 1}", part)
        self.requires_grad_(False)

    def forward(self, picture: Tensor) -> list[Tensor]:
        found = []
        for part in self.children():
            picture = part(picture)
            found.append(picture)
        return found


class PerceptualLoss(nn.Module):
    """How unlike two pictures are to VGG-19 (Johnson et al. 2016), the deepest layer most."""

    WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)

    def __init__(self) -> None:
        super().__init__()
        self.vgg = Vgg19Slices()

    def forward(self, picture: Tensor, target: Tensor) -> Tensor:
        pairs = zip(self.WEIGHTS, self.vgg(picture), self.vgg(target), strict=True)
        parts = [w * (one - other.detach()).abs().mean() for w, one, other in pairs]
        return torch.stack(parts).sum()


class TryOn(nn.Module):
    """A person (N, 22, 256, 192) and a warped cloth (N, 3, 256, 192) in -1..1 → TriedOn.

    The loss's VGG-19 is a part because the weights hold it.
    """

    def __init__(
        self,
        *,
        width: int = 64,
        channels: int = 25,
        out: int = 4,
        depth: int = 6,
        innermost: tuple[int, int] = (8, 8),
        between: tuple[int, int] = (8, 8),
        upwards: tuple[tuple[int, int], ...] = ((4, 8), (2, 4), (1, 2)),
    ) -> None:
        super().__init__()
        block = UnetBlock(outer=width * innermost[0], inner=width * innermost[1], inside=None)
        for outer, inner in (*((between,) * (depth - 5)), *upwards):
            block = UnetBlock(outer=width * outer, inner=width * inner, inside=block)
        self.generator = UnetBlock(outer=out, inner=width, source=channels, inside=block)
        self.loss_vgg = PerceptualLoss()

    def forward(self, person: Tensor, cloth: Tensor) -> TriedOn:
        drawn, composite = self.generator(torch.cat((person, cloth), dim=1)).split(3, dim=1)
        drawn, composite = drawn.tanh(), composite.sigmoid()
        return TriedOn(cloth * composite + drawn * (1 - composite), composite)
