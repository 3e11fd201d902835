import pytest
import torch
from safetensors.torch import load_file, save_file

from inference.specs import BadWeights
from inference.training.average import average


def write(folder, scale, **more):
    folder.mkdir()
    tensors = {"a": torch.full((2, 3), scale), "temperature": torch.tensor(scale), **more}
    save_file(tensors, folder / "kalas-mini.safetensors")
    save_file({"w": torch.full((2,), scale).half()}, folder / "kalas-words.safetensors")
    return folder / "kalas-mini.safetensors"


def test_takes_the_mean_of_both_networks_and_leaves_temperatures_to_publishing(tmp_path):
    one = write(tmp_path / "one", 1.0, steps=torch.tensor(7))
    other = write(tmp_path / "other", 3.0, steps=torch.tensor(9))

    path = average([one, other], out=tmp_path / "mean")

    mean = load_file(path)
    assert (mean["a"] == 2).all()
    assert (mean["temperature"].item(), mean["steps"].item()) == (1, 9)
    assert load_file(path.with_name("kalas-words.safetensors"))["w"].tolist() == [2, 2]


def test_counts_twice_what_is_given_twice(tmp_path):
    one, other = write(tmp_path / "one", 1.0), write(tmp_path / "other", 4.0)

    path = average([one, one, other], out=tmp_path / "mean")

    assert (load_file(path)["a"] == 2).all()


def test_refuses_what_is_no_pair_and_writes_nothing(tmp_path):
    one = write(tmp_path / "one", 1.0)
    other = write(tmp_path / "other", 1.0, more=torch.ones(1))
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"no weights")

    for file, said in ((other, "not weights of one network"), (broken, "cannot be read")):
        with pytest.raises(BadWeights, match=said):
            average([one, file], out=tmp_path / "mean")

    assert not (tmp_path / "mean").exists()


def test_overwrites_neither_run(tmp_path):
    one, other = write(tmp_path / "one", 1.0), write(tmp_path / "other", 3.0)

    with pytest.raises(BadWeights, match="choose another folder"):
        average([one, other], out=tmp_path / "other")

    assert (load_file(other)["a"] == 3).all()
