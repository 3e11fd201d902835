"""Each recipe runs on its example set, from the lists to weights that answer."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from django.core.management import CommandError, call_command
from PIL import Image
from safetensors.torch import save_file
from torchvision.models import vgg

from inference import specs
from inference.mmfashion import engine
from inference.mmfashion.data import deepfashion, samples
from inference.mmfashion.data.lists import BadData
from inference.networks.mmfashion import build
from inference.tests.test_mmfashion_data import lay  # noqa: F401 - a fixture
from inference.tests.test_mmfashion_family import DETECTOR, GLOBAL, RETRIEVER, shrink
from inference.tests.test_mmfashion_outfits import root as polyvore_root  # noqa: F401
from inference.tests.threads import one_thread  # noqa: F401
from inference.training.ancestors import checkpoint
from inference.training.ancestors import recipe as recipes
from inference.training.ancestors.recipe import BadRecipe, Recipe
from inference.training.ancestors.tasks import TASKS, ConsumerToShop, mirror
from inference.training.ancestors.train import load_backbone, measure, train

RECIPES = Path(recipes.__file__).parent / "recipes"


def make_recipe(kind, model, **changes):
    recipe = Recipe(kind, "tiny", model, epochs=2, batch=2, rate=1e-4, warm_up=2, steps=(1,))
    return replace(recipe, **changes)


def make_small(name):
    """With a smaller backbone: these are trained here."""
    return shrink(name) | {"backbone": {"type": "ResNet", "setting": "resnet18"}}


def make_attributes_model():
    model = make_small(GLOBAL)
    model["attr_predictor"]["outchannels"] = 4
    return model


def make_retriever_model():
    model = make_small(RETRIEVER)
    model["attr_predictor"] = {"type": "AttrPredictor", "inchannels": 8, "outchannels": 3}
    return model


@pytest.mark.parametrize(
    ("kind", "make_model", "metric"),
    [
        ("attributes", make_attributes_model, "category accuracy top-1"),
        ("in-shop", make_retriever_model, "hit rate@1"),
        ("consumer-to-shop", make_retriever_model, "hit rate@1"),
        ("landmarks", lambda: make_small(DETECTOR), "error, visible"),
    ],
)
def test_trains_on_the_example_set(kind, make_model, metric, lay, tmp_path):  # noqa: F811
    said: list[str] = []
    recipe = make_recipe(kind, make_model())

    spec = train(recipe, lay(kind), store=tmp_path / "models", say=said.append)

    assert len(said) == 2
    assert metric in spec.metrics
    network = engine.load_network(specs.find("tiny", store=tmp_path / "models"))
    assert all(t.isfinite().all() for t in network.state_dict().values())


def test_the_same_seed_gives_the_same_weights(lay, tmp_path):  # noqa: F811
    root, recipe = lay("landmarks"), make_recipe("landmarks", make_small(DETECTOR), epochs=1)

    first, second = (
        train(recipe, root, store=tmp_path / name, say=print).sha256 for name in ("a", "b")
    )

    assert first == second


@pytest.mark.parametrize("killed_in", [2, 3])
def test_a_killed_training_goes_on_as_if_it_had_not_been(killed_in, lay, tmp_path):  # noqa: F811
    root = lay("landmarks")
    recipe = make_recipe("landmarks", make_small(DETECTOR), epochs=3)
    whole = train(recipe, root, store=tmp_path / "whole", say=print)
    said: list[str] = []

    def die(line):
        said.append(line)
        if line.startswith(f"epoch {killed_in}"):
            raise KeyboardInterrupt

    store = tmp_path / "killed"
    with pytest.raises(KeyboardInterrupt):
        train(recipe, root, store=store, say=die)
    again = train(recipe, root, store=store, say=said.append)

    assert f"goes on after epoch {killed_in - 1}" in said
    assert (again.sha256, again.metrics) == (whole.sha256, whole.metrics)
    assert list((store / "unfinished").iterdir()) == []


def test_another_recipe_does_not_go_on(lay, tmp_path):  # noqa: F811
    root, recipe = lay("landmarks"), make_recipe("landmarks", make_small(DETECTOR))
    other = replace(recipe, rate=recipe.rate / 2)

    assert checkpoint.place(recipe, root, store=tmp_path) == checkpoint.place(
        replace(recipe, epochs=9), root, store=tmp_path
    )
    assert checkpoint.place(other, root, store=tmp_path) != checkpoint.place(
        recipe, root, store=tmp_path
    )


def test_says_that_a_checkpoint_is_damaged(lay, tmp_path):  # noqa: F811
    root, recipe = lay("landmarks"), make_recipe("landmarks", make_small(DETECTOR))
    folder = checkpoint.place(recipe, root, store=tmp_path)
    folder.mkdir(parents=True)
    (folder / "progress.json").write_text('{"files": ["1.safetensors", "best.safetensors"]}')

    with pytest.raises(BadRecipe, match="damaged: delete it"):
        train(recipe, root, store=tmp_path, say=print)


def test_measures_the_same_each_time(lay, tmp_path):  # noqa: F811
    root, recipe = lay("attributes"), make_recipe("attributes", make_attributes_model())
    network, task = build.build(recipe.model), TASKS["attributes"](root, recipe)

    assert measure(network, task) == measure(network, task)


def test_trains_which_garments_go_together(polyvore_root, tmp_path):  # noqa: F811
    path = polyvore_root / "disjoint" / "train.json"
    path.write_text(json.dumps(json.loads(path.read_text())[:1]))
    images = polyvore_root / "images"
    images.mkdir()
    for i, item in enumerate(f"10{a}{b}" for a in range(4) for b in range(3)):
        Image.new("RGB", (64, 64), (20 * i, 90, 160)).save(images / f"{item}.jpg")
    model = {
        "type": "TypeAwareRecommender",
        "backbone": {"type": "ResNet", "setting": "resnet18"},
        "global_pool": {"type": "GlobalPooling", "inter_channels": [512], "outchannels": 16},
        "type_specific_net": {
            "type": "TypeSpecificNet",
            "learned": False,
            "n_conditions": 4,
            "dim_embed": 16,
        },
        "triplet_net": {
            "type": "TripletNet",
            "text_feature_dim": 4,
            "embed_feature_dim": 16,
            "learned_metric": True,
        },
    }

    spec = train(
        make_recipe("compatibility", model, epochs=1, batch=3),
        polyvore_root,
        store=tmp_path / "models",
        say=print,
    )

    assert 0 <= spec.metrics["compatibility AUC"] <= 1
    assert 0 <= spec.metrics["fill in the blank"] <= 1


def test_a_customers_photo_is_drawn_to_the_shops(lay):  # noqa: F811
    recipe = make_recipe("consumer-to-shop", make_retriever_model())
    task = ConsumerToShop(lay("consumer-to-shop"), recipe)
    dice = np.random.default_rng(0)

    near = [(picture, task._draw_same(picture, dice)) for picture in task.train]

    assert len(near) == 5
    assert all(one.item == other.item for one, other in near)
    assert all(("shop_" in one.image) != ("shop_" in other.image) for one, other in near)
    assert all("comsumer" in p.image for p in task.queries)
    assert all("shop_" in p.image for p in task.gallery)


def test_a_mirrored_garments_left_is_right(lay):  # noqa: F811
    root = lay("landmarks")
    sample = samples.read_sample(root, deepfashion.read_landmarks(root)[1], margin=10)

    other = mirror(sample)

    assert other.points[0, 0] == 224 - sample.points[1, 0]
    assert other.points[1, 1] == sample.points[0, 1]
    assert other.points[7].tolist() == [0, 0]
    again = mirror(other)
    torch.testing.assert_close(again.points, sample.points)
    assert again.image.equal(sample.image)


def test_takes_a_backbone_from_a_file(tmp_path):
    features = {f"features.{k}": v for k, v in vgg.make_layers(vgg.cfgs["D"]).state_dict().items()}
    path = tmp_path / "vgg16.safetensors"
    save_file(features | {"classifier.0.bias": torch.zeros(3)}, path)
    network = build.build(shrink(GLOBAL))

    load_backbone(network, path)

    assert network.state_dict()["backbone.features.0.weight"].equal(features["features.0.weight"])
    save_file({"conv1.weight": torch.zeros(3)}, path)
    with pytest.raises(BadRecipe, match="another backbone"):
        load_backbone(network, path)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('kind = "attributes"', "model is missing, name is missing"),
        ('kind = "x"\nname = "a"\nmodel = {}', "kind is one of"),
        ('kind = "in-shop"\nname = "a"\nmodel = "nowhere"', "no released model 'nowhere'"),
        ('kind = "in-shop"\nname = "a"\nmodel = {}\nspeed = 3', "speed is not known"),
        ('kind = "in-shop"\nname = "a"\nmodel = {}\nepochs = 0', "epochs has to be"),
        ("kind = ", "cannot be read"),
        ('kind = "attributes"\nname = "a"\nmodel = {type = "X"}', "no model 'X'"),
    ],
)
def test_says_what_is_wrong_with_a_recipe(text, complaint, tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(text)

    with pytest.raises(CommandError, match=complaint):
        call_command("train_ancestor", path, tmp_path, store=tmp_path / "models")


def test_says_where_the_data_have_other_attributes(lay, tmp_path):  # noqa: F811
    with pytest.raises(BadRecipe, match="answers 26 attributes, the data have 4"):
        train(
            make_recipe("attributes", shrink(GLOBAL)),
            lay("attributes"),
            store=tmp_path,
            say=print,
        )


@pytest.mark.parametrize(
    ("kind", "make_model"),
    [("attributes", make_attributes_model), ("consumer-to-shop", make_retriever_model)],
)
def test_says_that_the_lists_name_nothing_to_train_on(kind, make_model, lay, tmp_path):  # noqa: F811
    root = lay(kind)
    splits = root / "Eval" / "list_eval_partition.txt"
    splits.write_text(splits.read_text().replace("train", "test"))

    with pytest.raises(BadData, match="no photos to train on"):
        train(make_recipe(kind, make_model()), root, store=tmp_path, say=print)


def test_the_shipped_recipes_can_be_read():
    read = [recipes.read(path) for path in sorted(RECIPES.glob("*.toml"))]

    assert [r.kind for r in read] == [
        "attributes-fine",
        "compatibility",
        "consumer-to-shop",
        "in-shop",
        "landmarks",
    ]
    assert np.isfinite([build.count_bytes(r.model) for r in read]).all()
