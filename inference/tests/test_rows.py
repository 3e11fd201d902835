"""New categories of a trained network: rows that leave everything else as it is."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from django.core.management import CommandError, call_command
from safetensors.torch import load_file, save_file

from inference import taxonomy, weights
from inference.contract import Box
from inference.networks.garment_net import GarmentNet
from inference.specs import BadWeights, WeightsSpec
from inference.tests.photos import encode, paint
from inference.tests.test_training import fpi_row, write_files
from inference.training.config import Changes
from inference.training.rows import RowsConfig, add_rows, fit_row, is_rows, read_config

CONFIGS = Path(__file__).parents[1] / "training" / "configs"
CONFIG = RowsConfig(
    name="kalas-mini",
    seed=3,
    size=(40, 32),
    views=6,
    others=20,
    negative_photos=4,
    weight_decay=1e-4,
    changes=Changes(0.3, 0.1, 0.2, 0.2, 0.3, 0.3, 0.1),
)
NEW = "suspenders"


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """A published network that can answer all but the new category."""
    torch.manual_seed(5)
    names = taxonomy.load()
    labels = tuple(name for name in names.label_order if name != NEW)
    spec = WeightsSpec(
        name="kalas-mini",
        version="8",
        architecture="garment-net",
        taxonomy=names.version,
        sha256="",
        input_size=(40, 32),
        widths=(8, 8, 16, 16),
        depths=(1, 1, 1, 1),
        colour_hidden=4,
        labels=labels,
        colour_families=tuple(family.name for family in names.colour_families),
        attributes=names.attribute_order,
        folder=tmp_path,
    )
    network = GarmentNet(
        labels=len(labels),
        colours=len(spec.colour_families),
        attributes=spec.attribute_values,
        widths=spec.widths,
        depths=spec.depths,
        colour_hidden=4,
    )
    network.temperature.fill_(0.7)
    save_file(network.state_dict(), spec.path)
    weights.write_sidecar(spec)
    return spec.path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twenty photos of a shop and a few others, and four of the new category."""
    folder = tmp_path / "data"
    folder.mkdir()
    write_files(folder, "train")
    path = folder / "fpi-train.parquet"
    rows = pq.read_table(path).to_pylist()
    rows += [fpi_row(40 + i, "Suspenders", "Red") for i in range(4)]
    for row in rows[-4:]:
        row["image"] = encode(paint(size=(80, 60), garment=(200, 250, 0), box=Box(5, 2, 55, 30)))
    pq.write_table(pa.Table.from_pylist(rows), path)
    return folder


def test_a_row_more_leaves_all_others_as_they_are(data, start, tmp_path):
    lines: list[str] = []

    path = add_rows(CONFIG, data=data, out=tmp_path / "run", start=start, say=lines.append)

    before, after = weights.widen(load_file(start)), load_file(path)
    order = taxonomy.load().label_order
    others = [i for i, name in enumerate(order) if name != NEW]
    assert (after["category.weight"][others] == before["category.weight"]).all()
    assert (after["category.bias"][others] == before["category.bias"]).all()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"category.weight", "category.bias", "temperature"}
    assert after["temperature"] == 1
    assert any(line.startswith("suspenders: 4 photos") for line in lines)


def test_the_same_file_comes_out_again(data, start, tmp_path):
    first, second = (
        add_rows(CONFIG, data=data, out=tmp_path / name, start=start, say=print).read_bytes()
        for name in ("one", "two")
    )

    assert first == second


def test_the_row_wins_where_the_category_is_and_nowhere_else():
    torch.manual_seed(1)
    network = GarmentNet(labels=3, colours=2, attributes=2, widths=(8, 8, 8, 8), depths=(1,) * 4)
    others = torch.randn(300, 256)
    own = torch.randn(60, 256) * 0.5
    own[:, 7] += 6

    row = fit_row(own, others, network, weight_decay=1e-4)

    def wins(features: torch.Tensor) -> float:
        against = network.category(features).amax(dim=1)
        return float((features @ row.weight + row.bias > against).float().mean())

    assert wins(own) == 1
    assert wins(others) < 0.02


def test_refuses_weights_that_answer_what_is_not_trained(data, start, tmp_path):
    described = start.with_suffix(".toml")
    described.write_text(described.read_text().replace('"shirt"', '"cardigan"'))

    with pytest.raises(BadWeights, match="cardigan, which"):
        add_rows(CONFIG, data=data, out=tmp_path / "run", start=start, say=print)


def test_the_command_knows_the_configuration_that_ships(data, start, tmp_path, capsys):
    text = (CONFIGS / "kalas-mini-4.toml").read_text()
    for name, number in (("views", 2), ("others", 10), ("negative_photos", 2)):
        text = re.sub(rf"(?m)^{name} = \d+$", f"{name} = {number}", text)
    config = tmp_path / "tiny.toml"
    config.write_text(text.replace("size = [112, 84]", "size = [40, 32]"))
    assert is_rows(config)
    assert not is_rows(CONFIGS / "kalas-mini-3.toml")
    assert read_config(config).changes.whole > 0

    call_command("train", config=config, data=data, out=tmp_path / "run", start=start)

    assert "kalas-mini.safetensors" in capsys.readouterr().out


def test_needs_a_network_to_begin_with(data, tmp_path):
    with pytest.raises(CommandError, match="--start"):
        call_command("train", config=CONFIGS / "kalas-mini-4.toml", data=data, out=tmp_path / "run")
