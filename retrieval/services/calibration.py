"""Where the results of a search end, measured from the shop's own products."""

import numpy as np
from numpy.typing import NDArray

from inference import client, taxonomy
from retrieval.models import IndexVersion, ProductImage

# Of the demo shop's photos, 95 % of the pairs of different categories are less similar than this.
USUAL_CUT_OFF = 0.45
SURE_ENOUGH = 0.95
# The same of names of categories and photos of others, of 3,400 products.
USUAL_CUT_OFF_OF_WORDS = 0.33
SURE_ENOUGH_OF_WORDS = 0.98
_SAMPLE = 600
_LEAST_PAIRS = 2_000
_MOST_NAMES = 60
_WORDS_TIMEOUT_S = 10.0

Floats = NDArray[np.float32]


def calibrate(*, index: IndexVersion, engine: client.Client | None = None) -> None:
    """Measure both limits anew and keep them: of photos, and with an engine of words.

    What cannot be measured stays: words without an engine of the index's model. An index that was
    deleted meanwhile stays so.
    """
    vectors, categories = _draw_sample(index)
    measured = {"cut_off": _measure_photos(vectors, categories)}
    of_words = _measure_words(vectors, categories, engine) if engine is not None else None
    if of_words is not None:
        measured["words_cut_off"] = of_words
    IndexVersion.objects.filter(id=index.id).update(**measured)


def _measure_photos(vectors: Floats, categories: NDArray[np.str_]) -> float:
    """The similarity that few pairs of products of different categories reach.

    The usual one where there are too few of them.
    """
    differ = np.triu(categories[:, None] != categories[None], k=1)
    pairs = (vectors @ vectors.T)[differ]
    if len(pairs) < _LEAST_PAIRS:
        return USUAL_CUT_OFF
    return round(float(np.clip(np.quantile(pairs, SURE_ENOUGH), 0.2, 0.95)), 4)


def _measure_words(
    vectors: Floats, categories: NDArray[np.str_], engine: client.Client
) -> float | None:
    """The similarity that few names of categories have to products of others.

    None where there are too few, or nobody who reads them.
    """
    names = sorted(set(categories.tolist()))[:_MOST_NAMES]
    differ = np.array(names)[:, None] != categories[None]
    if differ.sum() < _LEAST_PAIRS:
        return None
    known = taxonomy.load()
    titles = [known.title("category", name, "en") for name in names]
    try:
        read = np.array(engine.embed_texts(titles, timeout=_WORDS_TIMEOUT_S), dtype=np.float32)
    except (client.NoWords, client.Overloaded, client.Unavailable):
        return None
    if read.shape[1] != vectors.shape[1]:
        return None
    pairs = (read @ vectors.T)[differ]
    return round(float(np.clip(np.quantile(pairs, SURE_ENOUGH_OF_WORDS), 0.1, 0.95)), 4)


def _draw_sample(index: IndexVersion) -> tuple[Floats, NDArray[np.str_]]:
    """Vectors (N, D) and categories (N) of some of the shop's products."""
    rows = list(
        index.embeddings.filter(photo__verdict=ProductImage.Verdict.BEST)
        .exclude(photo__product__category="")
        .order_by("photo_id")  # random, and the same each time
        .values_list("vector", "photo__product__category")[:_SAMPLE]
    )
    if not rows:
        return np.zeros((0, 1), dtype=np.float32), np.zeros(0, dtype=np.str_)
    vectors = np.stack([np.asarray(vector, dtype=np.float32) for vector, _category in rows])
    return vectors, np.array([category for _vector, category in rows])
