"""The network that finds garments: GarmentNet's trunk, a path back up, three maps.

Anchor-free after CenterNet (Zhou et al. 2019) and TTFNet (Liu et al. 2020): a garment is a peak
of its detail's heat map, and there stand the distances to its four edges, for each detail by
itself, since a coat and the shirt under it have one centre. A third map says of each pixel what
it shows. Convolutions, batch norm, ReLU, means and resizing only.
"""

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from inference.detection import DETAILS, SEGMENTS
from inference.networks.garment_net import ResidualBlock

_RARE = -4.6
"""The heat maps' first bias: a garment's centre is at about one place in a hundred."""
_MIDDLING = 4.0
"""The distances' first bias: about half of a middling garment."""


class FinderMaps(NamedTuple):
    """What GarmentFinder says about N photos; h and w are a STRIDE-th of the input's."""

    heat: Tensor
    """(N, details, h, w) logits: is the middle of such a garment here?"""
    edges: Tensor
    """(N, details * 4, h, w) distances to left, top, right, bottom before `detection` bends them
    to pixels; the four of a detail stand together."""
    segments: Tensor
    """(N, segments, h, w) logits: what does this pixel show?"""


class Levels(NamedTuple):
    """Features at a 4th, 8th, 16th and 32nd of the input's size."""

    trunk: list[Tensor]
    """On the way down, of `widths` channels."""
    path: list[Tensor]
    """On the way back up: the head's channels, then three times the path's."""


class GarmentFinder(nn.Module):
    """float32 (N, 3, H, W), RGB, as `garment_net.normalise` gives it → FinderMaps.

    H and W are multiples of 32; trained on `detection.SIZE`.
    """

    def __init__(
        self,
        *,
        widths: tuple[int, ...] = (48, 96, 192, 384),
        depths: tuple[int, ...] = (1, 2, 2, 1),
        path: int = 96,
        head: int = 48,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            _convolution(3, 32, stride=2),
            nn.ReLU(inplace=True),
            _convolution(32, widths[0], stride=2),
            nn.ReLU(inplace=True),
        )
        blocks: list[nn.Module] = []
        before = widths[0]
        for stage, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for index in range(depth):
                stride = 2 if stage > 0 and index == 0 else 1
                blocks.append(ResidualBlock(before, width, stride=stride))
                before = width
        self.trunk = nn.Sequential(*blocks)
        self.widths, self.depths, self.neck = widths, depths, (path, head)
        self.scene = nn.Conv2d(widths[3], path, 1)
        self.lateral = nn.ModuleList(
            _convolution(width, out, size=1)
            for width, out in zip(widths, (head, path, path, path), strict=True)
        )
        self.narrow = _convolution(path, head, size=1)
        self.smooth = nn.ModuleList(
            _convolution(width, width) for width in (head, path, path, path)
        )
        self.find = _convolution(head, head)
        self.heat = nn.Conv2d(head, len(DETAILS), 1)
        self.edges = nn.Conv2d(head, len(DETAILS) * 4, 1)
        self.segments = nn.Conv2d(head, len(SEGMENTS), 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        for last, bias in ((self.heat, _RARE), (self.edges, _MIDDLING), (self.segments, 0.0)):
            nn.init.normal_(last.weight, std=0.01)
            if last.bias is not None:
                nn.init.constant_(last.bias, bias)

    def forward(self, images: Tensor) -> FinderMaps:
        fine = self.look(images).path[0]
        found = functional.relu(self.find(fine))
        return FinderMaps(self.heat(found), self.edges(found), self.segments(fine))

    def look(self, images: Tensor) -> Levels:
        fine, *_, coarse = levels = self._levels(images)
        # The mean over the photo tells every place what else is worn: a skirt makes no dress.
        x = self.lateral[3](coarse) + self.scene(coarse.mean(dim=(2, 3), keepdim=True))
        x = functional.relu(self.smooth[3](functional.relu(x)))
        path = [x]
        for level in (2, 1):
            x = self.lateral[level](levels[level]) + _double(x)
            x = functional.relu(self.smooth[level](functional.relu(x)))
            path.append(x)
        x = self.lateral[0](fine) + _double(self.narrow(x))
        x = functional.relu(self.smooth[0](functional.relu(x)))
        return Levels(levels, [x, *reversed(path)])

    def _levels(self, images: Tensor) -> list[Tensor]:
        """The trunk's features at a 4th, 8th, 16th and 32nd of the input's size."""
        x = self.stem(images)
        levels, first = [], 0
        for depth in self.depths:
            x = self.trunk[first : first + depth](x)
            levels.append(x)
            first += depth
        return levels


def start_from_classifier(finder: GarmentFinder, tensors: dict[str, Tensor]) -> int:
    """Take over the stem and trunk of GarmentNet's weights; returns how many tensors fitted."""
    own = finder.state_dict()
    taken = {
        name: tensor
        for name, tensor in tensors.items()
        if name.startswith(("stem.", "trunk.")) and name in own and own[name].shape == tensor.shape
    }
    finder.load_state_dict(taken, strict=False)
    return len(taken)


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def _convolution(before: int, width: int, *, size: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, width, size, stride=stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(width),
    )
