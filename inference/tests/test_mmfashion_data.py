"""DeepFashion's lists are read rightly; each mistake of MMFashion's is shown beside."""

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command
from PIL import Image

from inference.mmfashion.data import deepfashion, prepare, samples
from inference.mmfashion.data.lists import BadData
from inference.tests.goldens import read

GOLDEN = read("datasets.json")
KINDS = {
    "attributes": "AttrDataset",
    "landmarks": "LandmarkDetectDataset",
    "in-shop": "InShopDataset",
    "consumer-to-shop": "ConsumerToShopDataset",
}


@pytest.fixture
def lay(tmp_path):
    """The example set of that kind in a folder."""

    def lay_out(kind):
        golden = GOLDEN[KINDS[kind]]
        for name, text in golden["raw"].items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        root = tmp_path / next(iter(golden["raw"])).split("/")[0]
        for name, size in golden["sizes"].items():
            path = root / "Img" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size, (40, 90, 160)).save(path)
        return root

    return lay_out


def read_tokens(text):
    return [[_number(token) for token in line.split()] for line in text.splitlines()]


def _number(token):
    return int(token) if token.lstrip("-").isdecimal() else token


def read_golden(kind):
    return {
        name.rsplit("/", 1)[-1]: read_tokens(text)
        for name, text in GOLDEN[KINDS[kind]]["prepared"].items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_prepares_what_the_original_prepares_but_for_its_mistakes(kind, lay):
    files = prepare.PREPARERS[kind](lay(kind))

    found = {name: read_tokens("\n".join(lines)) for name, lines in files.items()}
    differing = {name for name, rows in read_golden(kind).items() if found[name] != rows}
    assert (
        differing
        == {
            "attributes": set(),
            "landmarks": set(),
            "in-shop": {f"{split}_landmarks.txt" for split in ("train", "query", "gallery")},
            "consumer-to-shop": {"train_id.txt"},
        }[kind]
    )


def test_inshop_landmarks_are_their_own_and_not_the_one_befores(lay):
    """`3 1  0 060 060  1 070 075  0 080 090` was written as 3 1, 70 75, 80 90."""
    files = prepare.prepare_inshop(lay("in-shop"))

    old = read_golden("in-shop")["train_landmarks.txt"][0]
    assert old[:6] == [3, 1, 70, 75, 80, 90]
    assert files["train_landmarks.txt"][0].split()[:8] == [
        "60",
        "60",
        "0",
        "0",
        "80",
        "90",
        "90",
        "105",
    ]


def test_a_training_pair_has_its_own_id(lay):
    """Two lines were written for each pair and one was read: the second pair got the first id."""
    root = lay("consumer-to-shop")
    files = prepare.prepare_pairs(root)

    old = GOLDEN["ConsumerToShopDataset"]["items"]["ids_list"]
    assert old[:3] == [0, 0, 1]
    assert files["train_id.txt"] == ["0", "1", "1"]
    assert [p.consumer.item for p in deepfashion.read_pairs(root)[:3]] == [
        "id_00000011",
        "id_00000012",
        "id_00000012",
    ]


def test_consumers_attributes_are_compared_as_numbers(lay):
    """A text was compared with the number 1: every vector was zeros."""
    pairs = deepfashion.read_pairs(lay("consumer-to-shop"))

    old = GOLDEN["ConsumerToShopDataset"]["items"]["attribute_vectors"]
    assert all(vector == [0, 0, 0] for vector in old.values())
    assert pairs[0].consumer.attributes == (1, 0, 0)
    assert pairs[3].shop.attributes == (1, 1, 0)


def test_categories_count_from_zero(lay):
    pictures = deepfashion.read_attributes(lay("attributes"))

    assert [p.category for p in pictures if p.split == "test"] == [2, 2]
    assert GOLDEN["AttrDataset"]["items"]["items"][0]["cate"]["tensor"] == [2.0]


@pytest.mark.parametrize(
    ("kind", "key"), [("attributes", "landmark"), ("landmarks", "landmark_for_regression")]
)
def test_landmarks_are_in_pixels_of_the_picture(kind, key, lay):
    root = lay(kind)
    reader = {"attributes": deepfashion.read_attributes, "landmarks": deepfashion.read_landmarks}
    pictures = [p for p in reader[kind](root) if p.split == "test"]

    for picture, golden in zip(pictures, GOLDEN[KINDS[kind]]["items"]["items"], strict=True):
        sample = samples.read_sample(root, picture, margin=samples.ATTRIBUTE_MARGIN)
        count = 2 * len(picture.points)
        found = sample.points.flatten()[:count].tolist()
        assert found == pytest.approx(golden[key]["tensor"][:count], abs=1e-5)
        assert sample.image.shape == (3, 224, 224)
        if "vis" in golden:
            assert sample.visible.int().tolist() == golden["vis"]["tensor"]


def test_retrievals_landmarks_were_in_sevenths_of_the_whole_photo(lay):
    """The windows lay in the top left corner; `as_written` gives those numbers still."""
    root = lay("consumer-to-shop")
    picture = deepfashion.read_pairs(root)[3].consumer
    golden = GOLDEN["ConsumerToShopDataset"]["items"]["query_items"][0]["landmark"]["tensor"]
    with Image.open(root / "Img" / picture.image) as image:
        size = image.size
    crop = samples.enlarge(picture, *size, samples.RETRIEVAL_MARGIN)

    old = samples.place_points_as_written(picture, size, crop).flatten()
    sample = samples.read_sample(root, picture, margin=samples.RETRIEVAL_MARGIN)

    seen = [i for p, (v, _, _) in enumerate(picture.points) if v == 0 for i in (2 * p, 2 * p + 1)]
    assert old[seen].tolist() == pytest.approx(np.array(golden)[seen], abs=1e-5)
    assert old.max() < 7 < sample.points.max()


def test_a_sample_is_the_same_each_time(lay):
    root = lay("attributes")
    picture = deepfashion.read_attributes(root)[0]

    first, second = (samples.read_sample(root, picture, margin=10).image for _ in range(2))

    assert torch.equal(first, second)


def test_a_data_set_of_one_photo_is_one(lay):
    """np.loadtxt made its only row a column."""
    root = lay("landmarks")
    for name in ("Anno/list_bbox.txt", "Anno/list_landmarks.txt", "Eval/list_eval_partition.txt"):
        lines = (root / name).read_text().splitlines()
        (root / name).write_text("\n".join(["1", *lines[1:3]]) + "\n")

    assert len(deepfashion.read_landmarks(root)) == 1


@pytest.mark.parametrize(
    ("name", "old", "new", "complaint"),
    [
        ("Anno/list_bbox.txt", None, None, "list_bbox.txt is missing"),
        ("Anno/list_bbox.txt", "6\n", "7\n", "7 rows are announced, 6 are there"),
        ("Anno/list_bbox.txt", "6\n", "image\n", "how many rows follow"),
        ("Anno/list_bbox.txt", "050 020 250 180", "050 020 250", "line 3: 5 columns are needed"),
        ("Anno/list_bbox.txt", "050 020", "x y", "line 3: whole numbers"),
        ("Anno/list_bbox.txt", "050 020 250", "300 020 250", "line 3: the box is empty"),
        ("Anno/list_bbox.txt", "img_00000001", "img_00000099", "has no row for img/Sheer_Blouse"),
        ("Eval/list_eval_partition.txt", "   val", "   dev", "'dev' is none of test, train, val"),
        ("Anno/list_attr_img.txt", " 1 -1 -1  0", " 1 -1 -1", "attributes are needed"),
        ("Anno/list_landmarks.txt", "1  0 060 060", "1  060 060 9 9", "visibility, x, y"),
    ],
)
def test_says_what_is_wrong_with_a_data_set(name, old, new, complaint, lay):
    root = lay("attributes")
    before = sorted(p.name for p in (root / "Anno").iterdir())
    if old is None:
        (root / name).unlink()
        before.remove("list_bbox.txt")
    else:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new, 1))

    with pytest.raises(CommandError, match=complaint) as caught:
        call_command("prepare_data", "attributes", root)

    assert caught.value.returncode == 2
    assert sorted(p.name for p in (root / "Anno").iterdir()) == before


def test_a_missing_photo_is_named(lay):
    root = lay("attributes")
    picture = deepfashion.read_attributes(root)[0]
    (root / "Img" / picture.image).unlink()

    with pytest.raises(BadData, match=r"img_00000001.jpg is missing"):
        samples.read_sample(root, picture, margin=10)


def test_the_command_counts_the_boxes_of_consumers_too(lay, capsys):
    call_command("prepare_data", "consumer-to-shop", lay("consumer-to-shop"))

    assert "12 files are written, with 10 boxes" in capsys.readouterr().out


def test_the_command_writes_beside_the_lists(lay, capsys):
    root = lay("in-shop")

    call_command("prepare_data", "in-shop", root)

    assert (root / "Anno" / "query_id.txt").read_text() == "2\n3\n"
    assert "15 files are written, with 8 boxes" in capsys.readouterr().out
