import pytest
import torch

from inference.training.losses import (
    accepted_loss,
    alike_loss,
    attribute_losses,
    contrast_loss,
    known_loss,
)
from inference.training.samples import NONE


def loss_of(logits: list[float], *, plain: int = NONE) -> torch.Tensor:
    """Where the first two of three answers are right."""
    accepts = torch.tensor([[True, True, False]])
    plainly = torch.tensor([plain])
    return accepted_loss(torch.tensor([logits]), accepts, plainly, plain_weight=0.2, smoothing=0)


def test_asks_only_for_one_of_the_accepted_answers():
    first, second = loss_of([9.0, 0.0, 0.0]), loss_of([0.0, 9.0, 0.0])

    assert torch.isclose(first, second)
    assert first < 0.01
    assert loss_of([0.0, 0.0, 9.0]) > 5


def test_prefers_what_the_label_says_by_itself():
    first, second = (loss_of(logits, plain=0) for logits in ([9.0, 0.0, 0.0], [0.0, 9.0, 0.0]))

    assert first < 0.01
    assert 1 < second < loss_of([0.0, 0.0, 9.0], plain=0)


def test_leaves_photos_without_the_label_out_of_an_auxiliary_loss():
    logits = torch.tensor([[5.0, 0.0], [0.0, 5.0]])

    assert known_loss(logits, torch.tensor([-1, -1])) == 0
    assert known_loss(logits, torch.tensor([0, -1])) < 0.01


def test_gives_one_known_photo_less_say_than_a_batch():
    logits = torch.zeros(40, 2)
    one, all_of_them = torch.full((40,), -1), torch.zeros(40, dtype=torch.int64)
    one[0] = 0

    assert known_loss(logits, one) == pytest.approx(known_loss(logits, all_of_them).item() / 10)


def test_weighs_answers():
    logits, labels = torch.tensor([[0.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 1])
    weighed = known_loss(logits, labels, classes=torch.tensor([0.5, 1.5]))

    assert weighed == pytest.approx(known_loss(logits, labels).item())


def test_measures_each_attribute_key_where_it_is_known():
    logits = torch.tensor([[9.0, 0.0, 0.0, 9.0, 0.0]])
    mixed = torch.tensor([[0, 0]])

    losses = attribute_losses(logits, mixed, (2, 3))

    assert losses.shape == (2,)
    assert losses[0] < 0.01
    assert losses[1] > 8
    assert (attribute_losses(logits, torch.tensor([[-1, -1]]), (2, 3)) == 0).all()


def test_contrasts_photos_with_their_texts():
    photos = torch.eye(3)
    own, scale = torch.eye(3, dtype=torch.bool), torch.tensor(20.0)
    twins = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    first_two_alike = torch.tensor([[0.7071, 0.7071, 0.0], [0.7071, 0.7071, 0.0], [0.0, 0.0, 1.0]])

    assert contrast_loss(photos, photos, own, scale=scale) < 0.01
    assert contrast_loss(photos, photos[[1, 2, 0]], own, scale=scale) > 10
    assert contrast_loss(photos, first_two_alike, twins, scale=scale) < contrast_loss(
        photos, photos[[2, 2, 0]], twins, scale=scale
    )


def test_contrasts_photos_with_other_texts_too():
    photos, scale = torch.eye(3), torch.tensor(20.0)
    texts = torch.cat([photos, photos[:1]])
    own = torch.eye(3, 4, dtype=torch.bool)
    also_right = own.clone()
    also_right[0, 3] = True

    assert contrast_loss(photos, texts, own, scale=scale) > 0.1
    assert contrast_loss(photos, texts, also_right, scale=scale) == pytest.approx(
        contrast_loss(photos, texts, own, scale=scale).item(), abs=0.01
    )


def test_contrasts_the_views_of_a_photo_with_all_others():
    views = torch.eye(3)[[0, 1, 2, 0]]
    photos = torch.tensor([5, 6, 7, 5])

    assert alike_loss(views, photos, scale=20) < 0.01
    assert alike_loss(views[[0, 1, 2, 1]], photos, scale=20) > 5
    assert alike_loss(views, torch.tensor([1, 2, 3, 4]), scale=20) == 0
    assert alike_loss(views, torch.tensor([-1, 2, 3, -1]), scale=20) == 0
