"""What a backbone's map shows around eight landmarks."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class RoIPooling(nn.Module):
    """float32 (N, channels, h, w) and landmarks → (N, out).

    landmarks: float32 (N, 2 * count), x and y of each in pixels of the picture of `image_size`.
    Around each a window of `window` of the map's 7 cells is sampled at 2 x 2 places, of which the
    largest counts. Raises ValueError where there is another number of coordinates.

    `mixes_batch` repeats what MMFashion does with more than one picture: its line
    `torch.stack((tx, ty)).view(N, 2, 1)` gives pictures each other's coordinates. The released
    weights were trained through it; an answer should not depend on its neighbours, so it is off.
    `align_corners` is what torch did up to 1.2.
    """

    def __init__(
        self,
        *,
        channels: int,
        out: int,
        count: int = 8,
        image_size: int = 224,
        cells: int = 7,
        window: int = 2,
        plane: tuple[int, int] = (2, 2),
    ) -> None:
        super().__init__()
        self.maxpool = nn.MaxPool2d(plane)
        self.linear = nn.Sequential(nn.Linear(count * channels, out), nn.ReLU(), nn.Dropout())
        self.count, self.image_size, self.cells, self.window = count, image_size, cells, window
        self.mixes_batch = False
        self.align_corners = False

    def forward(self, features: Tensor, landmarks: Tensor) -> Tensor:
        number = features.shape[0]
        if landmarks.shape != (number, 2 * self.count):
            raise ValueError(
                f"{2 * self.count} coordinates are needed for each of {number} pictures, "
                f"not {tuple(landmarks.shape)}."
            )
        # The original's order of operations, so that the last bit agrees too.
        places = (landmarks / self.image_size * self.cells).view(number, self.count, 2)
        shifts = -1 + 2 * places / float(self.cells)
        windows = [self._sample(features, shifts[:, i]) for i in range(self.count)]
        return cast(Tensor, self.linear(torch.stack(windows, dim=1).flatten(1)))

    def _sample(self, features: Tensor, shift: Tensor) -> Tensor:
        """(N, channels): the window at `shift` (N, 2), in -1..1 of the map."""
        number, channels = features.shape[:2]
        if self.mixes_batch:
            shift = shift.T.reshape(number, 2)
        scale = torch.eye(2, dtype=features.dtype, device=features.device)
        scale = (scale * (self.window / float(self.cells))).expand(number, 2, 2)
        theta = torch.cat((scale, shift.to(features.dtype).unsqueeze(2)), dim=2)
        grid = functional.affine_grid(
            theta,
            [number, channels, self.window, self.window],
            align_corners=self.align_corners,
        )
        sampled = functional.grid_sample(
            features, grid, padding_mode="border", align_corners=self.align_corners
        )
        return cast(Tensor, self.maxpool(sampled).flatten(1))
