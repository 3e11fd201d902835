import csv
import json

import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.tests.factories import make_member
from annotations import services
from annotations.models import Review, ReviewSettings
from annotations.reviewing.corrections import Correction, Corrections
from annotations.reviewing.services import Reviewer, review_annotation
from annotations.tests.factories import make_done_annotation

pytestmark = pytest.mark.django_db


@pytest.fixture
def consent(tenant):
    return ReviewSettings.objects.create(tenant=tenant, training_consent=True)


@pytest.fixture
def say(tenant):
    def review(category="", tenant=tenant, verdict=Review.Verdict.ANSWER):
        annotation = make_done_annotation(tenant=tenant)
        correction = Correction(annotation.garments.get().id, category=category)
        return review_annotation(
            tenant=tenant,
            annotation_id=annotation.id,
            by=Reviewer(),
            now=timezone.now(),
            corrections=Corrections([correction], verdict=verdict),
        )

    return review


def export(folder, *args):
    call_command("export_reviews", str(folder), *args)


def read_parquet(folder):
    tables = [pq.read_table(folder / f"reviews-{split}.parquet") for split in ("train", "val")]
    return [row for table in tables for row in table.to_pylist()]


def test_writes_parquet(tmp_path, consent, say):
    review = say("dress")
    say(verdict=Review.Verdict.NOT_A_GARMENT)
    say(verdict=Review.Verdict.BAD_PHOTO)

    export(tmp_path / "set")

    rows = {row["category"]: row for row in read_parquet(tmp_path / "set")}
    assert set(rows) == {"dress", "not-a-garment"}
    dress = rows["dress"]
    with review.annotation.image.file.open() as file:
        assert dress["image"] == file.read()
    assert (dress["model_said"], dress["reviews"]) == ("t-shirt", [str(review.id)])
    assert (dress["box"], dress["object"]) == ([10, 10, 50, 70], "full-body")
    assert dict(dress["attributes"]) == {"pattern": "striped"}
    assert dress["model"] == "kalas-mini 1"


def test_only_shops_that_consented(tmp_path, tenant, say):
    say("dress")
    with pytest.raises(CommandError, match="No shop has consented"):
        export(tmp_path)
    stranger = make_member().tenant
    ReviewSettings.objects.create(tenant=stranger, training_consent=True)
    theirs = say("skirt", tenant=stranger)

    export(tmp_path)

    assert [row["shop"] for row in read_parquet(tmp_path)] == [str(theirs.tenant_id)]
    with pytest.raises(CommandError, match="consented"):
        export(tmp_path, "--shop", str(tenant.id))


def test_what_was_erased_is_not_in_the_next_set(tmp_path, tenant, consent, say):
    """Neither its row nor, in COCO's folder, its file."""
    gone, kept = say("dress"), say("skirt")
    for kind in ("parquet", "coco"):
        export(tmp_path, "--format", kind)
    assert len(list((tmp_path / "images").iterdir())) == 2

    services.delete_image(tenant=tenant, image_id=gone.annotation.image_id)
    for kind in ("parquet", "coco"):
        export(tmp_path, "--format", kind)

    assert [row["category"] for row in read_parquet(tmp_path)] == ["skirt"]
    (file,) = (tmp_path / "images").iterdir()
    assert file.stem == kept.annotation.image.sha256


def test_writes_coco(tmp_path, consent, say):
    say("dress")

    export(tmp_path, "--format", "coco")

    coco = json.loads((tmp_path / "reviews.coco.json").read_text())
    (image,), (garment,) = coco["images"], coco["annotations"]
    assert (tmp_path / image["file_name"]).exists()
    assert garment["bbox"] == [10, 10, 40, 60]
    names = {each["id"]: each["name"] for each in coco["categories"]}
    assert names[garment["category_id"]] == "dress"
    assert garment["attributes"] == {"pattern": "striped"}


def test_writes_csv(tmp_path, consent, say):
    say("dress")

    export(tmp_path, "--format", "csv")

    lines = (tmp_path / "reviews.csv").read_text().splitlines()
    (row,) = csv.DictReader(lines)
    assert (row["category"], row["model_said"], row["box"]) == ("dress", "t-shirt", "10 10 50 70")


def test_what_is_undone_or_not_reviewed_is_left_out(tmp_path, tenant, consent, say):
    make_done_annotation(tenant=tenant)
    say("dress")

    export(tmp_path, "--since", "2999-01-01")

    assert read_parquet(tmp_path) == []


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--shop", "x"), "no shop"),
        (("--since", "yesterday"), "no day"),
        (("--since", "2026-99-01"), "no day"),
    ],
)
def test_says_what_is_wrong(tmp_path, consent, args, words):
    with pytest.raises(CommandError, match=words):
        export(tmp_path, *args)


def test_says_where_it_cannot_write(tmp_path, consent):
    (tmp_path / "file").write_text("")

    with pytest.raises(CommandError, match="can't be written"):
        export(tmp_path / "file")


def test_says_what_is_missing(tmp_path, consent, say, capsys):
    review = say("dress")
    image = review.annotation.image
    image.file.storage.delete(str(image.file.name))

    export(tmp_path)

    assert "1 photos were left out" in capsys.readouterr().err
    assert read_parquet(tmp_path) == []
