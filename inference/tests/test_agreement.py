import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from inference.tests.photos import encode, paint
from inference.training.agreement import find_pairs, measure, report
from inference.training.evaluation.photos import read_photos
from inference.training.samples import UnknownFile

ONE, OTHER = (encode(paint(garment=colour)) for colour in ((200, 0, 0), (0, 0, 90)))
COLUMNS = ("image", "display_name", "article_type", "base_colour")
LISTED = [
    (ONE, "Acme Men Red Shirt", "Shirts", "Red"),
    (ONE, "Acme Men Red Shirt", "Shirts", "Red"),
    (ONE, "Acme Men Maroon Shirt", "Shirts", "Maroon"),
    (ONE, "Acme Men Top", "Tops", None),
    (OTHER, "Acme Men Shirt", "Shirts", "Blue"),
]


def write(folder, listed):
    rows = [dict(zip(COLUMNS, row, strict=True), id=i) for i, row in enumerate(listed)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "fpi-some.parquet")
    return folder / "fpi-some.parquet"


def test_counts_equal_labels_of_equal_photos(tmp_path):
    pairs = find_pairs(read_photos(write(tmp_path, LISTED)).photos)

    assert len(pairs) == 6
    agreements = {each.label: each for each in measure(pairs)}
    of_type, colour, family = (agreements[n] for n in ("type", "colour", "colour family"))
    assert (of_type.everywhere.hits, of_type.everywhere.total) == (3, 6)
    assert (of_type.named_apart.hits, of_type.named_apart.total) == (2, 5)
    # The photo without a colour says nothing of colours; maroon is a red.
    assert (colour.everywhere.hits, colour.everywhere.total) == (1, 3)
    assert (family.everywhere.hits, family.named_apart.hits) == (3, 2)


def test_says_where_no_photo_is_there_twice(tmp_path):
    assert report(write(tmp_path, LISTED[-2:])) == [
        "fpi-some: 0 pairs of 2 photos are the same file."
    ]


def test_refuses_what_has_no_labels_of_photos(tmp_path):
    path = tmp_path / "ccp-some.parquet"
    pq.write_table(pa.table({"id": [1], "image": [ONE], "mask": [None]}), path)

    with pytest.raises(UnknownFile, match="name an fpi or clothing file"):
        report(path)
