"""The command on tiny files: a file in, every number out."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from django.core.management import CommandError, call_command
from PIL import Image
from safetensors.torch import save_file

from inference import taxonomy
from inference.networks.garment_net import GarmentNet
from inference.networks.text_net import TextNet
from inference.tests.photos import encode, paint

COLOURS = {"Red": (200, 30, 40), "Blue": (30, 50, 180), "Gold": (190, 160, 60)}
TYPES = ("Shirts", "Jeans", "Watches", "Lipstick", "Free Gifts")


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write(folder / "fpi-val.parquet", [fpi_row(i) for i in range(24)])
    clothing = [
        {
            "id": str(i),
            "image": photo("Blue", size=(120, 90)),
            "label": label,
            "small_label": label.lower() if label in {"Pants", "Dress"} else "",
        }
        for i, label in enumerate(["Pants", "Dress", "Skip", "Polo", "Pants", "Hat"])
    ]
    write(folder / "clothing-val.parquet", clothing)
    write(folder / "ccp-val.parquet", [ccp_row(i) for i in range(3)])
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of an untrained network, always the same."""
    torch.manual_seed(5)
    names = taxonomy.load()
    network = GarmentNet(
        labels=len(names.label_order),
        colours=len(names.colour_families),
        attributes=sum(len(values) for _, values in names.attribute_order),
        widths=(8, 8, 16, 16),
        depths=(1, 2, 1, 1),
    )
    path = tmp_path_factory.mktemp("run") / "tiny.safetensors"
    save_file(network.state_dict(), path)
    save_file(TextNet().state_dict(), path.with_name("tiny-texts.safetensors"))
    return path


@pytest.fixture(scope="module")
def evaluation(data, weights) -> dict[str, Any]:
    return evaluate(data, weights)


def evaluate(data: Path, weights: Path, **options: Any) -> dict[str, Any]:
    out = weights.with_suffix(".json")
    names = ("fpi", "clothing", "ccp")
    call_command(
        "evaluate",
        *(str(data / f"{name}-val.parquet") for name in names),
        weights=weights,
        texts=weights.with_name("tiny-texts.safetensors"),
        size=(48, 36),
        json=out,
        **options,
    )
    return cast(dict[str, Any], json.loads(out.read_text()))


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


def photo(colour: str, *, size: tuple[int, int] = (80, 60)) -> bytes:
    return encode(paint(size=size, garment=COLOURS[colour]))


def fpi_row(index: int) -> dict[str, Any]:
    article, colour = TYPES[index % 5], list(COLOURS)[index % 3]
    pattern = ("Striped", "Solid", "")[index % 3]
    return {
        "id": index,
        "image": photo(colour),
        "gender": "Men",
        "article_type": article,
        "base_colour": colour,
        "season": "Summer",
        "usage": "Casual",
        "display_name": f"Puma Men {pattern} {colour} {article}",
    }


def ccp_row(index: int) -> dict[str, Any]:
    mask = np.zeros((120, 80), np.uint8)
    mask[30:90, 20:60] = 14
    file = BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    masked = file.getvalue() if index < 2 else None
    return {"id": str(index), "image": photo("Red", size=(120, 80)), "mask": masked, "tags": []}


def metrics(evaluation: dict[str, Any], file: str, way: str) -> dict[str, Any]:
    (found,) = [f for f in evaluation["files"] if f["name"] == file]
    return cast(dict[str, Any], found["ways"][way]["metrics"])


def test_measures_a_catalogue(evaluation):
    whole = metrics(evaluation, "fpi-val", "whole")

    # Every fifth photo is a free gift, which may be anything.
    assert whole["category top-1"]["count"] == 20
    assert evaluation["files"][0]["left_out"] == {"Free Gifts: anything from watches to sarees": 4}
    assert whole["gender: accuracy"]["count"] == 15
    assert whole["pattern macro-F1"]["count"] > 0
    assert whole["words → photo: hit rate@10"]["count"] == 15
    assert whole["photo → same type and colour: P@10"]["count"] == 24
    assert whole["self-retrieval: R@1"]["count"] == 24
    assert whole["category: calibration error"]["interval"] == "bootstrap"


def test_measures_what_the_engine_serves(evaluation):
    served = metrics(evaluation, "fpi-val", "served")

    # Red and blue cloth on white; gold is not measured in pixels.
    assert served["measured colour family, 11 basic"]["value"] == 1


