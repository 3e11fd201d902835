"""MMFashion's losses by their exact definitions, and what was meant."""

import pytest
import torch

from inference.networks.mmfashion import build, losses, released
from inference.networks.mmfashion.landmark_detector import Landmarks, VisibilityHead
from inference.networks.mmfashion.recommender import TypeAwareRecommender
from inference.tests import goldens

GOLDEN = goldens.read("losses.json")


@pytest.fixture
def drawn():
    g = goldens.generate(200)
    normal = [g.standard_normal((6, 9), dtype="float32"), g.integers(0, 9, 6)]
    normal.append(g.random((6, 9)) < 0.3)
    normal += [g.standard_normal((6, 16), dtype="float32") for _ in range(3)]
    normal += [g.standard_normal((6,), dtype="float32") for _ in range(2)]
    names = ("logits", "classes", "truth", "anchor", "near", "far", "d1", "d2")
    found = {n: torch.from_numpy(v) for n, v in zip(names, normal, strict=True)}
    return found | {"has": torch.tensor([1.0, 0, 1, 1, 0, 1]), "generator": g}


def test_are_the_originals(drawn):
    triplet = drawn["anchor"], drawn["near"], drawn["far"]
    found = {
        "CELoss": losses.class_loss(drawn["logits"], drawn["classes"]),
        "BCEWithLogitsLoss_mean": losses.attribute_loss(drawn["logits"], drawn["truth"]),
        "TripletLoss_cosine_margin0": losses.cosine_triplet_loss(*triplet),
        "TripletLoss_cosine_margin0.2": losses.cosine_triplet_loss(*triplet, margin=0.2),
        "TripletLoss_L2_margin0.2": losses.distance_triplet_loss(*triplet, margin=0.2),
        "MSELoss": (drawn["anchor"] - drawn["near"]).square().mean(),
        "L1Loss": (drawn["anchor"] - drawn["near"]).abs().mean(),
        "MarginRankingLoss(m=.3,w=1)(d1,d2,+1)": losses.ranking_loss(
            drawn["d1"], drawn["d2"], margin=0.3, weight=1
        ),
        "SelectiveMarginLoss(m=.3,w=5e-5)(d1,d2,has)": losses.selective_loss(
            drawn["d1"], drawn["d2"], drawn["has"], margin=0.3, weight=5e-5
        ),
    }

    assert {k: float(v) for k, v in found.items()} == {
        name: pytest.approx(GOLDEN[name], rel=1e-6) for name in found
    }


def test_counts_visibility_by_its_sigmoid_twice_when_told(drawn):
    features = torch.from_numpy(drawn["generator"].standard_normal((2, 4, 16), dtype="float32"))
    head = VisibilityHead(depth=16)
    with torch.no_grad():
        goldens.fill(head)
        logits = head(features)
    visible = torch.tensor([[1, 0, 1, 1], [0, 1, 1, 0]])
    found = Landmarks(logits, torch.zeros(2, 4, 2))

    written = losses.landmark_losses(
        found, visible=visible, points=torch.zeros(2, 4, 2), as_written=True
    )
    meant = losses.landmark_losses(found, visible=visible, points=torch.zeros(2, 4, 2))

    golden = GOLDEN["VisibilityClassifier.forward_train"]["loss"]
    assert float(written["loss_vis"]) == pytest.approx(golden, rel=1e-6)
    # Sure and right: the double sigmoid never lets the loss below 0.31.
    sure = Landmarks((visible * 2 - 1) * 20.0, torch.zeros(2, 4, 2))
    best = losses.landmark_losses(sure, visible=visible, points=torch.zeros(2, 4, 2))
    assert float(best["loss_vis"]) < 1e-6 < float(meant["loss_vis"])


def test_invisible_landmarks_do_not_thin_the_regressions_loss():
    found = Landmarks(torch.zeros(1, 8), torch.ones(1, 8, 2))
    visible = torch.tensor([[1, 0, 0, 0, 0, 0, 0, 0]])
    points = torch.zeros(1, 8, 2)

    meant = losses.landmark_losses(found, visible=visible, points=points)
    written = losses.landmark_losses(found, visible=visible, points=points, as_written=True)

    assert float(meant["loss_regress"]) == 1
    assert float(written["loss_regress"].mean()) == pytest.approx(1 / 8)


def test_a_batch_of_one_has_a_class_loss():
    assert float(losses.class_loss(torch.zeros(1, 4), torch.tensor([[2]]))) == pytest.approx(
        1.3862944
    )


def make_garments(count, seed):
    images = torch.from_numpy(goldens.generate(seed).standard_normal((count, 3, 64, 64)))
    return losses.Garments(images.float(), torch.rand(count, 6000), torch.ones(count))


def test_garments_of_one_type_are_drawn_together_and_not_apart():
    """The original's ranking of images has its arguments the wrong way round."""
    name = "fashion_recommendation/type_aware_recommendation_polyvore_disjoint_l2_embed"
    network = build.build(released.CONFIGS[name])
    assert isinstance(network, TypeAwareRecommender)
    anchor, near = make_garments(2, 1), make_garments(2, 2)

    def measure(**options):
        with torch.inference_mode():
            return losses.compatibility_losses(
                network,
                anchor,
                near,
                near,
                spaces=[3, 7],
                weights=losses.Weights(texts=0),
                **options,
            )

    # What is near is also what is far: of one type, and at no distance from each other.
    meant, written = measure()["loss_sim"], measure(as_written=True)["loss_sim"]

    assert meant < written
    assert all(value.isfinite() for value in measure().values())


def test_a_coarse_predictor_has_a_loss():
    """Its sigmoid was returned as the loss: training would have made everything unlikely."""
    logits, truth = torch.tensor([[9.0, -9.0]]), torch.tensor([[1, 0]])

    assert float(losses.attribute_loss(logits, truth)) < 1e-3 < float(logits.sigmoid().mean())
