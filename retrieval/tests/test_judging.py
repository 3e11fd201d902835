from dataclasses import replace
from itertools import count

from retrieval.judging import SeenGarment, Verdict, judge

_ids = count(1)


def see(category: str = "shirt", *, object_type: str = "upper-body", **fields) -> SeenGarment:
    values = {"category_confidence": 0.9, "box_confidence": 0.9, "share": 0.5, "primary": True}
    return SeenGarment(
        id=next(_ids), object_type=object_type, category=category, **{**values, **fields}
    )


def verdicts(*photos: list[SeenGarment]) -> list[Verdict]:
    return [photo.verdict for photo in judge(photos).photos]


def test_nothing_was_photographed():
    judgement = judge([])

    assert (judgement.best, judgement.photos, judgement.disagree) == (None, (), False)


def test_the_only_garment_is_the_product():
    shirt = see()

    judgement = judge([[shirt]])

    assert judgement.best is shirt
    assert judgement.photos[0].verdict == Verdict.BEST


def test_the_view_that_shows_it_best_wins():
    small, large = see(share=0.1), see(share=0.8)

    judgement = judge([[small], [large]])

    assert judgement.best is large
    assert [photo.verdict for photo in judgement.photos] == [Verdict.AGREES, Verdict.BEST]


def test_the_third_photo_shows_another_garment():
    shoes = see("shoes", object_type="footwear")

    assert verdicts([see()], [see(share=0.6)], [shoes])[2] == Verdict.OTHER_GARMENT


def test_another_category_of_the_same_object_disagrees_when_it_is_sure():
    assert verdicts([see()], [see()], [see("dress")])[2] == Verdict.OTHER_GARMENT


def test_a_doubt_of_the_model_is_no_disagreement():
    unsure = see("t-shirt", category_confidence=0.4)
    runner_up = see("t-shirt", alternatives=("shirt",))

    assert verdicts([see()], [see()], [unsure], [runner_up])[2:] == [Verdict.AGREES] * 2


def test_what_is_worn_beside_the_product_is_no_disagreement():
    trousers = see("pants", object_type="lower-body", primary=False)

    judgement = judge([[see(), trousers], [see()]])

    assert judgement.best is not None
    assert judgement.best.category == "shirt"
    assert not judgement.disagree


def test_a_photo_without_a_garment_says_so():
    assert verdicts([see()], []) == [Verdict.BEST, Verdict.NO_GARMENT]
    assert verdicts([], []) == [Verdict.NO_GARMENT] * 2


def test_with_equal_votes_the_first_photo_is_right():
    first, second = see("shirt"), see("dress", object_type="full-body")

    assert judge([[first], [second]]).best is first
    assert judge([[second], [first]]).best is second


def test_the_order_of_the_garments_of_a_photo_does_not_matter():
    shirt, pants = see(), see("pants", object_type="lower-body")

    assert judge([[shirt, pants]]).best is judge([[pants, shirt]]).best


def test_more_photos_outvote_one_sure_photo():
    sure = see("dress", object_type="full-body", category_confidence=1.0)

    judgement = judge([[sure], [see()], [replace(see(), share=0.4)]])

    assert judgement.best is not None
    assert judgement.best.category == "shirt"
    assert judgement.photos[0].verdict == Verdict.OTHER_GARMENT
