"""From the networks' answers to garments with categories and attributes, or to an abstention."""

from collections.abc import Iterable
from typing import cast

import numpy as np
from numpy.typing import NDArray

from inference.contract import Alternative, Box, Category, Colour, Garment, Label, ObjectType
from inference.detection import DETAILS, OBJECTS, Detail, Found
from inference.specs import WeightsSpec
from inference.taxonomy import Taxonomy

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

TOP = 5
CATEGORY_FLOOR = "category"
"""Of a spec's floors the one of the category's object type: below it nothing can be made out."""
_DEFAULT_FLOOR = 0.5
_OTHER_TYPE = 0.03
"""How often the finder takes a garment for something else, against how often it is right; the
categories that don't fit are believed that much less."""
OF_THE_PRODUCT = ("gender", "age-group", "season", "occasion")
"""Keys of what is sold, not of a piece of cloth: who wears it how says more than a sleeve."""
_LOOKED_UP, _CLOSE = "gender", 0.8
"""The key that a second look is worth its time for, and from which confidence it changes nothing:
of fpi's training photos 0.16 are less sure, and looking at all of them again gains no more."""
_SETTLED = 0.95
"""Confidence in the entire photo from which its crops hardly change the answer: they changed no
category of 214 such fpi training photos, and one of 186 of people's own validation photos."""
_SETTLED_COLOUR = 0.7
"""As much for its colour: so none of fpi's training photos' colours is lost, 0.4 points without."""
_ACCESSORIES: dict[Detail, tuple[str, ...]] = {
    "bag": ("backpack", "handbag", "travel-bag", "wallet"),
    "headwear": ("hat",),
    "eyewear": ("eyewear",),
    "belt": ("belt",),
    "scarf": ("scarf",),
    "legwear": ("leggings", "socks", "tights"),
}
"""Where what the finder tells apart is finer than an object type."""


