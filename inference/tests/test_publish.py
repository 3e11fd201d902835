from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file

from inference import registry, specs, taxonomy, torch_networks
from inference.mirror import mirror, see_both_sides
from inference.networks.garment_net import GarmentNet
from inference.networks.text_net import TextNet
from inference.tests.photos import encode, paint
from inference.training.loop import WORDS_FILE
from inference.training.publish import publish


@pytest.fixture
def run(tmp_path: Path) -> Path:
    torch.manual_seed(5)
    names = taxonomy.load()
    network = GarmentNet(
        labels=len(names.label_order),
        colours=len(names.colour_families),
        attributes=sum(len(values) for _, values in names.attribute_order),
        widths=(8, 8, 16, 16),
        depths=(1, 2, 1, 1),
        colour_hidden=4,
    )
    path = tmp_path / "kalas-mini.safetensors"
    save_file(network.state_dict(), path)
    save_file(TextNet().state_dict(), path.with_name(WORDS_FILE))
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    rows = [
        {
            "id": i,
            "image": encode(paint(size=(80, 60), garment=(i * 8, 90, 90))),
            "gender": "Men",
            "article_type": "Shirts",
            "base_colour": "Red",
            "display_name": "Puma Men Striped Red Shirt",
        }
        for i in range(24)
    ]
    path = tmp_path / "fpi-val.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_stores_a_run_as_a_version_that_can_be_asked(run, photos, tmp_path, capsys):
    store = tmp_path / "store"
    store.mkdir()

    publish(run, version="9", size=(48, 36), files=[photos], store=store, say=print)

    spec = specs.find("kalas-mini", store=store)
    assert (spec.version, spec.input_size, spec.text) == ("9", (48, 36), "kalas-words@9")
    assert (spec.widths, spec.depths) == ((8, 8, 16, 16), (1, 2, 1, 1))
    assert (spec.colour_hidden, spec.mirrored) == (4, False)
    assert set(spec.floors) == {"category", *(key for key, _ in spec.attributes)}
    assert specs.find(spec.text, store=store).architecture == "text-net"
    network = registry.build_described(spec)
    fitted = float(network.temperature)
    # One and the same label for all photos: the surer the better.
    assert fitted != 1
    keys = [len(values) for _, values in spec.attributes]
    assert len(network.attribute_temperatures) == sum(keys)
    assert f"category: temperature {fitted:.4f}" in capsys.readouterr().out
    assert load_file(spec.path)["category.weight"].dtype == torch.float16


def test_a_mirrored_version_says_the_same_of_mirror_images(run, photos, tmp_path):
    store = tmp_path / "store"
    store.mkdir()
    crops = np.random.default_rng(1).integers(0, 256, (3, 48, 36, 3), dtype=np.uint8)

    publish(run, version="9", size=(48, 36), files=[photos], mirrored=True, store=store, say=print)

    model = torch_networks.open_model(specs.find("kalas-mini@9", store=store), device="cpu")
    see = see_both_sides(model)
    seen, mirrored = see(crops), see(mirror(crops))
    for one, other in zip(seen, mirrored, strict=True):
        assert np.abs(one - other).max() <= 1e-4 * np.abs(one).max()
    # What it says is between what it says of the crop and of its mirror image.
    category = (model.garments(crops)[0] + model.garments(mirror(crops))[0]) / 2
    assert seen[0] == pytest.approx(category, abs=1e-4)
    assert np.linalg.norm(seen[1], axis=1) == pytest.approx(np.ones(3), abs=1e-4)
