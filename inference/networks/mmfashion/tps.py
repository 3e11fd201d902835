"""Thin-plate splines: a 3 x 3 net of control points bends a picture (Bookstein 1989)."""

import torch
from torch import Tensor, nn

_CPU = torch.device("cpu")


class TPSWarp(nn.Module):
    """Shifts of the control points (N, 2 * 9), all x before all y → sampling grid (N, H, W, 2).

    Coordinates are -1..1 over the picture, x before y; the control points go down the columns.
    """

    Li: Tensor
    controls: Tensor
    basis: Tensor

    def __init__(self, *, height: int = 256, width: int = 192, points: int = 3) -> None:
        super().__init__()
        self.height, self.width, self.count = height, width, points * points
        # On the CPU also where the network is built without memory: these are no weights.
        axis = torch.linspace(-1, 1, points, dtype=torch.float64, device=_CPU)
        xs, ys = torch.meshgrid(axis, axis, indexing="ij")
        controls = torch.stack((xs.flatten(), ys.flatten()), dim=1).float()
        self.register_buffer("controls", controls, persistent=False)
        self.register_buffer("Li", _invert(controls), persistent=False)
        self.register_buffer("basis", _expand(controls, height, width), persistent=False)

    def forward(self, shifts: Tensor) -> Tensor:
        number = shifts.shape[0]
        moved = shifts.view(number, 2, self.count).transpose(1, 2) + self.controls
        coefficients = self.Li[:, : self.count] @ moved
        return (self.basis @ coefficients).view(number, self.height, self.width, 2)


def _kernel(squared: Tensor) -> Tensor:
    """r² log r², and 0 at 0."""
    return torch.where(squared == 0, 0.0, squared * squared.clamp_min(1e-30).log())


def _invert(controls: Tensor) -> Tensor:
    """(n + 3, n + 3): from where the control points are moved to the spline's coefficients."""
    count = len(controls)
    affine = torch.cat((torch.ones(count, 1, device=_CPU), controls), dim=1)
    squared = (controls[:, None] - controls[None]).square().sum(dim=2)
    system = torch.cat(
        (
            torch.cat((_kernel(squared), affine), dim=1),
            torch.cat((affine.T, torch.zeros(3, 3, device=_CPU)), dim=1),
        )
    )
    inverse: Tensor = torch.linalg.inv(system)
    return inverse


def _expand(controls: Tensor, height: int, width: int) -> Tensor:
    """(H * W, n + 3): each pixel's kernel values, 1, x and y."""
    rows = torch.linspace(-1, 1, height, dtype=torch.float64, device=_CPU).float()
    columns = torch.linspace(-1, 1, width, dtype=torch.float64, device=_CPU).float()
    ys, xs = torch.meshgrid(rows, columns, indexing="ij")
    pixels = torch.stack((xs.flatten(), ys.flatten()), dim=1)
    squared = (pixels[:, None] - controls[None]).square().sum(dim=2)
    return torch.cat((_kernel(squared), torch.ones(len(pixels), 1, device=_CPU), pixels), dim=1)
