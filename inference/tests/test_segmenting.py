"""Mask R-CNN's parts: trained from ccp's masks, painted in Fashion Wizard's colours."""

import cv2
import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
from django.conf import settings
from django.core.management import CommandError, call_command

from inference import specs, weights
from inference.contract import Box
from inference.networks.part_net import LENT, build_part_net
from inference.preprocess import decode
from inference.request import Photo
from inference.tests.test_details import draw_catalogue_photo, network  # noqa: F401 - a fixture
from inference.tests.threads import one_thread  # noqa: F401
from inference.training.outfits import LABELS
from inference.training.parts import train as training
from inference.training.parts.train import Outfit, aim, measure, read
from inference.training.plans import BadPlan
from inference.wizard import finding, parts, segmenting
from inference.wizard.parts import PARTS, Part
from inference.wizard.segmenting import Segmenter

PLAN = """
backbone = "garment-finder"
side = 64
steps = 2
batch = 2
train = "ccp.parquet"
val = "ccp.parquet"
"""


def draw_outfit():
    """A blue dress before grey, and its mask by ccp's labels."""
    image = np.full((96, 64, 3), 190, np.uint8)
    mask = np.zeros((96, 64), np.uint8)
    image[20:80, 16:48] = (30, 60, 200)
    mask[20:80, 16:48] = LABELS.index("dress")
    return image, mask


@pytest.fixture
def data(tmp_path):
    image, mask = draw_outfit()
    row = [cv2.imencode(".png", each)[1].tobytes() for each in (image[..., ::-1], mask)]
    table = {"image": [row[0]] * 3, "mask": [row[1], row[1], None]}
    pyarrow.parquet.write_table(pyarrow.table(table), tmp_path / "ccp.parquet")
    (tmp_path / "plan.toml").write_text(PLAN)
    return tmp_path


def call(data, **options):
    options = {"out": data / "run", "store": data / "models", **options}
    call_command("train_parts", data / "plan.toml", data, **options)


def test_trains_keeps_and_segments(data, capsys):
    photos = data / "photos"
    photos.mkdir()
    (photos / "a.png").write_bytes(cv2.imencode(".png", draw_outfit()[0])[1].tobytes())
    (photos / "torn.jpg").write_bytes(b"no photo")

    call(data)
    call_command("segment_parts", photos, data / "out", store=data / "models")

    spec = specs.find("kalas-parts", store=data / "models")
    assert (spec.architecture, spec.labels) == ("part-net", PARTS)
    assert spec.finder == specs.find("garment-finder").choice
    assert not any(key.startswith(LENT) for key in weights.load(spec))
    assert 0 <= spec.metrics["pixels right"] <= 1
    assert "1 of 2 photos" in capsys.readouterr().out
    assert parts.read_png((data / "out/a.png").read_bytes()).shape == (96, 64)
    assert "a.png" in parts.read_json(data / "out/parts.json")


def test_what_ships_segments_where_there_are_no_own_weights(data, monkeypatch):
    call(data)
    for path in specs.STORE.glob("garment-finder-*"):
        (data / "models" / path.name).symlink_to(path)
    monkeypatch.setattr(specs, "STORE", data / "models")

    painted = segmenting.load(data / "nothing").segment(draw_outfit()[0])

    assert painted.shape == (96, 64)


def test_the_weights_that_ship_know_an_outfit(tmp_path):
    photo = (settings.BASE_DIR / "annotations/demo_photos/outfit-0138.jpg").read_bytes()

    painted = segmenting.load(tmp_path).segment(decode(photo))

    assert {"top", "pants", "footwear", "hair"} <= {PARTS[part] for part in np.unique(painted)}


def test_the_finder_does_not_learn():
    plan = training.Plan(side=64, backbone="garment-finder")
    net = training.build(plan).train()
    before = {k: v.clone() for k, v in net.state_dict().items() if k.startswith(LENT)}

    image, mask = draw_outfit()
    outfit = Outfit(image, parts.from_ccp(mask))
    training.learn(net, [outfit], plan, 0).backward()

    after = net.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())
    assert all(p.grad is None for n, p in net.named_parameters() if n.startswith(LENT))


