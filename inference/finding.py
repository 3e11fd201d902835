"""How closely the finder looks at photos: as closely as it tells something more.

First it sees a small copy, in a third of a look's time. One garment that nobody wears is told by
that; else it sees the photo at its full size, and where that shows several garments, its mirror
image as well.
"""

from collections.abc import Callable, Sequence

import numpy as np

from inference.contract import Box
from inference.detection import GLANCE, SIZE, Frame, fit
from inference.mirror import join_maps, mirror
from inference.preprocess import Pixels
from inference.runtime import Floats, Network
from inference.scenes import Sight, read_maps

Fitted = tuple[Pixels, Frame]
"""What the finder is shown, and where that lies in the photo."""


class Finder:
    """`looks_twice`: whether a version is fitted to mirror images; one that isn't looks once."""

    def __init__(self, network: Network, *, looks_twice: bool) -> None:
        self._network = network
        self._looks_twice = looks_twice

    def fit(self, image: Pixels, area: Box) -> Fitted:
        """What it is shown first."""
        return fit(image, area, GLANCE if self._looks_twice else SIZE)

    def find(
        self, fitted: Sequence[Fitted], fit_closely: Callable[[Sequence[int]], Sequence[Fitted]]
    ) -> list[Sight]:
        """`fit_closely` shows those photos at SIZE."""
        sights, _ = self._look(fitted)
        if not self._looks_twice:
            return sights
        close = [i for i, sight in enumerate(sights) if not sight.shows_one_alone]
        if close:
            for i, sight in zip(close, self._look_closely(fit_closely(close)), strict=True):
                sights[i] = sight
        return sights

    def _look_closely(self, fitted: Sequence[Fitted]) -> list[Sight]:
        sights, maps = self._look(fitted)
        # Where nothing but one garment was seen, however faint, a second look hardly finds more.
        again = [i for i, sight in enumerate(sights) if sight.may_show_several]
        if again:
            turned = self._network(mirror(np.stack([fitted[i][0] for i in again])))
            both = join_maps([part[again] for part in maps], turned)
            for i, joined in zip(again, zip(*both, strict=True), strict=True):
                sights[i] = read_maps(joined, fitted[i][1])
        return sights

    def _look(self, fitted: Sequence[Fitted]) -> tuple[list[Sight], Sequence[Floats]]:
        maps = self._network(np.stack([pixels for pixels, _ in fitted]))
        frames = [frame for _, frame in fitted]
        each = zip(zip(*maps, strict=True), frames, strict=True)
        return [read_maps(part, frame) for part, frame in each], maps
