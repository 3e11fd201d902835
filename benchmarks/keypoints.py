"""Key points of the shipped network against ORB's and SIFT's, on the same photos and views.

    python -m benchmarks.keypoints PHOTOS.parquet [PHOTOS] [--model NAME] [--store FOLDER]

Each photo (column `image`) is seen once more under a random homography, in other light and with a
little noise; each method may name 200 points in either. Repeatability: the share of the points of
the photo, as far as the view shows them, that are found there within 3 pixels. Matching score: the
share of them whose descriptor leads there and back to such a point. Homography: the share of
photos whose view is recovered from the matches, its corners within 5 pixels in the mean.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from inference import registry, specs
from inference.networks.superpoint import CELL, SuperPoint, choose
from inference.preprocess import decode
from inference.training.superpoint import homographies
from inference.training.superpoint.shapes import Grey
from inference.training.superpoint.train import throw

SIDE = 240
MOST = 200
NEAR = 3.0
BORDER = 8
Found = tuple[NDArray[np.float32], NDArray[Any]]
"""(K, 2) x, y and (K, D) descriptors."""
Method = Callable[[Grey], Found]


@dataclass(slots=True)
class Sums:
    points: int = 0
    again: int = 0
    matched: int = 0
    recovered: int = 0
    seconds: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.keypoints")
    parser.add_argument("file", type=Path)
    parser.add_argument("photos", type=int, nargs="?", default=150)
    parser.add_argument("--model", default="kalas-details")
    parser.add_argument("--store", type=Path, default=specs.STORE)
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    network = registry.build_points(specs.find(options.model, store=options.store))
    photos = read_photos(options.file, options.photos)
    print(f"{len(photos)} photos of {options.file.name}, {SIDE} pixels, {MOST} points each")
    print(f"{'':<16}{'repeatability':>14}{'matching':>10}{'homography':>12}{'ms':>8}")
    methods: Sequence[tuple[str, Method, int]] = (
        (options.model, use_network(network), cv2.NORM_L2),
        ("ORB", use_opencv(cv2.ORB.create(MOST)), cv2.NORM_HAMMING),
        ("SIFT", use_opencv(cv2.SIFT.create(MOST)), cv2.NORM_L2),
    )
    for name, method, norm in methods:
        sums = measure(photos, method, norm)
        points = max(sums.points, 1)
        print(
            f"{name:<16}{sums.again / points:>14.3f}{sums.matched / points:>10.3f}"
            f"{sums.recovered / len(photos):>12.3f}{sums.seconds / len(photos) / 2 * 1000:>8.1f}",
            flush=True,
        )


def read_photos(path: Path, count: int) -> list[Grey]:
    batch = next(pq.ParquetFile(path).iter_batches(batch_size=count, columns=["image"]))
    photos = []
    for data in batch.column("image").to_pylist():
        grey = cv2.cvtColor(decode(data), cv2.COLOR_RGB2GRAY)
        scale = SIDE / max(grey.shape)
        width, height = (max(CELL, round(n * scale) // CELL * CELL) for n in grey.shape[::-1])
        small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
        photos.append(np.asarray(small / 255, np.float32))
    return photos


def use_network(network: SuperPoint) -> Method:
    @torch.inference_mode()
    def find(photo: Grey) -> Found:
        maps = network(torch.from_numpy(np.ascontiguousarray(photo))[None, None])
        points = choose(maps, 0, threshold=0.001, border=BORDER, most=MOST)
        return points.places.numpy(), points.descriptors.numpy()

    return find


def use_opencv(method: Any) -> Method:
    def find(photo: Grey) -> Found:
        points, descriptors = method.detectAndCompute((photo * 255).astype(np.uint8), None)
        if descriptors is None:
            return np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8)
        return np.array([point.pt for point in points], np.float32)[:MOST], descriptors[:MOST]

    return find


def measure(photos: Sequence[Grey], method: Method, norm: int) -> Sums:
    sums = Sums()
    matcher = cv2.BFMatcher(norm, crossCheck=True)
    for number, photo in enumerate(photos):
        dice = throw(7, number)
        height, width = photo.shape
        homography = homographies.draw(dice, width=width, height=height)
        seen = homographies.relight(homographies.view(photo, homography), dice)
        start = time.perf_counter()
        (here, one), (there, other) = method(photo), method(seen)
        sums.seconds += time.perf_counter() - start
        moved = homographies.move(here, homography)
        within = (moved >= BORDER) & (moved < (width - BORDER, height - BORDER))
        inside = np.asarray(within.all(1), np.bool_)
        sums.points += int(inside.sum())
        if not inside.any() or not len(there):
            continue
        gaps = np.linalg.norm(moved[:, None] - there[None], axis=2)
        sums.again += int((gaps[inside].min(1) <= NEAR).sum())
        matches = matcher.match(one, other)
        pairs = [(m.queryIdx, m.trainIdx) for m in matches]
        sums.matched += sum(bool(inside[a] and gaps[a, b] <= NEAR) for a, b in pairs)
        sums.recovered += recovers(homography, here, there, pairs, size=(width, height))
    return sums


def recovers(
    truth: homographies.Homography,
    here: NDArray[np.float32],
    there: NDArray[np.float32],
    pairs: Sequence[tuple[int, int]],
    *,
    size: tuple[int, int],
) -> bool:
    width, height = size
    if len(pairs) < 4:
        return False
    source, target = (np.array(side) for side in zip(*pairs, strict=True))
    found, _ = cv2.findHomography(here[source], there[target], cv2.RANSAC, NEAR)
    if found is None:
        return False
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    gaps = homographies.move(corners, found) - homographies.move(corners, truth)
    return bool(np.linalg.norm(gaps, axis=1).mean() <= 5)


if __name__ == "__main__":
    main()