def test_says_which_finder_is_missing(data):
    (data / "plan.toml").write_text(PLAN + '\nfinder = "garment-finder@99"')
    with pytest.raises(CommandError, match="garment-finder@99"):
        call(data)


def test_goes_on_where_it_was_cut_off(data, monkeypatch):
    monkeypatch.setattr(training, "_SAVE_STEPS", 1)
    plan = read(data / "plan.toml")
    whole, _ = training.train(plan, data, out=data / "a", resume=False, say=lambda _: None)

    def cut_off(line):
        if line.startswith("step 2"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.train(plan, data, out=data / "b", resume=False, say=cut_off)
    again, _ = training.train(plan, data, out=data / "b", resume=True, say=lambda _: None)

    for one, other in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('backbone = "vgg"', "backbone is one of"),
        ("side = 32", "side 64 at least"),
        ("steps = 0", "positive"),
        ("wings = 2", "wings is not known"),
        ('steps = "many"', "steps cannot be"),
    ],
)
def test_says_what_is_wrong_with_a_plan(text, complaint, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(text)

    with pytest.raises(BadPlan, match=complaint):
        read(path)


def test_says_what_is_missing(data):
    lost = PLAN.replace("garment-finder", "resnet18") + '\nstart = "none.safetensors"'
    (data / "plan.toml").write_text(lost)
    with pytest.raises(CommandError, match=r"none.safetensors holds no weights"):
        call(data)
    (data / "plan.toml").write_text(PLAN)
    (data / "ccp.parquet").write_bytes(b"torn")
    with pytest.raises(CommandError, match=r"ccp.parquet has no photos with masks"):
        call(data)


def test_weights_of_another_network_are_one_line(tmp_path):
    small = build_part_net("mobilenet_v3_large", 64)
    plan = training.Plan(side=64, backbone="resnet18")
    overlap = training.Overlap(0, 0, {}, 0, 0)
    training.keep(small, overlap, plan=plan, store=tmp_path)

    with pytest.raises(specs.BadWeights, match="of another network"):
        segmenting.load(tmp_path)


def test_learns_from_each_part_with_its_box():
    image, mask = draw_outfit()

    target = aim(Outfit(image, parts.from_ccp(mask)))

    assert target["boxes"].tolist() == [[16, 20, 48, 80]]
    assert target["labels"].tolist() == [PARTS.index("dress")]
    assert target["masks"].sum() == 60 * 32


class Painted(Segmenter):
    """A segmenter that sees the blue dress, and skin above it."""

    def __init__(self):
        """No network."""

    def score(self, image, *, least):
        dress = image[..., 2] > image[..., 0] + 60
        return [(0.9, Part("dress", Box(16, 20, 48, 80), dress))]

    def segment(self, image):
        painted = np.zeros(image.shape[:2], np.uint8)
        painted[: image.shape[0] // 2] = PARTS.index("skin")
        painted[image.shape[0] // 2 :] = PARTS.index("dress")
        return painted


def test_measures_the_overlap():
    image, mask = draw_outfit()

    overlap = measure(Painted(), [Outfit(image, parts.from_ccp(mask))])

    assert (overlap.mean, overlap.right) == (1, 1)
    assert [overlap.ap, overlap.ap50] == pytest.approx([1, 1])
    assert set(overlap.by_part) == {"background", "dress"}


def test_parts_tell_the_garment_where_there_are_weights(network):  # noqa: F811
    photo = Photo(draw_catalogue_photo(), Box(48, 60, 192, 240))

    found = finding.DetailFinder(network, "a@1", segmenter=Painted()).find(photo)

    assert found.region == "parts"
    assert found.places
    assert all(y >= 149 for _, y in found.places)
