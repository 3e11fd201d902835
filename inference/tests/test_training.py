from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.torch
import torch
from django.core.management import call_command
from PIL import Image

from inference import registry, taxonomy
from inference.networks.garment_net import GarmentNet
from inference.taxonomy import UnknownLabel
from inference.training import loop
from inference.training.augment import augment, find_on_white
from inference.training.config import Stage, TrainConfig, read_config
from inference.training.loop import schedule, train
from inference.training.losses import accepted_loss, attribute_loss, contrast_loss, known_loss
from inference.training.samples import NONE, UnknownFile, read_samples

CONFIGS = Path(__file__).parents[1] / "training" / "configs"

TINY = TrainConfig(
    name="kalas-mini",
    seed=3,
    stages=(Stage(1, ((32, 32), (40, 32))), Stage(1, ((48, 36),))),
    batch_size=8,
    learning_rate=0.05,
    warm_up=0.2,
    cool_down=0.5,
    weight_decay=0.0005,
    label_smoothing=0.1,
    plain_weight=0.2,
    auxiliary_weight=0.2,
    attribute_weight=0.2,
    text_weight=0.3,
    average_decay=0.9,
    clothing_repeats=2,
    outfit_repeats=1,
    negative_photos=4,
)


@pytest.fixture(autouse=True, scope="module")
def _small_network() -> Iterator[None]:
    """kalas-mini's architecture with few channels, on one thread: the steps take milliseconds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.UNTRAINED, "kalas-mini", build_small)
        yield
    torch.set_num_threads(threads)


def build_small() -> GarmentNet:
    return GarmentNet(
        labels=len(taxonomy.load().label_order),
        colours=len(taxonomy.load().colour_families),
        attributes=sum(len(values) for _, values in taxonomy.load().attribute_order),
        widths=(8, 8, 16, 16),
        depths=(1, 1, 1, 1),
    )


class Interrupted(Exception):
    pass


def photo(colour: str, size: tuple[int, int] = (60, 80), format: str = "JPEG") -> bytes:
    """A coloured block in the middle of a white ground."""
    image = Image.new("RGB", size, "white")
    image.paste(colour, (size[0] // 4, size[1] // 4, size[0] * 3 // 4, size[1] * 3 // 4))
    file = BytesIO()
    image.save(file, format)
    return file.getvalue()


def fpi_row(index: int, article_type: str, base_colour: str) -> dict[str, object]:
    return {
        "id": index,
        "image": photo(base_colour.lower()),
        "gender": "Men",
        "article_type": article_type,
        "base_colour": base_colour,
        "display_name": f"Puma Men {base_colour} {article_type}",
    }


def write_files(folder: Path, split: str) -> None:
    types = ["Shirts", "Jeans", "Watches", "Lipstick", "Free Gifts"]
    colours = ["Red", "Blue", "Green"]
    fpi = [fpi_row(i, types[i % 5], colours[i % 3]) for i in range(20)]
    clothing = [
        {"id": str(i), "image": photo("navy", (90, 120)), "label": ["Pants", "Skip"][i % 2]}
        for i in range(6)
    ]
    empty = np.zeros((120, 80), np.uint8)
    empty[30:90, 30:50] = 14
    mask = BytesIO()
    Image.fromarray(empty).save(mask, "PNG")
    ccp = [
        {"id": "1", "image": photo("grey", (80, 120)), "mask": mask.getvalue(), "tags": ["dress"]},
        {"id": "2", "image": photo("grey", (80, 120)), "mask": None, "tags": []},
    ]
    for name, rows in (("fpi", fpi), ("clothing", clothing), ("ccp", ccp)):
        pq.write_table(pa.Table.from_pylist(rows), folder / f"{name}-{split}.parquet")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for split in ("train", "val"):
        write_files(folder, split)
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> Path:
    return train(TINY, data=data, out=tmp_path_factory.mktemp("run"), resume=False, say=print)


def test_reads_photos_with_their_meanings(data):
    reading = read_samples(data / "fpi-train.parquet")

    assert reading.data_set == "fpi"
    assert len(reading.samples) == 16
    assert reading.left_out.total() == 4
    keys = [key for key, _ in taxonomy.load().attribute_order]
    garments = [s for s in reading.samples if s.label != "Lipstick"]
    assert all(NONE not in (s.colour, s.attributes[keys.index("gender")]) for s in garments)
    assert {s.texts[0] for s in reading.samples if s.label == "Jeans"} <= {
        f"men {colour} jeans" for colour in ("red", "blue", "green")
    }


def test_accepts_any_category_of_a_coarse_label(data):
    samples = read_samples(data / "clothing-train.parquet").samples

    assert {s.label for s in samples} == {"Pants"}
    assert len(samples[0].accepts) == 4


def test_refuses_a_label_that_nobody_mapped(tmp_path):
    path = tmp_path / "fpi-train.parquet"
    pq.write_table(pa.Table.from_pylist([fpi_row(0, "Spacesuits", "Red")]), path)

    with pytest.raises(UnknownLabel):
        read_samples(path)


def test_refuses_a_file_of_other_columns(tmp_path):
    path = tmp_path / "other.parquet"
    pq.write_table(pa.Table.from_pylist([{"price": 3}]), path)

    with pytest.raises(UnknownFile, match="price"):
        read_samples(path)


def test_refuses_to_read_categories_from_outfit_masks(data):
    with pytest.raises(UnknownFile, match="pixels"):
        read_samples(data / "ccp-train.parquet")


def test_ships_readable_configs():
    for path in CONFIGS.glob("kalas-mini*.toml"):
        config = read_config(path)

        assert config.sizes_at(0) == config.stages[0].sizes
        assert config.sizes_at(config.epochs - 1) == config.stages[-1].sizes


def test_refuses_a_config_with_an_unknown_key(tmp_path):
    path = tmp_path / "odd.toml"
    path.write_text("stages = []\nlearning_rat = 1\n")

    with pytest.raises(TypeError, match="learning_rat"):
        read_config(path)


def test_warms_up_and_cools_down():
    factors = [schedule(share / 100, warm_up=0.2, cool_down=0.3) for share in range(101)]

    assert factors[0] < 0.05
    assert set(factors[20:70]) == {1.0}
    assert factors[85] == pytest.approx(0.5)
    assert factors[100] == 0
    assert schedule(1, warm_up=0.2, cool_down=0) == 1


def loss_of(logits: list[float], *, plain: int = NONE) -> torch.Tensor:
    """Where the first two of three answers are right."""
    accepts = torch.tensor([[True, True, False]])
    plainly = torch.tensor([plain])
    return accepted_loss(torch.tensor([logits]), accepts, plainly, plain_weight=0.2, smoothing=0)


def test_asks_only_for_one_of_the_accepted_answers():
    first, second = loss_of([9.0, 0.0, 0.0]), loss_of([0.0, 9.0, 0.0])

    assert torch.isclose(first, second)
    assert first < 0.01
    assert loss_of([0.0, 0.0, 9.0]) > 5


def test_prefers_what_the_label_says_by_itself():
    first, second = (loss_of(logits, plain=0) for logits in ([9.0, 0.0, 0.0], [0.0, 9.0, 0.0]))

    assert first < 0.01
    assert 1 < second < loss_of([0.0, 0.0, 9.0], plain=0)


def test_leaves_photos_without_the_label_out_of_an_auxiliary_loss():
    logits = torch.tensor([[5.0, 0.0], [0.0, 5.0]])

    assert known_loss(logits, torch.tensor([-1, -1])) == 0
    assert known_loss(logits, torch.tensor([0, -1])) < 0.01


def test_sums_the_losses_of_the_known_attribute_keys():
    logits = torch.tensor([[9.0, 0.0, 0.0, 9.0, 0.0]])
    right, wrong, unknown = torch.tensor([[0, 1]]), torch.tensor([[0, 0]]), torch.tensor([[-1, -1]])

    assert attribute_loss(logits, right, (2, 3)) < 0.01
    assert attribute_loss(logits, wrong, (2, 3)) > 8
    assert attribute_loss(logits, unknown, (2, 3)) == 0


def test_contrasts_photos_with_their_texts():
    photos = torch.eye(3)
    own, scale = torch.eye(3, dtype=torch.bool), torch.tensor(20.0)
    twins = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    first_two_alike = torch.tensor([[0.7071, 0.7071, 0.0], [0.7071, 0.7071, 0.0], [0.0, 0.0, 1.0]])

    assert contrast_loss(photos, photos, own, scale=scale) < 0.01
    assert contrast_loss(photos, photos[[1, 2, 0]], own, scale=scale) > 10
    assert contrast_loss(photos, first_two_alike, twins, scale=scale) < contrast_loss(
        photos, photos[[2, 2, 0]], twins, scale=scale
    )


def test_augments_to_the_asked_size_and_the_same_for_the_same_seed(data):
    image = read_samples(data / "fpi-train.parquet").samples[0].image
    ground = np.full((30, 30, 3), 90, np.uint8)

    def views(seed: int) -> list[np.ndarray]:
        rng = np.random.default_rng(seed)
        return [augment(image, size=(48, 36), backgrounds=[ground], rng=rng) for _ in range(40)]

    assert all(view.shape == (48, 36, 3) and view.dtype == np.uint8 for view in views(1))
    assert all((a == b).all() for a, b in zip(views(1), views(1), strict=True))
    assert any((a != b).any() for a, b in zip(views(1), views(2), strict=True))


def test_finds_the_garment_on_white_only():
    image = np.full((40, 40, 3), 255, np.uint8)
    image[10:30, 10:30] = 0

    mask = find_on_white(image)

    assert mask is not None
    assert (mask > 0).sum() == 400
    assert find_on_white(np.full((40, 40, 3), 120, np.uint8)) is None


def test_trains_to_a_weights_file(trained):
    tensors = safetensors.torch.load_file(trained)

    assert all(torch.isfinite(tensor.float()).all() for tensor in tensors.values())


def test_resumes_to_the_same_weights_as_an_uninterrupted_run(data, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "_SAVE_SECONDS", 0)
    steps = 0
    original = loop._Run._step

    def interrupt(self, batch):
        nonlocal steps
        steps += 1
        if steps == 5:
            raise Interrupted
        return original(self, batch)

    monkeypatch.setattr(loop._Run, "_step", interrupt)
    with pytest.raises(Interrupted):
        train(TINY, data=data, out=tmp_path, resume=False, say=print)
    monkeypatch.setattr(loop._Run, "_step", original)
    resumed = train(TINY, data=data, out=tmp_path, resume=True, say=print)

    tensors = safetensors.torch.load_file(resumed)
    for name, expected in safetensors.torch.load_file(trained).items():
        torch.testing.assert_close(tensors[name], expected, rtol=1e-4, atol=1e-5)


def test_trains_on_from_other_weights_by_command(data, trained, tmp_path):
    config = tmp_path / "tiny.toml"
    text = (CONFIGS / "kalas-mini-2.toml").read_text()
    stages = text[text.index("stages") : text.index("batch_size")]
    for old, new in (
        (stages, "stages = [{epochs = 1, sizes = [[32, 32]]}]\n"),
        ("batch_size = 128", "batch_size = 16"),
        ("negative_photos = 1200", "negative_photos = 4"),
    ):
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)

    call_command("train", config=config, data=data, out=tmp_path / "run", start=trained)

    assert (tmp_path / "run" / "kalas-mini.safetensors").exists()