class Reader:
    """What the answers of one model version mean."""

    def __init__(self, spec: WeightsSpec, taxonomy: Taxonomy) -> None:
        self._labels = spec.labels
        self._families = spec.colour_families
        self._floors = spec.floors
        self._nothing = spec.labels.index(taxonomy.abstention)
        self._objects = np.array(
            [
                "" if name == taxonomy.abstention else taxonomy.category(name).object_type
                for name in spec.labels
            ]
        )
        self._types = np.array([self._objects == name for name in np.unique(self._objects)])
        self._likely = {detail: self._likely_for(detail) for detail in DETAILS}
        self._keys = [
            (key, values, _applicable(taxonomy, key, values, spec.labels))
            for key, values in spec.attributes
        ]
        named = [key for key, values in spec.attributes for _ in values]
        self._of_product = [i for i, key in enumerate(named) if key in OF_THE_PRODUCT]
        self._looked_up = [i for i, key in enumerate(named) if key == _LOOKED_UP]

    def categories(self, logits: Floats) -> Floats:
        """Calibrated probabilities (L,) of the labels."""
        return softmax(logits)

    def families(self, logits: Floats) -> dict[str, float]:
        """How likely the garment's base colour is of which family; nothing if that isn't known."""
        if not self._families:
            return {}
        return dict(zip(self._families, softmax(logits).tolist(), strict=True))

    def expect(self, probabilities: Floats, found: Found) -> Floats:
        """Given what the finder took the garment for, which is right most of the time."""
        return _normalise(probabilities * self._likely[found.detail])

    def restrict(self, probabilities: Floats, hint: ObjectType | None) -> Floats:
        """Given that the garment is of the hinted object type, if it is one."""
        if hint is None:
            return probabilities
        possible = self._objects == hint
        possible[self._nothing] = True
        return _normalise(np.where(possible, probabilities, 0))

    def object_of(self, probabilities: Floats) -> ObjectType:
        """Of the likeliest category."""
        labels = np.arange(len(probabilities)) != self._nothing
        return self._object(int(np.where(labels, probabilities, -1).argmax()))

    def name_of(self, probabilities: Floats) -> str:
        """The likeliest label."""
        return self._labels[int(probabilities.argmax())]

    def is_garment(self, probabilities: Floats) -> bool:
        """Whether it is one more likely than not, whichever it is."""
        return float(probabilities[self._nothing]) < _DEFAULT_FLOOR

    def is_clear(self, probabilities: Floats) -> bool:
        """Whether it can be made out at least of what object type it is, or that it is none."""
        return float((self._types @ probabilities).max()) >= self._floors.get(CATEGORY_FLOOR, 0.0)

    def rank(self, probabilities: Floats) -> tuple[Alternative, ...]:
        """The TOP likeliest categories; that it is no garment is none of them."""
        order = np.argsort(-probabilities, kind="stable")
        best = order[order != self._nothing][:TOP]
        return tuple(Alternative(self._labels[i], round(float(probabilities[i]), 4)) for i in best)

    def is_settled(self, probabilities: Floats, families: dict[str, float]) -> bool:
        """Whether they leave no doubt that it is a garment, which, and of what colour."""
        best = int(probabilities.argmax())
        sure = best != self._nothing and float(probabilities[best]) >= _SETTLED
        return sure and max(families.values(), default=1.0) >= _SETTLED_COLOUR

    def is_close(self, entire: Floats) -> bool:
        """Whether the entire photo's attribute logits leave open for whom the product is."""
        logits = entire[self._looked_up]
        return len(logits) > 0 and float(softmax(logits).max()) < _CLOSE

    def of_product(self, attributes: Floats, entire: Floats) -> Floats:
        """A garment's attribute logits, with those of the product as the entire photo says."""
        joined = attributes.copy()
        joined[self._of_product] = entire[self._of_product]
        return joined

    def garment(
        self,
        probabilities: Floats,
        attributes: Floats,
        *,
        primary: bool,
        box: Box,
        box_confidence: float,
        colours: tuple[Colour, ...],
        embedding: Floats,
    ) -> Garment:
        """Its confidence is that of the box times that of being a garment at all; the category's
        and its alternatives' are the TOP likeliest categories."""
        first, *others = self.rank(probabilities)
        best = self._labels.index(first.name)
        confidence = box_confidence * (1 - float(probabilities[self._nothing]))
        return Garment(
            object=self._object(best),
            confidence=round(confidence, 4),
            primary=primary,
            box=box,
            category=Category(first.name, first.confidence, tuple(others)),
            attributes=tuple(self._attributes(attributes, best)),
            colours=colours,
            embedding=tuple(embedding.astype(np.float64).round(6).tolist()),
        )

    def _object(self, label: int) -> ObjectType:
        return cast(ObjectType, str(self._objects[label]))

    def _likely_for(self, detail: Detail) -> Floats:
        """How much more the labels that fit are believed than the others."""
        fits = self._objects == OBJECTS[detail]
        if known := _ACCESSORIES.get(detail):
            fits = np.isin(np.array(self._labels), known)
        fits[self._nothing] = True
        return np.where(fits, 1.0, _OTHER_TYPE).astype(np.float32)

    def _attributes(self, logits: Floats, category: int) -> Iterable[Label]:
        """At most one value of each key: one that such a garment can have, if it is likely."""
        start = 0
        for key, values, applies in self._keys:
            probabilities = softmax(logits[start : start + len(values)])
            start += len(values)
            possible = np.where(applies[category], probabilities, 0)
            # Where most belief is in what can't be, the rest says nothing.
            if possible.sum() < _DEFAULT_FLOOR:
                continue
            best = int(possible.argmax())
            if possible[best] >= self._floors.get(key, _DEFAULT_FLOOR):
                yield Label(key, values[best], round(float(possible[best]), 4))


def softmax(logits: Floats) -> Floats:
    grown = np.exp(logits - logits.max())
    return np.asarray(grown / grown.sum(), dtype=np.float32)


def _normalise(weights: NDArray[np.floating]) -> Floats:
    return np.asarray(weights / max(float(weights.sum()), 1e-9), dtype=np.float32)


def _applicable(
    taxonomy: Taxonomy, key: str, values: tuple[str, ...], labels: tuple[str, ...]
) -> Bools:
    """(labels, values): whether a garment of the category can be told to have the value."""
    return np.array(
        [
            [label != taxonomy.abstention and taxonomy.tells(key, value, label) for value in values]
            for label in labels
        ]
    )
