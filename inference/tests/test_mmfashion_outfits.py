"""Polyvore's outfits and VITON's photos, as MMFashion's loaders and scores have them."""

import json
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from inference.mmfashion.data import polyvore, vton
from inference.mmfashion.data.lists import BadData
from inference.tests import goldens

GOLDEN = goldens.read("datasets.json")["Polyvore"]
VTON = goldens.read("datasets.json")["VTON"]
FOLDER = goldens.FOLDER / "vton"


@pytest.fixture
def root(tmp_path):
    for name, text in GOLDEN["raw_files"].items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not name.endswith(".p"):
            path.write_text(text)
    pairs = [tuple(pair) for pair in GOLDEN["typespaces"]]
    (tmp_path / "Polyvore/disjoint/typespaces.p").write_bytes(pickle.dumps(pairs, protocol=2))
    return tmp_path / "Polyvore"


@pytest.fixture
def outfits(root):
    return polyvore.read_outfits(root)


def draw_compatibility(outfits, *, learned=False):
    g = goldens.generate(300)
    style = g.standard_normal((4, 1, 8), dtype=np.float32)
    noise = g.standard_normal((12, 5, 8), dtype=np.float32)
    embeddings = style.repeat(3, axis=1).reshape(12, 1, 8) + noise * np.float32(1.2)
    metric = g.standard_normal((1, 8), dtype=np.float32)[0]
    return polyvore.Compatibility(
        outfits,
        dict(zip(outfits.items, embeddings, strict=True)),
        metric if learned else None,
    )


def test_reads_outfits_and_spaces(outfits):
    assert outfits.items == GOLDEN["item_list"]
    assert {"|".join(k): v for k, v in outfits.spaces.items()} == GOLDEN["type_spaces"]
    pairs = list(polyvore.draw_pairs(outfits))
    assert len(pairs) == GOLDEN["train_len"]
    assert [list(p[:2]) for p in pairs[:4]] == [p[1:] for p in GOLDEN["train_pos_pairs_first4"]]
    assert pairs[0][2] == GOLDEN["train_item0"]["condition"]


@pytest.mark.parametrize(("learned", "kind"), [(False, "distance"), (True, "metric")])
def test_scores_outfits_as_the_original(learned, kind, root, outfits):
    compatibility = draw_compatibility(outfits, learned=learned)
    asked = polyvore.read_compatibility(root / "disjoint/compatibility_test.txt", outfits)
    questions = polyvore.read_questions(root / "disjoint/fill_in_blank_test.json", outfits)

    single = "single_score_metric" if learned else "single_compatibility_score_items_0_1_2"
    assert compatibility.score(tuple(outfits.items[:3])) == pytest.approx(GOLDEN[single], abs=1e-5)
    assert compatibility.measure_auc(asked) == pytest.approx(GOLDEN[f"compat_auc_{kind}"])
    assert compatibility.measure_answers(questions) == pytest.approx(GOLDEN[f"fitb_{kind}"])
    assert [list(q.right) for q in questions] == [q[2] for q in GOLDEN["fitb_questions"]]


def test_garments_have_their_texts(root, outfits):
    """Bytes were looked up among texts, so that no garment had a description."""
    vectors = polyvore.read_texts(root / "disjoint/train_hglmm_pca6000.txt", size=4)

    assert list(vectors) == GOLDEN["desc2vecs_keys"]
    assert GOLDEN["train_item2desc_count"] == 0
    known = [item for item in outfits.items if outfits.texts[item] in vectors]
    assert known == ["1000", "1001", "1002"]
    assert vectors[outfits.texts["1002"]].tolist() == [1, 2, 3, 4]


class Bomb:
    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


def test_executes_nothing_of_typespaces(root, tmp_path):
    trace = tmp_path / "was-executed"
    (root / "disjoint/typespaces.p").write_bytes(pickle.dumps([("tops", Bomb(trace))]))

    with pytest.raises(BadData, match="nothing was executed"):
        polyvore.read_outfits(root)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("disjoint/test.json", "{", "is no JSON"),
        ("disjoint/test.json", '[{"set_id": "1"}]', "lack 'items'"),
        ("polyvore_item_metadata.json", "{}", "lack '1000'"),
        ("disjoint/typespaces.p", "x", "is no list of pairs"),
    ],
)
def test_says_what_is_wrong_with_outfits(name, content, complaint, root):
    (root / name).write_text(content)

    with pytest.raises(BadData, match=complaint):
        polyvore.read_outfits(root)


def test_a_garment_of_no_outfit_is_named(outfits):
    with pytest.raises(BadData, match="no garment 999_1"):
        outfits.find("999_1")


def test_shows_a_person_and_a_cloth_as_the_original():
    pairs = vton.read_try_on_pairs(FOLDER, "test_pairs.txt")

    sample = vton.read_try_on(FOLDER, *pairs[0])

    golden = VTON["item0"]
    assert list(pairs[0]) == [golden["im_name"], golden["c_name"]]
    for name, found in (
        ("img", sample.picture),
        ("cloth", sample.cloth),
        ("cloth_mask", sample.mask),
        ("agnostic", sample.person),
        ("parse_cloth", sample.worn),
    ):
        assert goldens.find_difference(found, golden[name]) < 1e-6, name
        assert float(found.mean()) == pytest.approx(golden[name]["mean"], abs=1e-6)
    assert sample.person.mean((1, 2)).tolist() == pytest.approx(VTON["means"], abs=1e-6)


def test_around_the_head_is_black():
    sample = vton.read_try_on(FOLDER, "000001_0.jpg", "000002_1.jpg")

    assert sample.person[1:4, -1, 0].tolist() == [-1, -1, -1]


@pytest.mark.parametrize(
    ("name", "complaint"), [("image/000001_0.jpg", "is missing"), ("pose", "is missing")]
)
def test_a_missing_file_is_named(name, complaint, tmp_path):
    copy = tmp_path / "vton"
    for path in FOLDER.rglob("*.*"):
        target = copy / path.relative_to(FOLDER)
        target.parent.mkdir(parents=True, exist_ok=True)
        if not str(path.relative_to(FOLDER)).startswith(name):
            target.write_bytes(path.read_bytes())

    with pytest.raises(BadData, match=complaint):
        vton.read_try_on(copy, "000001_0.jpg", "000002_1.jpg")


def test_a_pose_without_a_person_is_said(tmp_path):
    path = tmp_path / "pose.json"
    path.write_text(json.dumps({"people": []}))

    with pytest.raises(BadData, match="18 joints"):
        vton._read_joints(Path(path))
