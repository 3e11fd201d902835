"""Colours of a garment's pixels against scikit-learn's k-means with as many clusters, in one run.

    python -m benchmarks.engine_colours annotations/demo_photos

Needs scikit-learn, which Kalas itself does not. Both see the same pixels, the garment's box at
224 × 224; the error is the mean squared distance in CIELAB of a pixel to its nearest centre.
"""

import argparse
import statistics
import sys
from importlib import import_module
from pathlib import Path
from time import thread_time

import cv2
import numpy as np

from inference import colours, taxonomy
from inference.colours import Floats
from inference.foreground import find_foreground
from inference.pipeline import use_one_core
from inference.preprocess import Pixels, decode, resize_crop, whole

CLUSTERS = 6


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine_colours")
    parser.add_argument("photos", type=Path, help="a folder with *.jpg")
    folder = parser.parse_args().photos
    try:
        k_means = import_module("sklearn.cluster").KMeans
        one_thread = import_module("threadpoolctl").threadpool_limits(1)
    except ImportError:
        sys.exit("This comparison needs scikit-learn: pip install scikit-learn")
    use_one_core()
    palette = colours.Palette.of(taxonomy.load().colours)
    ratios, errors, ours_ms, named_ms = [], [], [], []
    with one_thread:
        for path in sorted(folder.glob("*.jpg")):
            image = decode(path.read_bytes())
            box = find_foreground(image, whole(image)).box
            pixels = resize_crop(image, box, (224, 224)).reshape(-1, 3)
            lab = to_lab(pixels)

            start = thread_time()
            fitted = k_means(CLUSTERS, n_init=1, random_state=0).fit(lab)
            theirs = thread_time() - start
            start = thread_time()
            points, weights = colours.count_colours(pixels)
            centres, _ = colours.cluster(points, weights, clusters=CLUSTERS)
            ours = thread_time() - start
            start = thread_time()
            colours.name_colours(pixels, palette)
            named_ms.append((thread_time() - start) * 1000)

            ratios.append(theirs / ours)
            errors.append(error(lab, centres) / error(lab, fitted.cluster_centers_))
            ours_ms.append(ours * 1000)
    print(f"photos          {len(ratios)}")
    print(f"centres         {statistics.median(ours_ms):.2f} ms (median)")
    print(f"named colours   {statistics.median(named_ms):.2f} ms (median)")
    print(f"times faster    {statistics.median(ratios):.1f} (median)")
    print(f"error / theirs  {statistics.mean(errors):.3f} (mean)")


def to_lab(pixels: Pixels) -> Floats:
    row = pixels[None].astype(np.float32) / 255
    return np.asarray(cv2.cvtColor(row, cv2.COLOR_RGB2LAB)[0], dtype=np.float64)


def error(lab: Floats, centres: Floats) -> float:
    return float(np.square(lab[:, None] - centres[None]).sum(axis=2).min(axis=1).mean())


if __name__ == "__main__":
    main()
