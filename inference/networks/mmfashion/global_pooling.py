"""From a backbone's map to one vector for the whole picture."""

from typing import cast

from torch import Tensor, nn


class GlobalPooling(nn.Module):
    """float32 (N, channels, h, w) → (N, out).

    With `hidden` two layers, each with ReLU and dropout; without it one plain layer. Any h and w
    will do: the map is brought to 7 x 7 first.
    """

    def __init__(
        self, *, channels: int, out: int, hidden: int | None, plane: tuple[int, int] = (7, 7)
    ) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(plane)
        size = plane[0] * plane[1] * channels
        self.global_layers: nn.Module
        if hidden is None:
            self.global_layers = nn.Linear(size, out)
        else:
            self.global_layers = nn.Sequential(
                nn.Linear(size, hidden),
                nn.ReLU(),
                nn.Dropout(),
                nn.Linear(hidden, out),
                nn.ReLU(),
                nn.Dropout(),
            )

    def forward(self, features: Tensor) -> Tensor:
        return cast(Tensor, self.global_layers(self.avgpool(features).flatten(1)))
