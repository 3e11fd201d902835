import re
from collections.abc import Iterator
from dataclasses import replace
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

from inference import registry, taxonomy, weights
from inference.networks.garment_net import GarmentNet
from inference.specs import BadWeights, WeightsSpec
from inference.taxonomy import UnknownLabel
from inference.training import loop, rows
from inference.training.batches import Plan, TrainingSet
from inference.training.config import Changes, TrainConfig, read_config
from inference.training.loop import schedule, train
from inference.training.samples import NONE, Sample, UnknownFile, read_samples
from inference.training.texts import Texts

CONFIGS = Path(__file__).parents[1] / "training" / "configs"

TINY = TrainConfig(
    name="kalas-mini",
    seed=3,
    epochs=2,
    size=(40, 32),
    batch_size=8,
    twice=4,
    learning_rate=(0.05, 0.0),
    words_rate=0.001,
    warm_up=0.2,
    weight_decay=0.0005,
    label_smoothing=0.1,
    plain_weight=0.2,
    article_weight=0.2,
    colour_weight=0.5,
    attribute_weight=0.1,
    text_weight=0.3,
    alike_weight=0.2,
    kin_weight=0.1,
    bank=16,
    average_decay=0.9,
    clothing_repeats=2,
    outfit_repeats=1,
    negative_photos=4,
    changes=Changes(0.1, 0.2, 0.3, 0.2, 0.3, 0.2, 0.1),
    attribute_weights={"gender": 0.5},
    apart=("season",),
    balanced=("gender",),
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


def build_small(widths: tuple[int, ...] = (8, 8, 16, 16)) -> GarmentNet:
    return GarmentNet(
        labels=len(taxonomy.load().label_order),
        colours=len(taxonomy.load().colour_families),
        attributes=sum(len(values) for _, values in taxonomy.load().attribute_order),
        widths=widths,
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
    for name, table in (("fpi", fpi), ("clothing", clothing), ("ccp", ccp)):
        pq.write_table(pa.Table.from_pylist(table), folder / f"{name}-{split}.parquet")


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
    assert {s.name for s in reading.samples if s.label == "Jeans"} <= {
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
    keys = {key for key, _ in taxonomy.load().attribute_order}
    types = set(taxonomy.load_labels("fpi").meanings)

    for path in CONFIGS.glob("kalas-mini*.toml"):
        if rows.is_rows(path):
            assert rows.read_config(path).views > 0
            continue
        config = read_config(path)

        assert {*config.attribute_weights, *config.apart, *config.balanced} <= keys
        assert set(config.repeats) <= types


def test_refuses_a_config_with_an_unknown_key(tmp_path):
    path = tmp_path / "odd.toml"
    path.write_text("size = [64, 48]\nlearning_rat = 1\n[changes]\n")

    with pytest.raises(TypeError):
        read_config(path)


def test_warms_up_and_goes_along_a_line():
    factors = [schedule(share / 100, warm_up=0.2, rates=(0.2, 0.1)) for share in range(101)]

    assert factors[0] < 0.05
    assert factors[50] == pytest.approx(0.75)
    assert factors[100] == pytest.approx(0.5)
    assert schedule(0.5, warm_up=0, rates=(0.1, 0.0)) == pytest.approx(0.5)


def sample(*, name: str = "", descriptions: tuple[str, ...] = (), article: str = "") -> Sample:
    return Sample(
        image=np.zeros((8, 8, 3), np.uint8),
        id="1",
        label="x",
        accepts=(0,),
        article=article,
        name=name,
        descriptions=descriptions,
    )


def test_knows_which_texts_fit_which_photo():
    red = ("red shirt", "red tee", "kırmızı gömlek")
    samples = [
        sample(name="checked red shirt", descriptions=red),
        sample(name="plain red shirt", descriptions=red),
        sample(descriptions=("blue shirt", "mavi gömlek")),
        sample(),
    ]
    texts = Texts(samples)
    rng = np.random.default_rng(1)
    chosen = {photo: {texts.choose(photo, rng) for _ in range(100)} for photo in range(4)}
    photos, own = np.array([0, 1, 2]), np.array([0, 4, 5])

    assert chosen == {0: {0, 1, 2, 3}, 1: {1, 2, 3, 4}, 2: {5, 6}, 3: {NONE}}
    fits = texts.fit(photos, own, np.arange(7))
    assert fits.astype(int).tolist() == [
        [1, 1, 1, 1, 0, 0, 0],
        [0, 1, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 0, 1, 1],
    ]
    ids, weights = texts.encode(np.array([1, 5]))
    assert ids.shape == weights.shape
    assert (weights[:, -1] > 0).any()


def test_fills_half_of_each_batch_with_runs_of_one_type():
    samples = [sample(article=f"type {i % 20}", name=f"name {i}") for i in range(640)]
    training_set = TrainingSet(
        samples, repeats=[1.0] * 640, articles=["type 0"], backgrounds=[], seed=1
    )
    plan = Plan((32, 32), batch_size=32, twice=8, bank=10, changes=TINY.changes)

    batches = list(training_set.batches(plan, epochs=1))

    assert len(batches) == training_set.steps(batch_size=32)
    for batch in batches:
        photos = batch.photos.tolist()
        assert len(photos) == 40
        assert set(photos[32:]) <= set(photos[:32])
        assert all(len({photo % 20 for photo in photos[at : at + 8]}) <= 2 for at in (0, 8))
        assert batch.fits.shape == (40, 50)


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


def test_other_processes_change_nothing(data, trained, tmp_path):
    path = train(replace(TINY, workers=2), data=data, out=tmp_path, resume=False, say=print)

    tensors = safetensors.torch.load_file(path)
    for name, expected in safetensors.torch.load_file(trained).items():
        torch.testing.assert_close(tensors[name], expected, rtol=1e-4, atol=1e-5)


def test_learns_from_wider_teachers(data, tmp_path):
    wide = train(
        replace(TINY, epochs=1, widths=(8, 16, 16, 24)),
        data=data,
        out=tmp_path / "teacher",
        resume=False,
        say=print,
    )
    taught = [
        train(
            replace(TINY, epochs=1, taught_share=share, taught_alike=share),
            data=data,
            out=tmp_path / str(share),
            resume=False,
            say=print,
            teachers=[wide, wide],
        )
        for share in (0.0, 0.5)
    ]

    alone, both = (safetensors.torch.load_file(path) for path in taught)
    assert safetensors.torch.load_file(wide)["embed.weight"].shape == (256, 24)
    assert both["embed.weight"].shape == (256, 16)
    assert all(torch.isfinite(tensor.float()).all() for tensor in both.values())
    assert not torch.equal(alone["category.weight"], both["category.weight"])


def test_refuses_a_teacher_that_is_no_network(data, tmp_path):
    (tmp_path / "broken.safetensors").write_bytes(b"broken")

    with pytest.raises(BadWeights, match=r"broken\.safetensors"):
        train(
            TINY,
            data=data,
            out=tmp_path / "run",
            resume=False,
            say=print,
            teachers=[tmp_path / "broken.safetensors"],
        )


@pytest.mark.parametrize("file", ["kalas-mini.safetensors", "checkpoint.pt"])
def test_trains_on_from_another_run_by_command(data, trained, tmp_path, file):
    config = tmp_path / "tiny.toml"
    text = (CONFIGS / "kalas-mini-2.toml").read_text()
    for old, new in (
        (r"epochs = \d+", "epochs = 1"),
        (r"size = .*", "size = [32, 32]"),
        (r"batch_size = \d+", "batch_size = 16"),
        (r"twice = \d+", "twice = 4"),
        (r"negative_photos = \d+", "negative_photos = 4"),
    ):
        text, count = re.subn(f"(?m)^{old}$", new, text)
        assert count == 1
    config.write_text(text)

    call_command(
        "train", config=config, data=data, out=tmp_path / "run", start=trained.with_name(file)
    )

    assert (tmp_path / "run" / "kalas-mini.safetensors").exists()


def test_goes_on_from_a_checkpoint_with_all_that_it_had(data, trained, tmp_path):
    lines: list[str] = []
    still = replace(TINY, epochs=0)

    path = train(
        still,
        data=data,
        out=tmp_path,
        resume=False,
        say=lines.append,
        start=trained.with_name("checkpoint.pt"),
    )

    assert not [line for line in lines if "anew" in line]
    before, after = (safetensors.torch.load_file(file) for file in (trained, path))
    assert all((after[name] == tensor).all() for name, tensor in before.items())


def test_leaves_the_temperatures_of_published_weights_behind(data, trained, tmp_path):
    tensors = safetensors.torch.load_file(trained)
    tensors["temperature"] = torch.tensor(0.7)
    tensors["attribute_temperatures"] *= 0.8
    safetensors.torch.save_file(tensors, tmp_path / "kalas-mini-9.safetensors")

    path = train(
        replace(TINY, epochs=0),
        data=data,
        out=tmp_path / "run",
        resume=False,
        say=print,
        start=tmp_path / "kalas-mini-9.safetensors",
    )

    after = safetensors.torch.load_file(path)
    assert after["temperature"] == 1
    assert (after["attribute_temperatures"] == 1).all()


def test_published_weights_keep_their_categories_when_the_taxonomy_trains_another(
    data, trained, tmp_path
):
    order = taxonomy.load().label_order
    older = [order[-1], *(name for name in order[:-1] if name != "suspenders")]
    tensors = safetensors.torch.load_file(trained)
    for name in ("category.weight", "category.bias"):
        tensors[name] = tensors[name][[order.index(label) for label in older]]
    published = tmp_path / "kalas-mini-9.safetensors"
    safetensors.torch.save_file(tensors, published)
    families = tuple(family.name for family in taxonomy.load().colour_families)
    weights.write_sidecar(
        WeightsSpec(
            name="kalas-mini",
            version="9",
            architecture="garment-net",
            taxonomy="kalas-1",
            sha256="",
            labels=tuple(older),
            colour_families=families,
            attributes=taxonomy.load().attribute_order,
            folder=tmp_path,
        )
    )
    lines: list[str] = []

    path = train(
        replace(TINY, epochs=0),
        data=data,
        out=tmp_path / "run",
        resume=False,
        say=lines.append,
        start=published,
    )

    assert "category suspenders starts anew" in lines
    before, after = (safetensors.torch.load_file(file) for file in (trained, path))
    kept = [i for i, label in enumerate(order) if label in older]
    for name in ("category.weight", "category.bias"):
        assert torch.equal(after[name][kept], before[name][kept])


def test_trains_in_short_numbers_on_a_cpu(data, tmp_path):
    short = replace(TINY, epochs=1, bfloat16=True)

    path = train(short, data=data, out=tmp_path, resume=False, say=print)

    tensors = safetensors.torch.load_file(path)
    assert {tensor.dtype for tensor in tensors.values()} <= {torch.float32, torch.int64}
    assert all(torch.isfinite(tensor.float()).all() for tensor in tensors.values())
