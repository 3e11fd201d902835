"""Maps of an outfit's parts, and garments told by their details."""

import json
from io import BytesIO

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command
from PIL import Image

from inference.networks.superpoint import SuperPoint
from inference.tests import goldens
from inference.tests.threads import one_thread  # noqa: F401
from inference.training.outfits import LABELS
from inference.wizard import details, parts, votes
from inference.wizard.parts import PARTS, BadParts


@pytest.fixture
def outfit():
    """A hat above a dress."""
    map_ = np.zeros((60, 40), np.uint8)
    map_[5:12, 15:25] = PARTS.index("headwear")
    map_[15:55, 8:32] = PARTS.index("dress")
    return map_


def test_there_are_fifteen_parts_and_a_background():
    assert len(PARTS) == 16
    assert len(set(parts.COLOURS.values())) == 16


def test_a_map_goes_out_in_its_colours_and_comes_back(outfit):
    data = parts.write_png(outfit)

    with Image.open(BytesIO(data)) as picture:
        assert picture.getpixel((20, 30)) == (16, 78, 139)
        assert picture.getpixel((0, 0)) == (0, 0, 0)
    assert np.array_equal(parts.read_png(data), outfit)


def test_every_part_survives():
    everything = np.arange(16, dtype=np.uint8).reshape(4, 4)

    assert np.array_equal(parts.read_png(parts.write_png(everything)), everything)


def test_says_which_colour_is_no_parts(outfit):
    kept = BytesIO()
    picture = Image.open(BytesIO(parts.write_png(outfit)))
    picture.putpixel((3, 2), (1, 2, 3))
    picture.save(kept, "PNG")

    with pytest.raises(BadParts, match="1-2-3 at 3, 2 is no part's"):
        parts.read_png(kept.getvalue())


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_refuses_what_is_no_png(data):
    with pytest.raises(BadParts, match="no PNG"):
        parts.read_png(data)


def test_goes_out_as_cocos_json_and_comes_back(outfit, tmp_path):
    path = tmp_path / "segmentation.json"
    path.write_text(parts.write_json({"a.jpg": outfit}))

    map_, found = parts.read_json(path)["a.jpg"]

    assert np.array_equal(map_, outfit)
    assert [(p.name, p.box.as_tuple()) for p in found] == [
        ("dress", (8, 15, 32, 55)),
        ("headwear", (15, 5, 25, 12)),
    ]


def test_reads_polygons(tmp_path):
    content = {
        "images": [{"id": 7, "file_name": "b.jpg", "height": 20, "width": 30}],
        "categories": [{"id": 3, "name": "Pants"}],
        "annotations": [
            {"image_id": 7, "category_id": 3, "segmentation": [[5, 5, 15, 5, 15, 15, 5, 15]]}
        ],
    }
    path = tmp_path / "segmentation.json"
    path.write_text(json.dumps(content))

    [(map_, [part])] = parts.read_json(path).values()

    assert (part.name, part.box.as_tuple()) == ("pants", (5, 5, 15, 15))
    assert map_.sum() == 100 * PARTS.index("pants")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "no segmentation"),
        ("{}", "no segmentation"),
        (
            '{"categories": [{"id": 1, "name": "wings"}], "images": [], "annotations": []}',
            "no part 'wings'",
        ),
    ],
)
def test_refuses_what_is_no_segmentation(text, complaint, tmp_path):
    path = tmp_path / "segmentation.json"
    path.write_text(text)

    with pytest.raises(BadParts, match=complaint):
        parts.read_json(path)


def test_the_command_goes_both_ways(outfit, tmp_path):
    maps, written, back = tmp_path / "maps", tmp_path / "parts.json", tmp_path / "back"
    maps.mkdir()
    (maps / "a.png").write_bytes(parts.write_png(outfit))

    call_command("convert_parts", maps, written)
    call_command("convert_parts", written, back)

    assert np.array_equal(parts.read_png((back / "a.png").read_bytes()), outfit)


