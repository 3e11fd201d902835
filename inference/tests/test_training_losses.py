import pytest
import torch

from inference.training.losses import likeness, taught_alike_loss, taught_loss


def test_a_teacher_is_followed_best_by_saying_the_same():
    wanted = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
    everyone = torch.tensor([True, True])

    same = taught_loss(wanted.log(), wanted, known=everyone)
    other = taught_loss(wanted.flip(0).log(), wanted, known=everyone)

    assert same.item() == pytest.approx(-(wanted * wanted.log()).sum(dim=1).mean().item())
    assert same < other


def test_a_teacher_is_asked_about_known_photos_only():
    wanted = torch.tensor([[0.7, 0.3], [0.5, 0.5]])
    logits = torch.tensor([[1.0, 0.0], [9.0, -9.0]])

    loss = taught_loss(logits, wanted, known=torch.tensor([True, False]))

    assert loss.item() == pytest.approx(
        taught_loss(logits[:1], wanted[:1], known=torch.tensor([True]))
    )
    assert taught_loss(logits, wanted, known=torch.tensor([False, False])) == 0


def test_attention_goes_to_the_others_that_are_like_a_photo():
    embeddings = torch.eye(3)[[0, 0, 1]]

    shares = likeness(embeddings, scale=4.0)

    assert torch.allclose(shares.sum(dim=1), torch.ones(3))
    assert torch.equal(shares.diagonal(), torch.zeros(3))
    assert shares[0, 1] > 0.9
    assert shares[2, 0] == pytest.approx(0.5)
    assert taught_alike_loss(embeddings, shares, scale=4.0) < taught_alike_loss(
        torch.eye(3), shares, scale=4.0
    )
