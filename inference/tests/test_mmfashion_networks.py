"""Kalas' networks answer what MMFashion's answer, with the same weights."""

import copy
import hashlib
import json
from pathlib import Path

import pytest
import torch

from inference.networks.mmfashion import build, released
from inference.networks.mmfashion.geometric_matching import GeometricMatching
from inference.networks.mmfashion.recommender import TripletNet
from inference.networks.mmfashion.settings import BadConfig
from inference.networks.mmfashion.tryon import TryOn
from inference.tests import golden_runs, goldens
from inference.tests.threads import one_thread  # noqa: F401

ROOT = Path(__file__).parents[2]
KEYS = goldens.read("mmfashion_keys.json")
TOLERANCES = {
    # Rule A's VGG outputs differ between pictures by 2e-3 only: rule B tells more there.
    "category_attribute_predict__roi_predictor_vgg__ruleB": 1e-4,
    "fashion_recommendation__type_aware_recommendation_polyvore_disjoint": 1e-5,
    "fashion_recommendation__type_aware_recommendation_polyvore_disjoint_l2_embed": 1e-5,
    "landmark_detect__landmark_detect_vgg__ruleB": 1e-4,
    "retriever_in_shop__roi_retriever_vgg_loss_id": 1e-6,
    "virtual_tryon__cp_vton__GMM": 1e-3,
    # Of images from -1 to 1; 1.2e-5 apart on a processor without AVX-512.
    "virtual_tryon__cp_vton__TOM": 5e-5,
}


def describe(name):
    """Keys, shapes and types of the state_dict; on the meta device they take no memory."""
    network = build.build(released.CONFIGS[name], device="meta")
    entries = [
        [key, list(tensor.shape), str(tensor.dtype).removeprefix("torch.")]
        for key, tensor in network.state_dict().items()
    ]
    return entries, sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("name", released.CONFIGS)
def test_has_the_keys_of_the_released_weights(name):
    entries, parameters = describe(name)

    golden = KEYS.get(name.replace("/", "__"))
    if golden is None:  # these two are not among the goldens; their size is in the notes
        assert (len(entries), parameters) == {
            "category_attribute_predict/roi_predictor_resnet": (330, 170471564),
            "landmark_detect/landmark_detect_resnet": (328, 459726659),
        }[name]
        return
    written = json.dumps(entries, separators=(",", ":")).encode()
    assert (len(entries), parameters) == (golden["keys"], golden["parameters"])
    assert hashlib.sha256(written).hexdigest() == golden["sha256"]


@pytest.mark.parametrize("name", TOLERANCES)
def test_answers_what_the_original_answers(name):
    golden = goldens.read(f"{name}.json")
    network = build.build(released.CONFIGS[find_config(name)])
    with torch.inference_mode():
        goldens.fill(network, gain=golden["gain"])
    probes = {key: network.state_dict()[key].reshape(-1)[:4].tolist() for key in golden["probe"]}

    if isinstance(network, GeometricMatching):
        differences = list(golden_runs.compare_matching(network, golden["runs"]))
    elif isinstance(network, TryOn):
        differences = list(golden_runs.compare_tryon(network, golden["runs"]))
    else:
        images = {"a": goldens.make_input()}
        differences = list(golden_runs.compare(network, golden["runs"], images))

    assert probes == {k: pytest.approx(v, abs=1e-7) for k, v in golden["probe"].items()}
    assert differences
    assert [d for d in differences if d[1] > TOLERANCES[name]] == []


def find_config(name):
    return next(c for c in released.CONFIGS if c.replace("/", "__") == name.removesuffix("__ruleB"))


def make_tiny(name, **changes):
    """The model's shape with few units: quick to run."""
    config = copy.deepcopy(released.CONFIGS[name])
    config["global_pool"]["inter_channels"][1:] = [8]
    config["global_pool"]["outchannels"] = 8
    if "roi_pool" in config:
        config["roi_pool"]["outchannels"] = 8
        config["concat"] |= {"inchannels": 16, "outchannels": 8}
    for part in ("attr_predictor", "cate_predictor", "embed_extractor"):
        if config.get(part):
            config[part]["inchannels"] = 8
    torch.manual_seed(3)
    return build.build(config | changes)


ROI = "category_attribute_predict/roi_predictor_vgg"


@torch.inference_mode()
def test_a_batch_answers_as_its_pictures_alone():
    network = make_tiny(ROI)
    images = torch.randn(2, 3, 64, 64)
    landmarks = torch.stack([goldens.LANDMARKS["L"][0], goldens.LANDMARKS["L"][0].flip(0)])

    together = network.encode(images, landmarks)

    for i in range(2):
        alone = network.encode(images[i : i + 1], landmarks[i : i + 1])
        torch.testing.assert_close(together[i : i + 1], alone)