def test_measures_a_benchmark(evaluation):
    whole = metrics(evaluation, "clothing-val", "whole")

    assert whole["category top-1"]["count"] == 5
    assert whole["category top-1, photos turned by a quarter"]["count"] == 5
    assert whole["ten classes: accuracy"]["count"] == 3


def test_measures_what_is_named_and_not_there(evaluation):
    served = metrics(evaluation, "clothing-val", "served")

    assert served["nothing beside the garment"]["count"] == 5


def test_measures_outfits(evaluation):
    whole = metrics(evaluation, "ccp-val", "whole")
    served = metrics(evaluation, "ccp-val", "served")

    assert evaluation["files"][2]["photos"] == 2
    assert whole["category top-1"]["count"] == 2
    assert whole["abstains without a garment"]["count"] == 300
    assert 0 <= served["mAP@[.5:.95]"]["value"] <= served["mAP@0.5"]["value"] <= 1


def test_tells_types_of_photos_apart(evaluation):
    rows = {(r["way"], r["kind"], r["key"]): r["count"] for r in evaluation["types"]}

    assert rows["whole", "catalogue", "category top-1"] == 20
    assert rows["whole", "flat-lay", "category top-1"] == 5
    assert rows["whole", "worn", "category top-1"] == 2


def test_gives_every_interval_around_its_number(evaluation):
    for file in evaluation["files"]:
        for way in file["ways"].values():
            for number in way["metrics"].values():
                assert number["low"] <= number["value"] <= number["high"]


def test_gives_the_same_numbers_again(evaluation, data, weights):
    assert evaluate(data, weights) == evaluation


def test_asks_fewer_photos_one_way(data, weights):
    found = evaluate(data, weights, limit=5, ways=["whole"])

    assert found["files"][0]["photos"] == 5
    assert list(found["files"][0]["ways"]) == ["whole"]


def test_compares_with_an_earlier_evaluation(evaluation, weights, capsys):
    earlier = weights.with_name("earlier.json")
    earlier.write_text(json.dumps(evaluation))

    call_command("evaluate", compare=[earlier, earlier])

    said = capsys.readouterr().out
    assert "fpi-val whole   category top-1" in said
    assert "0 better, 0 worse, p = 1" in said


def test_leaves_out_labels_and_photos_that_it_does_not_know(weights, tmp_path):
    rows = [fpi_row(0), fpi_row(1) | {"article_type": "Spacesuits"}, fpi_row(2) | {"image": b"x"}]
    write(tmp_path / "fpi-test.parquet", rows)
    out = tmp_path / "out.json"

    call_command(
        "evaluate",
        str(tmp_path / "fpi-test.parquet"),
        weights=weights,
        size=(48, 36),
        json=out,
        ways=["whole"],
    )

    (file,) = json.loads(out.read_text())["files"]
    assert file["left_out"] == {
        "Spacesuits: a label that the mapping does not know": 1,
        "unreadable photo: unsupported-format": 1,
    }
    assert file["ways"]["whole"]["metrics"]["category top-1"]["count"] == 1


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.parquet", None, "missing.parquet"),
        ("text.parquet", b"no parquet", "text.parquet"),
        ("other.parquet", [{"price": 3}], "price"),
        ("bare.parquet", [{"article_type": "Shirts"}], "id, image"),
    ],
)
def test_refuses_a_wrong_file_in_one_line(weights, tmp_path, name, content, said):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        write(path, content)

    with pytest.raises(CommandError, match=said) as refused:
        call_command("evaluate", str(path), weights=weights, size=(48, 36))

    assert refused.value.returncode == 2
    assert "\n" not in str(refused.value)


def test_refuses_to_measure_nothing_or_into_nowhere(data, tmp_path):
    with pytest.raises(CommandError, match="Name files"):
        call_command("evaluate")
    with pytest.raises(CommandError, match="no folder"):
        call_command(
            "evaluate", str(data / "fpi-val.parquet"), json=tmp_path / "missing" / "out.json"
        )


def test_refuses_other_weights(data, tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"stem": torch.zeros(3)}, path)

    with pytest.raises(CommandError, match="another network"):
        call_command("evaluate", str(data / "fpi-val.parquet"), weights=path)
