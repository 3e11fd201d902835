import pytest
from django.utils import timezone

from annotations import reviews
from annotations.models import Label
from annotations.tests.factories import make_done_annotation

pytestmark = pytest.mark.django_db


def test_another_category_takes_away_what_it_cannot_have(tenant):
    garment = make_done_annotation(tenant=tenant).garments.get()
    for key, name in (("sleeve-length", "short-sleeve"), ("of-another-taxonomy", "thing")):
        Label.objects.create(garment=garment, key=key, name=name, confidence=0.9)

    review = reviews.review_annotation(
        tenant=tenant,
        annotation_id=garment.annotation_id,
        corrections=[reviews.Correction(garment.id, category="jeans")],
        reviewer=None,
        key=None,
        now=timezone.now(),
    )

    kept = set(garment.labels.values_list("key", flat=True))
    assert kept == {"pattern", "of-another-taxonomy"}
    assert [(each["key"], each["to"]) for each in review.changes] == [
        ("category", "jeans"),
        ("sleeve-length", None),
    ]
