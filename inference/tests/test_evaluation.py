"""Each number of an evaluation against cases counted by hand."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from inference.contract import (
    Alternative,
    AnnotationResult,
    Box,
    Category,
    Colour,
    Garment,
    Label,
    ModelName,
)
from inference.specs import WeightsSpec
from inference.tests.photos import paint
from inference.training.evaluation.answers import CATEGORY, COLOUR, Answers, Head
from inference.training.evaluation.compare import NotComparable, compare, sign_test
from inference.training.evaluation.found import find_served, measure_found
from inference.training.evaluation.kinds import tell_kind
from inference.training.evaluation.metrics import (
    STRICT_ERROR,
    Metric,
    collect_heads,
    measure_attribute,
    measure_calibration,
    measure_category,
    measure_colour,
    measure_pattern,
    measure_ten,
)
from inference.training.evaluation.outfits import Outfit, match_garments
from inference.training.evaluation.packing import pack, unpack
from inference.training.evaluation.photos import LabelledPhoto
from inference.training.evaluation.report import confuse, list_labels
from inference.training.evaluation.search import measure_likeness, measure_words
from inference.training.evaluation.served import read_garments
from inference.training.outfits import OutfitGarment

LABELS = ("shirt", "jeans", "trousers", "dress", "not-a-garment")
SPEC = WeightsSpec(
    name="t",
    version="1",
    architecture="garment-net",
    taxonomy="kalas-1",
    sha256="",
    labels=LABELS,
    colour_families=("blue", "red"),
    attributes=(("pattern", ("solid", "striped")),),
)


def make_photo(number: int = 0, *accepts: str, **known) -> LabelledPhoto:
    return LabelledPhoto(
        id=f"fpi-{number}", data=b"", label="", kind="catalogue", accepts=accepts, **known
    )


def make_head(values: tuple[str, ...], *rows: list[float]) -> Head:
    return Head(values, np.array(rows, np.float32))


def values(metrics: list[Metric]) -> dict[str, tuple[Any, int]]:
    return {m.key: (pytest.approx(m.estimate.value), m.estimate.count) for m in metrics}


def test_measures_categories_of_the_photos_that_have_one():
    photos = [
        make_photo(0, "shirt"),
        make_photo(1, "jeans", "trousers"),
        make_photo(2, "dress"),
        make_photo(3, "not-a-garment"),
        make_photo(4),
    ]
    head = make_head(
        LABELS,
        [0.6, 0.4, 0, 0, 0],
        [0.1, 0.2, 0.7, 0, 0],
        [0, 0, 0, 0.1, 0.9],
        [0.9, 0, 0, 0, 0.1],
        [1, 0, 0, 0, 0],
    )

    found = values(measure_category(photos, head))

    assert found["category top-1"] == (0.5, 4)
    assert found["category top-1, one right answer"] == (pytest.approx(1 / 3), 3)
    assert found["category top-5"] == (1.0, 4)
    assert found["garment or not"] == (0.5, 4)


def test_counts_an_answer_that_was_not_given_as_wrong_and_as_an_abstention():
    head = make_head(LABELS, [0, 0, 0, 0, 0], [0, 0, 0, 0, 0])

    found = values(measure_category([make_photo(0, "shirt"), make_photo(1, "not-a-garment")], head))

    assert found["category top-5"] == (0.0, 2)
    assert found["garment or not"] == (0.5, 2)


def test_measures_colours_of_garments():
    head = make_head(("red", "gold"), [0.9, 0.1], [0.2, 0.8], [0.1, 0.9], [1, 0])
    photos = [
        make_photo(0, "shirt", colour="red"),
        make_photo(1, "shirt", colour="red"),
        make_photo(2, "shirt", colour="gold"),
        make_photo(3, "not-a-garment", colour="red"),
    ]

    found = values(measure_colour(photos, head))

    assert found["colour family, 11 basic"] == (0.5, 2)
    assert found["colour family, with gold, silver, multi"] == (pytest.approx(2 / 3), 3)


def test_measures_attributes_where_the_name_says_them():
    head = make_head(
        ("striped", "solid"), [0.9, 0.1], [0.4, 0.6], [0.45, 0.55], [0.9, 0.1], [0.2, 0.8]
    )
    said = ["striped", "striped", "solid", "floral", ""]
    photos = [
        make_photo(i, "shirt", attributes={"pattern": name} if name else {})
        for i, name in enumerate(said)
    ]

    found = values(measure_attribute("pattern", photos, head, floor=0.58))

    assert found["pattern: accuracy"] == (pytest.approx(2 / 3), 3)
    # striped: P 1, R 1/2; solid: P 1/2, R 1.
    assert found["pattern: macro-F1"] == (pytest.approx(2 / 3), 3)
    assert found["pattern: coverage"] == (pytest.approx(2 / 3), 3)
    assert found["pattern: accuracy where said"] == (0.5, 2)


def test_measures_patterns_in_groups():
    head = make_head(("striped", "printed", "washed"), [1, 0, 0], [0, 1, 0], [0, 0, 1])
    photos = [
        make_photo(0, "shirt", attributes={"pattern": "striped"}),
        make_photo(1, "shirt", attributes={"pattern": "graphic"}),
        make_photo(2, "shirt", attributes={"pattern": "striped"}),
    ]
    groups = (("striped", ("striped",)), ("printed", ("printed", "graphic")))

    metric = measure_pattern(photos, head, groups)

    # striped: P 1, R 1/2; printed: P 1, R 1.
    assert metric.estimate.value == pytest.approx((2 / 3 + 1) / 2)


def test_sums_the_categories_that_a_benchmark_class_may_mean():
    pants = {"benchmark": "pants", "benchmark_accepts": ("jeans", "trousers")}
    shirt = {"benchmark": "shirt", "benchmark_accepts": ("shirt",)}
    photos = [make_photo(0, "jeans", **pants), make_photo(1, "shirt", **shirt), make_photo(2)]
    head = make_head(LABELS, [0.4, 0.3, 0.3, 0, 0], [0.4, 0, 0, 0.6, 0], [1, 0, 0, 0, 0])

    found = values(measure_ten(photos, head, abstained=np.zeros(3, bool)))

    # The dress is no class of the two, so the shirt wins among them.
    assert found["ten classes: accuracy"] == (1.0, 2)
    assert found["ten classes: plain"] == (0.0, 2)


def test_an_abstention_is_wrong_though_its_alternatives_are_right():
    pants = {"benchmark": "pants", "benchmark_accepts": ("jeans", "trousers")}
    shirt = {"benchmark": "shirt", "benchmark_accepts": ("shirt",)}
    photos = [make_photo(0, "jeans", **pants), make_photo(1, "shirt", **shirt)]
    answers = read_garments([(Alternative("jeans", 0.3),), (Alternative("dress", 0.2),)], SPEC)
    head = answers.heads[CATEGORY]

    found = values(measure_category(photos, head))
    found |= values(measure_ten(photos, head, abstained=answers.abstained))

    assert found["category top-1"] == (0.0, 2)
    assert found["category top-5"] == (0.5, 2)
    assert found["garment or not"] == (0.0, 2)
    assert found["ten classes: accuracy"] == (0.0, 2)


def make_answers(**heads: Head) -> Answers:
    rows = len(next(iter(heads.values())).probabilities)
    return Answers(heads, np.zeros((rows, 2), np.float32), np.zeros(rows, bool))


def test_measures_calibration_on_the_other_half_only():
    photos = [make_photo(i, "shirt") for i in range(400)]
    head = Head(LABELS, np.tile([[0.8, 0.2, 0, 0, 0]], (400, 1)).astype(np.float32))

    (found,) = measure_calibration(photos, make_answers(category=head))
    collected = collect_heads(photos, make_answers(category=head))

    assert found.head == CATEGORY
    assert 150 < found.errors[0].estimate.count < 250
    assert found.errors[0].estimate.value == pytest.approx(0.2, abs=1e-6)
    assert len(collected[CATEGORY].ids) == 400


def test_calls_nothing_modest_where_several_answers_are_right():
    photos = [make_photo(i, *(("shirt",) if i % 2 else ("shirt", "jeans"))) for i in range(400)]
    said = [[0.8, 0.2, 0, 0, 0], [0.4, 0.6, 0, 0, 0], [0.8, 0.2, 0, 0, 0], [0.8, 0.2, 0, 0, 0]]
    head = Head(LABELS, np.tile(said, (100, 1)).astype(np.float32))

    (found,) = measure_calibration(photos, make_answers(category=head))

    keys = [metric.key for metric in found.errors]
    strict = found.errors[keys.index(STRICT_ERROR)]
    assert strict.estimate.count < found.errors[0].estimate.count
    assert "several answers" in strict.note


def test_searches_by_words():
    photos = [
        make_photo(0, query="red shirt"),
        make_photo(1),
        make_photo(2, query="jeans"),
        make_photo(3, query="red shirt"),
    ]
    gallery = np.eye(4, dtype=np.float32)
    # "red shirt" lies nearest to photo 1, then to photo 3; "jeans" on its photo.
    texts = np.array([[0.1, 0.9, 0.2, 0.5], [0, 0, 1, 0]], np.float32)

    found = values(measure_words(photos, texts, gallery))

    assert found["words → photo: MRR"] == (0.75, 2)
    assert found["words → photo: hit rate@10"] == (1.0, 2)
    assert found["words → photo: hit rate@10, by photo"] == (1.0, 3)


def test_measures_likeness_by_type_and_colour():
    gallery = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]], np.float32)
    photos = [
        make_photo(i, "shirt", likeness=("Shirts", colour), colour=colour)
        for i, colour in enumerate(["red", "red", "blue", "white"])
    ]

    found = values(measure_likeness(photos, gallery))

    # All three others are found: one of three is alike for each red one, none for the rest.
    assert found["photo → same type and colour: P@10"] == (pytest.approx(1 / 6), 4)
    assert found["photo → same type and colour: P@10 of what there is"] == (1.0, 2)


def test_says_what_types_and_colours_cost_the_search():
    # Twelve shirts that look like each other, of which two are blue and look unlike.
    photos = [
        make_photo(i, "shirt", likeness=("Shirts", "blue" if i in (0, 11) else f"red {i}"))
        for i in range(12)
    ]
    angles = np.linspace(0, np.pi, 12, dtype=np.float32)
    gallery = np.stack([np.cos(angles), np.sin(angles)], axis=1)

    found = values(measure_likeness(photos, gallery))

    alike = "photo → same type and colour: P@10 of what there is"
    assert found[alike] == (0.0, 2)
    assert found[f"{alike}, told each type"] == (0.0, 2)
    assert found[f"{alike}, told each colour"] == (1.0, 2)


def make_garment(name: str, **known) -> Garment:
    return Garment(
        object="upper-body",
        confidence=0.9,
        primary=True,
        box=Box(0, 0, 10, 10),
        category=Category(name, 0.7, ()),
        **known,
    )


def test_reads_what_was_served():
    shirt = make_garment(
        "shirt",
        attributes=(Label("pattern", "striped", 0.6), Label("season", "summer", 0.9)),
        colours=(
            Colour("red", "#ff0000", 0.4),
            Colour("navy-blue", "#000044", 0.35),
            Colour("light-blue", "#aaaaff", 0.25),
        ),
    )

    answers = read_garments([shirt, (Alternative("dress", 0.2),)], SPEC)

    assert answers.heads[CATEGORY].say() == ["shirt", "not-a-garment"]
    assert answers.heads[CATEGORY].confidence[0] == pytest.approx(0.7)
    assert answers.heads["pattern"].say() == ["striped", ""]
    # What is named first, though two blues together cover more.
    assert answers.heads[COLOUR].say() == ["red", ""]
    assert answers.abstained.tolist() == [False, True]


def test_averages_the_precision_of_served_boxes():
    there = np.ones((100, 100), np.uint8)
    shirt = OutfitGarment("shirt", "top", Box(0, 0, 100, 100), there)
    served = [
        # 60 % overlap; a second box over it is one too many.
        find_served(
            [
                replace(make_garment("shirt"), box=Box(0, 0, 60, 100), confidence=0.9),
                replace(make_garment("shirt"), box=Box(0, 0, 55, 100), confidence=0.8),
            ]
        ),
        find_served(
            [replace(make_garment("shirt"), box=Box(0, 0, 100, 100), confidence=0.7)],
        ),
    ]

    found = {m.key: m.estimate.value for m in measure_found(served, [[shirt], [shirt]])}

    # Right, wrong, right: precision 1 up to recall 0.5 (51 of 101 points), 2/3 beyond.
    assert found["AP@0.5 upper-body"] == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert found["AP@0.5 footwear"] == 0


def test_a_served_garment_finds_one_only():
    there = np.ones((100, 100), np.uint8)
    shirt = OutfitGarment("shirt", "top", Box(0, 0, 100, 70), there)
    coat = OutfitGarment("coat", "outer", Box(0, 0, 100, 100), there)
    one = replace(make_garment("shirt"), box=Box(0, 0, 100, 80))
    result = AnnotationResult(100, 100, ModelName("t", "1", "kalas-1"), (one,), None, {})

    assert match_garments([Outfit("ccp-1", b"", [coat, shirt])], [result]) == [None, one]


def test_tells_a_worn_garment_of_a_catalogue_by_the_face():
    shirt = paint(size=(80, 60), garment=(40, 60, 160), box=Box(10, 20, 50, 78))
    worn = shirt.copy()
    worn[4:20, 22:38] = (200, 150, 125)

    assert tell_kind("fpi", shirt, ("shirt",)) == "catalogue"
    assert tell_kind("fpi", worn, ("shirt",)) == "catalogue, worn"
    assert tell_kind("fpi", worn, ("handbag",)) == "catalogue"
    assert tell_kind("clothing", worn, ("shirt",)) == "flat-lay"
    assert tell_kind("fpi", np.full((80, 60, 3), 255, np.uint8), ("shirt",)) == "catalogue"


def test_packs_scores():
    yes_and_no = np.array([1, 0, np.nan, 1])
    others = np.array([0.25, np.nan])

    assert pack(yes_and_no) == "10-1"
    assert pack(others) == [0.25, None]
    np.testing.assert_array_equal(unpack("10-1"), yes_and_no)
    np.testing.assert_array_equal(unpack([0.25, None]), others)


def make_evaluation(scores: str, ids: list[str]) -> dict[str, Any]:
    way = {"photos": {"ids": ids, "scores": {"category top-1": scores}}}
    return {"files": [{"name": "fpi-val", "ways": {"whole": way}}]}


def test_compares_on_the_photos_that_both_counted():
    before = make_evaluation("0011-", ["a", "b", "c", "d", "e"])
    after = make_evaluation("11011", ["b", "a", "c", "d", "e"])

    (difference,) = compare(before, after)

    assert difference.count == 4
    assert (difference.before, difference.after) == (0.5, 0.75)
    assert (difference.won, difference.lost) == (2, 1)
    assert difference.low <= difference.change <= difference.high


def test_refuses_to_compare_what_shares_nothing():
    with pytest.raises(NotComparable):
        compare(make_evaluation("1", ["a"]), make_evaluation("1", ["b"]))


def test_tests_the_signs():
    # 2 · (1 + 10) / 2¹⁰ for one against nine.
    assert sign_test(1, 9) == pytest.approx(22 / 1024)
    assert sign_test(5, 5) == 1
    assert sign_test(0, 0) == 1


def test_lists_confusions():
    photos = [make_photo(0, "shirt"), make_photo(1, "shirt"), make_photo(2, "jeans", "trousers")]

    assert confuse(photos, ["dress", "shirt", "jeans"]) == {"shirt": {"dress": 1, "shirt": 1}}
    (row,) = list_labels(photos, ["dress", "shirt", "jeans"])
    assert (row["photos"], row["right"]) == (3, 2)
