"""Which looks the classifier takes at a photo, and what it says of them."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from itertools import chain, islice, repeat
from typing import NamedTuple

import numpy as np

from inference.conclusions import Said, is_settled
from inference.contract import Box
from inference.meanwhile import Meanwhile
from inference.postprocess import Reader
from inference.preprocess import Pixels, resize_crop, whole
from inference.runtime import Model
from inference.scenes import Scene

_NEARER = 0.92
"""Of each side, what a look from nearer shows. Of 0.84 to 0.97, and of their mirror images, best on
fpi's training photos; the whole photo in the mirror gains half as much."""


class Entire(NamedTuple):
    """What is said of all of an area: whom a product is for, the crop of a sleeve doesn't tell."""

    first: Said
    said: Said
    """The same; where it leaves open for whom the product is, that is said from nearer as well."""


class Classifier:
    def __init__(self, model: Model, reader: Reader) -> None:
        self._network = model.garments
        self._size = model.spec.input_size
        self._mirrored = model.spec.mirrored
        self._reader = reader

    def show(self, image: Pixels, area: Box) -> Pixels:
        """All of the area of a uint8 (H, W, 3) RGB image, as `look` takes it."""
        inside = image[area.top : area.bottom, area.left : area.right]
        return resize_crop(inside, whole(inside), self._size)

    def look(self, areas: Sequence[Pixels]) -> list[Entire]:
        firsts = list(self._classify(areas))
        said = list(firsts)
        if self._mirrored:
            close = [i for i, first in enumerate(firsts) if self._reader.is_close(first.attributes)]
            again = self._classify([_step_nearer(areas[i]) for i in close])
            for i, nearer in zip(close, again, strict=True):
                mean = np.asarray((firsts[i].attributes + nearer.attributes) / 2, dtype=np.float32)
                said[i] = firsts[i]._replace(attributes=mean)
        return list(map(Entire, firsts, said))

    def complete(
        self, scenes: Sequence[Scene], entire: Sequence[Entire], helpers: Executor | None
    ) -> list[list[Said]]:
        """What is said of each scene's entire area and of its crops. Where the area leaves no doubt
        of its only garment, that stands for the crops as well. Idle `helpers` take a part."""
        crops = [
            [] if self._is_settled(scene, looked.first) else self._list_views(scene)
            for scene, looked in zip(scenes, entire, strict=True)
        ]
        answers = self._share(list(chain.from_iterable(crops)), helpers)
        return [
            [looked.said, *(islice(answers, len(views)) if views else repeat(looked.first, n))]
            for looked, views, n in zip(entire, crops, (len(s.crops) for s in scenes), strict=True)
        ]

    def _is_settled(self, scene: Scene, entire: Said) -> bool:
        """As of the versions that it was measured on, see `mirrored`."""
        return self._mirrored and is_settled(scene, entire, self._reader)

    def _list_views(self, scene: Scene) -> list[Pixels]:
        """What is classified. The two looks at a photo's main thing see its two sides, which is
        nearly as good as both sides of both, in half of the time."""
        crops = scene.crops
        if scene.whole and self._mirrored:
            crops[0] = crops[0][:, ::-1]
        return crops

    def _share(self, crops: Sequence[Pixels], helpers: Executor | None) -> Iterator[Said]:
        if helpers is None or len(crops) < 2:
            return self._classify(crops)
        half = len(crops) // 2
        others = Meanwhile(helpers, lambda: list(self._classify(crops[half:])))
        own = list(self._classify(crops[:half]))
        return chain(own, others.result())

    def _classify(self, crops: Sequence[Pixels]) -> Iterator[Said]:
        if not crops:
            return iter(())
        rows = zip(*self._network(np.stack(crops)), strict=True)
        return (Said(*row) for row in rows)


def _step_nearer(area: Pixels) -> Pixels:
    height, width = area.shape[:2]
    x, y = (round(side * (1 - _NEARER) / 2) for side in (width, height))
    return resize_crop(area, Box(x, y, width - x, height - y), (height, width))
