"""SuperPoint answers what rpautrat/SuperPoint's code answers, with the same weights."""

import hashlib

import numpy as np
import pytest
import torch

from inference.networks import superpoint
from inference.networks.superpoint import SuperPoint
from inference.tests import goldens
from inference.tests.threads import one_thread  # noqa: F401

GOLDEN = goldens.read("superpoint.json")


@pytest.fixture(scope="module")
def network():
    made = SuperPoint().eval()
    with torch.inference_mode():
        goldens.fill(made, gain=goldens.RULE_B)
    return made


def draw(name):
    if name == "noise":
        return torch.from_numpy(goldens.generate(21).random((240, 320), dtype=np.float32))
    g = goldens.generate(22)
    image = np.full((240, 320), 64, np.uint8)
    for _ in range(24):
        top, left = g.integers(0, 200), g.integers(0, 280)
        height, width, value = g.integers(12, 60), g.integers(12, 60), g.integers(0, 256)
        image[top : top + height, left : left + width] = value
    assert hashlib.sha256(image.tobytes()).hexdigest() == GOLDEN["images"][name]["sha256_u8"]
    return torch.from_numpy(image.astype(np.float32) / 255)


def read_settings(name):
    """`threshold_0.005_nms2` and the like."""
    settings = {}
    for part in name.split("_"):
        if part.startswith("0."):
            settings["threshold"] = float(part)
        elif part.startswith("max"):
            settings["most"] = int(part[3:])
        elif part.startswith("nms"):
            settings["radius"] = int(part[3:])
        elif part == "noborder":
            settings["border"] = 0
    return settings


def test_has_the_keys_of_its_weights():
    found = [[k, list(t.shape), str(t.dtype)[6:]] for k, t in SuperPoint().state_dict().items()]

    assert found == GOLDEN["state_dict"]


@torch.inference_mode()
@pytest.mark.parametrize("name", ["noise", "rects"])
def test_answers_what_the_original_answers(network, name):
    picture = draw(name)[None, None]
    features = network.backbone(picture)
    maps = network(picture)

    parts = {
        "backbone": features,
        "detector_logits": network.detector(features),
        "descriptor_raw": network.descriptor(features),
        "scores_before_nms": maps.scores,
        "scores_after_nms": superpoint.thin(maps.scores),
    }
    runs = GOLDEN["runs"][name]
    for part, found in parts.items():
        assert goldens.find_difference(found, runs["intermediate"][part]) < 1e-5
    for setting, golden in runs.items():
        if setting == "intermediate":
            continue
        points = superpoint.choose(maps, 0, **read_settings(setting))
        assert abs(len(points.places) - golden["n"]) <= 0.005 * golden["n"]
        first = torch.cat((points.places[:20], points.scores[:20, None]), dim=1)
        assert first.numpy() == pytest.approx(np.array(golden["first20"]), abs=1e-5)
        assert points.places.sum(0).tolist() == pytest.approx(golden["sum_xy"], rel=0.01)
        best = points.descriptors[points.scores.argmax(), :32]
        for found, wanted in ((points.descriptors[0, :32], "first"), (best, "top1")):
            expected = np.array(golden[f"descriptor_of_{wanted}"])
            assert found.numpy() == pytest.approx(expected, abs=1e-5)
        assert points.descriptors.norm(dim=1).numpy() == pytest.approx(1, abs=1e-5)


def test_thins_and_samples_as_the_original():
    g = goldens.generate(23)
    scores = torch.from_numpy(g.random((1, 24, 32), dtype=np.float32))
    map_ = torch.from_numpy(g.standard_normal((1, 4, 5, 6), dtype=np.float32))[0]

    kept = superpoint.thin(scores, radius=4)[0].nonzero().tolist()
    places = torch.tensor(GOLDEN["sample_unit"]["keypoints"])
    found = superpoint.sample(map_, places)

    assert kept == GOLDEN["nms_unit"]["kept"]
    expected = np.array(GOLDEN["sample_unit"]["descriptors_c_by_n"]).T
    assert found.numpy() == pytest.approx(expected, abs=1e-6)


@torch.inference_mode()
def test_looks_inside_a_region_alone(network):
    maps = network(draw("rects")[None, None])
    region = torch.zeros(240, 320, dtype=torch.bool)
    region[40:120, 60:200] = True

    points = superpoint.choose(maps, 0, region=region)

    x, y = points.places.T
    assert len(x) > 50
    assert ((x >= 60) & (x < 200) & (y >= 40) & (y < 120)).all()
