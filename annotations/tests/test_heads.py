"""What a head learns, on embeddings that a model could have made."""

import numpy as np
import pytest

from annotations.reviewing import heads
from annotations.reviewing.lessons import Lesson, apply_lesson
from annotations.tests.factories import make_garment
from inference.contract import Alternative, Category, Garment

LABELS = ("shirt", "top", "dress", "jeans", "boots", "hat")
SIZE = 32


def make_examples(*, wrong: str = "top", called: str = "shirt", number: int = 250, seed: int = 0):
    """Six kinds of garment around centres of their own; the model calls one of them another."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(len(LABELS), SIZE))
    right = np.repeat(np.arange(len(LABELS)), number)
    rng.shuffle(right)
    embeddings = centres[right] + rng.normal(scale=1.3, size=(len(right), SIZE))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    priors = []
    for index in right:
        label = LABELS[index]
        # Otherwise it is right in nineteen of twenty.
        said = (
            called if label == wrong else label if rng.random() < 0.95 else str(rng.choice(LABELS))
        )
        other = label if said != label else LABELS[(index + 1) % len(LABELS)]
        priors.append(heads.make_prior(LABELS, said, 0.75, [(other, 0.15)]))
    return heads.Examples(
        embeddings.astype(np.float32),
        np.array(priors, np.float32),
        right,
        np.arange(len(right)) % 4 == 0,
    )


def test_learns_a_systematic_mistake_and_hurts_nothing_else():
    """Of 1,500 reviewed garments 250 are of the class that is always called another."""
    examples = make_examples()

    head = heads.train(examples, labels=LABELS)
    rows, number, before, after = heads.compare(None, head, examples)

    found = {name: (n, b, a) for name, n, b, a in rows}
    n, b, a = found["top"]
    assert (a - b) / n >= 0.10
    for name, (n, b, a) in found.items():
        assert (b - a) / n <= 0.01, name
    assert after > before
    assert number == int(examples.held_out.sum())


def test_without_mistakes_it_stays_with_the_model():
    examples = make_examples(wrong="nothing")

    head = heads.train(examples, labels=LABELS)
    _rows, _number, before, after = heads.compare(None, head, examples)

    assert after >= before


def test_tells_how_far_it_is():
    told: list[float] = []

    heads.train(make_examples(number=20), labels=LABELS, tell=told.append)

    assert told == sorted(told)
    assert told[-1] == 1


def test_is_the_same_after_it_was_stored():
    head = heads.train(make_examples(number=20), labels=LABELS)
    small = heads.Head(("", "striped"), np.ones((2, SIZE + 3), np.float32))
    lesson = Lesson({"category": head, "pattern": small})

    again = Lesson.from_bytes(lesson.labels, lesson.to_bytes(), size=SIZE)

    assert np.array_equal(again.heads["category"].weights, head.weights)
    assert again.heads["pattern"].labels == ("", "striped")
    assert again.heads["pattern"].size == SIZE
    with pytest.raises(ValueError, match="weights"):
        Lesson.from_bytes(lesson.labels, lesson.to_bytes()[:-4], size=SIZE)


def make_lesson(fill=0.0, key="category", labels=LABELS):
    shape = len(labels), SIZE + 1 + len(labels)
    return Lesson({key: heads.Head(labels, np.full(shape, fill, np.float32))})


def test_a_head_of_zeros_says_what_the_model_said():
    garment: Garment = make_garment(category="shirt", embedding=tuple([0.1] * SIZE))

    same = apply_lesson(make_lesson(), garment)

    assert same.category.name == "shirt"
    assert same.category.confidence == pytest.approx(0.93, abs=0.02)


def test_leaves_alone_what_it_knows_nothing_of():
    unknown = make_garment(category="kurta", embedding=tuple([0.1] * SIZE))
    other_model = make_garment(category="shirt", embedding=(1.0, 0.0))

    assert apply_lesson(make_lesson(1.0), unknown).category.name == "kurta"
    assert apply_lesson(make_lesson(1.0), other_model) == other_model


@pytest.mark.parametrize(
    ("category", "wanted", "said"),
    [
        ("shirt", "checked", ["checked"]),  # instead of what the model said
        ("shirt", "", []),  # it takes away
        ("watch", "checked", []),  # such a garment has none
    ],
)
def test_changes_attributes(category, wanted, said):
    labels = ("", "striped", "checked")
    lesson = make_lesson(key="pattern", labels=labels)
    lesson.heads["pattern"].weights[labels.index(wanted), SIZE] = 9
    garment = make_garment(category=category, embedding=tuple([0.1] * SIZE))

    changed = apply_lesson(lesson, garment)

    assert [x.name for x in changed.attributes] == said


def test_priors_are_probabilities():
    prior = heads.make_prior(LABELS, "shirt", 0.6, [("top", 0.3)])

    assert np.exp(prior).sum() == pytest.approx(1, abs=1e-5)
    assert LABELS[int(prior.argmax())] == "shirt"
    full = Category("shirt", 1.0, (Alternative("top", 0.2),))
    spread = heads.make_prior(LABELS, full.name, 1.0, [("top", 0.2)])
    assert np.isfinite(spread).all()
