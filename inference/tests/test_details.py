"""From a photo to a garment's key points, as the engine answers them."""

import cv2
import numpy as np
import pytest
import torch

from inference import specs
from inference.contract import DETAIL_SIZE, MOST_DETAILS, Box, GarmentDetails
from inference.networks.superpoint import SuperPoint
from inference.request import NoDetails, Photo
from inference.specs import WeightsSpec
from inference.tests import goldens
from inference.tests.test_endpoints import FakeEngine, request
from inference.tests.test_wizard import draw_print
from inference.tests.threads import one_thread  # noqa: F401
from inference.training.superpoint.plan import Plan
from inference.training.superpoint.train import Quality, keep
from inference.wizard import finding

FOUND = GarmentDetails("kalas-details@1", "foreground", ((3, 4), (5, 6)), bytes(2 * DETAIL_SIZE))


@pytest.fixture(scope="module")
def network():
    made = SuperPoint().eval()
    with torch.inference_mode():
        goldens.fill(made, gain=goldens.RULE_B)
    return made


def draw_catalogue_photo() -> bytes:
    """A printed cloth before white."""
    photo = np.full((300, 240, 3), 255, np.uint8)
    photo[60:240, 48:192] = cv2.resize(draw_print(1), (144, 180))
    return cv2.imencode(".png", photo)[1].tobytes()


def test_finds_points_on_the_garment_in_source_pixels(network):
    found = finding.DetailFinder(network, "points@1").find(Photo(draw_catalogue_photo()))

    assert (found.model, found.region) == ("points@1", "foreground")
    assert 20 < len(found.places) <= MOST_DETAILS
    assert len(found.vectors) == len(found.places) * DETAIL_SIZE
    x, y = np.array(found.places).T
    assert ((x >= 45) & (x < 195) & (y >= 57) & (y < 243)).all()


def test_a_crop_bounds_them(network):
    finder = finding.DetailFinder(network, "points@1")

    found = finder.find(Photo(draw_catalogue_photo(), Box(100, 100, 180, 200)))

    assert found.places
    assert all(100 <= x < 180 and 100 <= y < 200 for x, y in found.places)


def test_a_byte_is_enough():
    vectors = goldens.generate(3).standard_normal((40, DETAIL_SIZE), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    rows = np.frombuffer(finding.pack(vectors), np.int8).reshape(40, -1).astype(np.float32)

    alike = (rows * vectors).sum(1) / np.linalg.norm(rows, axis=1)
    assert alike.min() > 0.999


def keep_network(network, store) -> WeightsSpec:
    plan = Plan(name=finding.NAME, photos=("a.parquet",))
    return keep(network, Quality(0.5, 0.5), plan=plan, store=store)


def test_the_installations_own_weights_come_first(network, tmp_path):
    keep_network(network, tmp_path)
    keep_network(network, tmp_path)

    assert finding.load(tmp_path).name == "kalas-details@2"


def test_says_what_to_get_where_there_are_no_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(specs, "STORE", tmp_path)

    with pytest.raises(NoDetails, match="train_superpoint"):
        finding.load(tmp_path / "models")


def test_damaged_weights_are_one_line(network, tmp_path):
    spec = keep_network(network, tmp_path)
    spec.path.write_bytes(spec.path.read_bytes()[:1000])

    with pytest.raises(NoDetails, match="sha256"):
        finding.load(tmp_path)


def test_weights_of_another_network_are_one_line(tmp_path):
    keep_network(torch.nn.Linear(2, 2), tmp_path)

    with pytest.raises(NoDetails, match="of another network"):
        finding.load(tmp_path)


async def test_the_engine_answers_them():
    engine = FakeEngine(FOUND)

    status, _, body = await request(engine, "/v1/details", query=b"crop=1,2,30,40")

    assert status == 200
    assert GarmentDetails.from_json(body) == FOUND
    assert engine.photos == [Photo(b"bytes", Box(1, 2, 30, 40))]


async def test_the_engine_without_weights_says_so():
    status, _, body = await request(FakeEngine(NoDetails("Train them.")), "/v1/details")

    assert (status, body["code"], body["detail"]) == (501, "no-details", "Train them.")


async def test_there_is_no_hint_for_details():
    status, _, body = await request(FakeEngine(FOUND), "/v1/details", query=b"hint=footwear")

    assert (status, body["code"]) == (400, "invalid-hint")


@pytest.mark.parametrize(
    "change", [{"vectors": "AAAA"}, {"vectors": "?"}, {"places": [[1]]}, {"places": [[1, 2]] * 200}]
)
def test_an_answer_that_does_not_fit_is_refused(change):
    with pytest.raises(ValueError):  # noqa: PT011 - whatever of it is wrong
        GarmentDetails.from_json({**FOUND.to_json(), **change})