@torch.inference_mode()
def test_mixes_a_batch_as_the_original_does_when_told():
    network = make_tiny(ROI)
    images = torch.randn(3, 3, 64, 64)
    landmarks = goldens.LANDMARKS["L"].repeat(3, 1)
    right = network.encode(images, landmarks)

    network.roi_pool.mixes_batch = True
    mixed = network.encode(images, landmarks)

    # With equal landmarks only the middle one of three is right.
    torch.testing.assert_close(mixed[1], right[1])
    assert not torch.allclose(mixed[0], right[0])
    assert not torch.allclose(mixed[2], right[2])
    alone = network.encode(images[:1], landmarks[:1])
    torch.testing.assert_close(alone, right[:1])


@torch.inference_mode()
def test_one_picture_stays_a_batch_of_one():
    attributes, categories = make_tiny(ROI)(torch.randn(1, 3, 64, 64), goldens.LANDMARKS["L"])

    assert (attributes.shape, categories.shape) == ((1, 26), (1, 50))


@torch.inference_mode()
@pytest.mark.parametrize("landmarks", [None, torch.zeros(1, 8), torch.zeros(2, 16)])
def test_a_predictor_by_landmarks_says_what_it_needs(landmarks):
    network = make_tiny(ROI)

    with pytest.raises(ValueError, match=r"landmarks|16 coordinates"):
        network(torch.randn(1, 3, 64, 64), landmarks)


@torch.inference_mode()
def test_a_retriever_without_landmarks_gives_the_whole_picture():
    network = make_tiny("retriever_in_shop/roi_retriever_vgg_loss_id")
    image = torch.randn(1, 3, 64, 64)

    found = network.encode(image)

    torch.testing.assert_close(found, network.global_pool(network.backbone(image)))


def test_says_what_a_model_needs_before_it_is_there():
    needed = build.count_bytes(released.CONFIGS["landmark_detect/landmark_detect_resnet"])

    # All parameters, and a little for ResNet-50's running statistics.
    assert 0 < needed - 459726659 * 4 < 300_000


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"type": "MaskRCNN"}, "no model 'MaskRCNN'"),
        ({"backbone": {"type": "ResNet", "setting": "resnet77"}}, "no ResNet 'resnet77'"),
        ({"backbone": {"type": "ResNet", "setting": "resnet50"}}, "has 2048 channels"),
        ({"backbone": {"type": "Swin"}}, "no backbone 'Swin'"),
        ({"concat": {"type": "Concat", "inchannels": 7, "outchannels": 8}}, "2048 is needed"),
        ({"neck": {}}, "neck is not known"),
        ({"attr_predictor": None}, "a dict"),
        (
            {"cate_predictor": {"type": "CatePredictor", "inchannels": 1024, "outchannels": -1}},
            "positive whole number",
        ),
    ],
)
def test_refuses_what_describes_no_model(change, complaint):
    with pytest.raises(BadConfig, match=complaint):
        build.build(released.CONFIGS[ROI] | change, device="meta")


def test_refuses_learned_masks_that_are_layers():
    config = copy.deepcopy(
        released.CONFIGS["fashion_recommendation/type_aware_recommendation_polyvore_disjoint"]
    )
    config["type_specific_net"]["learned"] = True

    with pytest.raises(BadConfig, match="exclude each other"):
        build.build(config, device="meta")


def test_takes_the_settings_that_the_originals_files_misplace():
    config = copy.deepcopy(released.CONFIGS["landmark_detect/landmark_detect_vgg"])
    config["backbone"] = {"type": "ResNet", "layer_setting": "resnet50"}
    config["global_pool"]["inter_channels"] = [2048, 4096]

    network = build.build(config, device="meta")

    assert len(network.state_dict()) == 328


@torch.inference_mode()
def test_any_size_of_picture_will_do():
    network = make_tiny("category_attribute_predict/global_predictor_vgg")

    assert network(torch.randn(1, 3, 100, 223)).attributes.shape == (1, 26)


def test_a_learned_metric_begins_at_zero():
    metric = TripletNet(text_size=4, size=8, learned_metric=True).metric_branch

    assert metric is not None
    assert not metric.weight.any()


FILES = {
    **{
        kind[0]: f"inference/tests/test_mmfashion_{kind}.py"
        for kind in ("networks", "losses", "data", "outfits", "family", "pictures")
    },
    "i": "inference/tests/test_import_weights.py",
    "t": "inference/tests/test_ancestor_training.py",
    "c": "inference/tests/test_families.py",
    "s": "tests/test_shop_family.py",
}


def test_each_decision_about_a_mistake_has_the_tests_that_its_page_names():
    rows = [
        line.split("|")[3]
        for line in (ROOT / "docs/reference/mmfashion.md").read_text().splitlines()
        if line.startswith("| ") and not line.startswith("| what")
    ]

    assert len(rows) >= 21
    for named in (part for row in rows for part in row.split(";")):
        letter, tests = named.strip().split(" ", 1)
        text = (ROOT / FILES[letter]).read_text()
        for test in tests.split(", "):
            assert f"def test_{test}(" in text, test
