"""CP-VTON's first half: bend a cloth so that it fits a person (Wang et al. 2018)."""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from inference.networks.mmfashion.tps import TPSWarp


class Warped(NamedTuple):
    cloth: Tensor
    """(N, 3, 256, 192), its edge drawn out where the grid leaves the picture."""
    mask: Tensor
    """(N, 1, 256, 192), 0 there."""
    grid: Tensor
    """(N, 256, 192, 2)."""


class FeatureExtractor(nn.Module):
    """(N, channels, 256, 192) → (N, 512, 16, 12); ReLU before batch norm, as trained.

    The last convolution is used twice, with the same weights: both of its keys are in the files.
    """

    def __init__(self, *, channels: int, width: int = 64, depth: int = 3) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels
        for i in range(depth + 1):
            after = min(2**i * width, 512)
            down = nn.Conv2d(before, after, 4, stride=2, padding=1)
            layers += [down, nn.ReLU(), nn.BatchNorm2d(after)]
            before = after
        last = nn.Conv2d(512, 512, 3, padding=1)
        layers += [last, nn.ReLU(), nn.BatchNorm2d(512), last, nn.ReLU()]
        self.layers = nn.Sequential(*layers)

    def forward(self, picture: Tensor) -> Tensor:
        return cast(Tensor, self.layers(picture))


class FeatureNorm(nn.Module):
    """(N, C, H, W) → the same, each place's vector of about length 1."""

    def __init__(self, *, epsilon: float = 1e-6) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, features: Tensor) -> Tensor:
        return features / (features.square().sum(dim=1, keepdim=True) + self.epsilon).sqrt()


class FeatureCorrelation(nn.Module):
    """(N, C, H, W) twice → (N, W * H, H, W): how alike each place of b is to each of a.

    The places of a are counted down the columns: channel = column * H + row.
    """

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        number, channels, height, width = a.shape
        places = a.transpose(2, 3).reshape(number, channels, height * width)
        alike = torch.bmm(b.flatten(2).transpose(1, 2), places)
        return alike.transpose(1, 2).reshape(number, width * height, height, width)


class FeatureRegression(nn.Module):
    """(N, channels, 16, 12) → (N, out) in -1..1."""

    def __init__(self, *, channels: int, out: int, widths: tuple[int, int, int, int]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = channels
        for i, after in enumerate(widths):
            size, stride = (4, 2) if i < 2 else (3, 1)
            convolution = nn.Conv2d(before, after, size, stride=stride, padding=1)
            layers += [convolution, nn.BatchNorm2d(after), nn.ReLU()]
            before = after
        self.conv_layers = nn.Sequential(*layers)
        self.linear = nn.Linear(before * 4 * 3, out)
        self.tanh = nn.Tanh()

    def forward(self, correlation: Tensor) -> Tensor:
        return cast(Tensor, self.tanh(self.linear(self.conv_layers(correlation).flatten(1))))


class GeometricMatching(nn.Module):
    """A person without the garment (N, 22, 256, 192) and a cloth (N, 3, 256, 192) → Warped.

    `feature_extractora_a` is MMFashion's spelling, and so the weights'. `align_corners` is what
    torch did up to 1.2.
    """

    def __init__(
        self,
        *,
        person: FeatureExtractor,
        cloth: FeatureExtractor,
        norm: FeatureNorm,
        regression: FeatureRegression,
        warp: TPSWarp,
    ) -> None:
        super().__init__()
        self.feature_extractora_a = person
        self.feature_extractora_b = cloth
        self.feature_norm = norm
        self.feature_correlation = FeatureCorrelation()
        self.feature_regression = regression
        self.tps_warp = warp
        self.align_corners = False

    def find_grid(self, person: Tensor, cloth: Tensor) -> Tensor:
        a = self.feature_norm(self.feature_extractora_a(person))
        b = self.feature_norm(self.feature_extractora_b(cloth))
        shifts = self.feature_regression(self.feature_correlation(a, b))
        return cast(Tensor, self.tps_warp(shifts))

    def forward(self, person: Tensor, cloth: Tensor, mask: Tensor) -> Warped:
        grid = self.find_grid(person, cloth)
        return Warped(self._sample(cloth, grid, "border"), self._sample(mask, grid, "zeros"), grid)

    def _sample(self, picture: Tensor, grid: Tensor, outside: str) -> Tensor:
        return functional.grid_sample(
            picture, grid, padding_mode=outside, align_corners=self.align_corners
        )
