import numpy as np
import pytest
import torch

from inference.networks.text_net import TextNet
from inference.words import BUCKETS, LONGEST, encode_words, split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Red Striped T-Shirt", ["red", "striped", "t-shirt"]),
        ("kırmızı ÇİZGİLİ tişört", ["kirmizi", "cizgili", "tisort"]),
        ("  women\u2019s  top!! ", ["women", "s", "top"]),
        ("", []),
        ("— ;", []),
    ],
)
def test_splits_texts_into_plain_words(text, words):
    assert split_words(text) == words


def test_reads_a_limited_number_of_words():
    assert len(split_words("a " * 1000)) == LONGEST


def test_fills_shorter_texts_with_nothing():
    ids, weights = encode_words(["red", "red striped top", ""])

    assert ids.shape == weights.shape
    assert ids.min() >= 0
    assert ids.max() < BUCKETS
    assert not ids[2].any()
    assert not weights[2].any()
    assert np.array_equal(ids[0][weights[0] > 0], ids[1][: (weights[0] > 0).sum()])


def test_encodes_texts_to_unit_vectors_whatever_is_beside_them():
    torch.manual_seed(0)
    network = TextNet().eval()

    alone = network.encode(["red top"])
    together = network.encode(["red top", "a very long text about blue jeans for men"])

    assert together.shape == (2, 256)
    assert torch.allclose(together.norm(dim=1), torch.ones(2), atol=1e-5)
    assert torch.allclose(alone[0], together[0], atol=1e-5)


def test_keeps_a_misspelt_word_nearer_than_another_one():
    torch.manual_seed(0)
    network = TextNet().eval()
    right, misspelt, other = network.encode(["trousers", "trouserz", "umbrella"])

    assert right @ misspelt > right @ other