def test_the_command_writes_all_or_nothing(outfit, tmp_path):
    maps = tmp_path / "maps"
    maps.mkdir()
    (maps / "a.png").write_bytes(parts.write_png(outfit))
    (maps / "b.png").write_bytes(b"x")

    with pytest.raises(CommandError, match=r"b.png: This is no PNG"):
        call_command("convert_parts", maps, tmp_path / "parts.json")
    assert not (tmp_path / "parts.json").exists()


def test_a_name_in_the_json_is_no_path(outfit, tmp_path):
    written = tmp_path / "parts.json"
    written.write_text(parts.write_json({"../../evil.png": outfit}))

    with pytest.raises(CommandError, match="is no file name"):
        call_command("convert_parts", written, tmp_path / "back")


def test_ccps_labels_are_parts():
    mask = np.array([[LABELS.index(n) for n in ("null", "jeans", "sneakers", "ring", "coat")]])

    found = parts.from_ccp(mask.astype(np.uint8))

    assert [PARTS[i] for i in found[0]] == [
        "background",
        "pants",
        "footwear",
        "background",
        "outer",
    ]


def test_details_are_looked_for_in_the_mask_within_its_box(outfit):
    dress = next(p for p in parts.find_parts(outfit) if p.name == "dress")

    region = parts.find_region(dress, margin=2)

    assert region.sum() == (40 - 4) * (24 - 4)
    assert region[17, 10]
    assert not region[15, 8]


@pytest.fixture(scope="module")
def network():
    made = SuperPoint().eval()
    with torch.inference_mode():
        goldens.fill(made, gain=goldens.RULE_B)
    return made


def draw_print(seed):
    """A cloth with a print of its own."""
    generator = goldens.generate(seed)
    image = np.full((120, 96, 3), 200, np.uint8)
    for _ in range(30):
        top, left = generator.integers(0, 100), generator.integers(0, 80)
        image[top : top + 14, left : left + 12] = generator.integers(0, 256, 3)
    return image


def test_extracts_inside_the_region_of_any_size(network):
    image = draw_print(1)[:117, :91]
    region = np.zeros(image.shape[:2], np.bool_)
    region[30:80, 20:70] = True

    found = details.extract(network, image, region=region)

    assert len(found.places) > 10
    x, y = found.places.T
    assert ((x >= 20) & (x < 70) & (y >= 30) & (y < 80)).all()
    assert np.linalg.norm(found.vectors, axis=1) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_the_garment_with_the_same_details_gets_the_votes(metric, network):
    shop = {f"print {i}": details.extract(network, draw_print(i)).vectors for i in range(6)}
    # The same print in other light, a few pixels of it lost.
    asked = (draw_print(4)[8:, 8:] * 0.9).astype(np.uint8)

    ranked = details.DetailIndex(shop, metric=metric).vote(
        details.extract(network, asked).vectors, least=0.5
    )

    assert ranked[0][0] == "print 4"
    assert 0 < ranked[0][1] <= 1


def test_few_are_compared_with_the_same_answer(network):
    shop = {f"print {i}": details.extract(network, draw_print(i)).vectors for i in range(6)}
    asked = details.extract(network, draw_print(4)[8:, 8:]).vectors

    exactly = votes.vote(asked, shop, least=0.5)

    by_index = details.DetailIndex(shop).vote(asked, least=0.5)
    assert [name for name, _ in exactly] == [name for name, _ in by_index]
    assert [s for _, s in exactly] == pytest.approx([s for _, s in by_index], abs=1e-4)


def test_many_details_are_searched_by_lists():
    generator = goldens.generate(9)
    vectors = generator.standard_normal((3000, 256), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    shop = {f"garment {i}": vectors[i * 100 : i * 100 + 100] for i in range(30)}

    ranked = details.DetailIndex(shop).vote(vectors[1200:1300])

    assert ranked[0][0] == "garment 12"
    assert ranked[0][1] == pytest.approx(1, abs=1e-4)


def test_nothing_has_no_votes():
    empty = np.zeros((0, 256), np.float32)

    assert details.DetailIndex({"a": empty}).vote(empty) == []
    assert votes.vote(empty, {"a": empty}) == []
