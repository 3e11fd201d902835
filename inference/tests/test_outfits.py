from io import BytesIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from inference import scenes
from inference.contract import Box
from inference.detection import OBJECTS, Found
from inference.preprocess import resize_crop, whole
from inference.taxonomy import load_labels
from inference.training import samples
from inference.training.evaluation import outfits
from inference.training.outfits import BODY, DETAIL_OF, LABELS, body_of, garments_of

WIDTH, HEIGHT = 340, 510


def paint(*parts: tuple[str, Box]) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for label, box in parts:
        mask[box.top : box.bottom, box.left : box.right] = LABELS.index(label)
    return mask


def found(*parts: tuple[str, Box]) -> list[tuple[str, str, Box]]:
    return [(g.label, g.detail, g.box) for g in garments_of(paint(*parts), WIDTH, HEIGHT)]


def test_knows_every_label_of_the_data():
    assert len(LABELS) == 59
    assert set(LABELS) == set(load_labels("ccp").meanings)
    assert set(LABELS) - set(DETAIL_OF) == {"null", *BODY}
    assert set(DETAIL_OF.values()) == set(OBJECTS)


def test_a_garment_that_a_belt_cuts_in_two_is_one():
    dress = Box(100, 100, 200, 300)

    garments = found(("dress", dress), ("belt", Box(100, 190, 200, 200)))

    assert ("dress", "full", dress) in garments
    assert ("belt", "belt", Box(100, 190, 200, 200)) in garments
    assert len(garments) == 2


def test_shoes_that_are_apart_are_two_boxes_and_shoes_that_touch_are_one():
    left, right = Box(100, 460, 130, 500), Box(150, 460, 180, 500)

    assert [box for _, _, box in found(("shoes", left), ("shoes", right))] == [left, right]
    assert [box for _, _, box in found(("shoes", Box(100, 460, 180, 500)))] == [
        Box(100, 460, 180, 500)
    ]


def test_the_straps_of_a_sandal_belong_to_it():
    sole, strap = Box(100, 485, 130, 500), Box(102, 470, 128, 478)

    assert [box for _, _, box in found(("sandals", sole), ("sandals", strap))] == [
        Box(100, 470, 130, 500)
    ]


def test_specks_are_no_garments_and_belong_to_none():
    shirt = Box(100, 100, 200, 200)

    assert found(
        ("shirt", shirt), ("shirt", Box(300, 300, 305, 305)), ("coat", Box(10, 10, 20, 20))
    )[0] == ("shirt", "top", shirt)
    assert found(("coat", Box(10, 10, 20, 20))) == []


def test_a_vest_over_a_shirt_is_an_outer_layer():
    vest, shirt = ("vest", Box(100, 100, 200, 200)), ("shirt", Box(120, 80, 180, 100))

    assert [(label, detail) for label, detail, _ in found(vest)] == [("vest", "top")]
    assert ("vest", "outer") in [(label, detail) for label, detail, _ in found(vest, shirt)]


def test_a_suit_without_trousers_of_their_own_covers_the_body():
    suit, trousers = ("suit", Box(100, 100, 200, 400)), ("pants", Box(100, 300, 200, 450))

    assert [detail for _, detail, _ in found(suit)] == ["full"]
    assert [detail for _, detail, _ in found(suit, trousers)] == ["lower", "outer"]


def test_stretches_a_mask_to_the_photo():
    mask = paint(("dress", Box(100, 100, 200, 300)))

    assert [g.box for g in garments_of(mask, 2 * WIDTH, 2 * HEIGHT)] == [Box(200, 200, 400, 600)]


def test_tells_body_from_clothes():
    mask = paint(
        ("skin", Box(0, 0, 20, 10)), ("hair", Box(20, 0, 30, 10)), ("hat", Box(0, 20, 9, 29))
    )

    assert body_of(mask).sum() == 300


def test_training_measuring_and_serving_see_the_same_crop_of_a_garment(tmp_path):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (150, 100, 3), dtype=np.uint8)
    mask = np.zeros((150, 100), np.uint8)
    mask[40:60, 20:80] = LABELS.index("belt")
    rows = [{"id": "7", "image": png(image), "mask": png(mask), "tags": ["belt"]}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "ccp.parquet")

    [trained] = samples.read_outfits(tmp_path / "ccp.parquet")
    [measured] = outfits.crop_garments(
        outfits.read_outfits(tmp_path / "ccp.parquet"), size=(80, 60)
    )
    belt = Found("accessory", "belt", Box(20, 40, 80, 60), 0.9)
    served = scenes._part(image, whole(image), belt, size=(80, 60)).crop

    assert (resize_crop(trained.image, whole(trained.image), (80, 60)) == served).all()
    assert (measured == served).all()
    assert served is not None
    assert (served[0] == served[20]).all(), "what lies above the belt is not in it"


def png(pixels: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
