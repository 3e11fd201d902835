"""MMFashion's type-aware recommender: which garments go together."""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from inference.networks.mmfashion.global_pooling import GlobalPooling
from inference.networks.mmfashion.resnet import ResNet
from inference.networks.mmfashion.type_spaces import TypeSpaces
from inference.networks.mmfashion.vgg import Vgg

_TINY = 1e-10


class TextBranch(nn.Module):
    """A description's features (N, size) → (N, out) of length 1; used in training only."""

    def __init__(self, *, size: int, out: int) -> None:
        super().__init__()
        self.fc1 = nn.Sequential(
            nn.Linear(size, out), nn.BatchNorm1d(out, eps=1e-3, momentum=0.01), nn.ReLU()
        )
        self.fc2 = nn.Linear(out, out)

    def forward(self, features: Tensor) -> Tensor:
        answer = cast(Tensor, self.fc2(self.fc1(features)))
        return cast(Tensor, answer / (answer.norm(p=2, dim=1, keepdim=True) + _TINY))


class TripletNet(nn.Module):
    """How near two garments are in a type-specific space.

    With `learned_metric` by a layer over the product of both, else by their distance.
    """

    def __init__(self, *, text_size: int, size: int, learned_metric: bool) -> None:
        super().__init__()
        self.text_branch = TextBranch(size=text_size, out=size)
        self.metric_branch = nn.Linear(size, 1, bias=False) if learned_metric else None
        if self.metric_branch is not None:
            # As MMFashion's: no dimension counts until it has learnt which ones do.
            nn.init.zeros_(self.metric_branch.weight)

    def measure(self, one: Tensor, other: Tensor) -> Tensor:
        """(N, size) twice → (N,) distances."""
        if self.metric_branch is None:
            return functional.pairwise_distance(one, other)
        return cast(Tensor, self.metric_branch(one * other)).squeeze(1)


class TypeAwareRecommender(nn.Module):
    """float32 (N, 3, 224, 224), ImageNet-normalised RGB → (N, spaces + 1, 256)."""

    def __init__(
        self,
        *,
        backbone: Vgg | ResNet,
        global_pool: GlobalPooling,
        type_specific_net: TypeSpaces,
        triplet_net: TripletNet,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.global_pool = global_pool
        self.type_specific_net = type_specific_net
        self.triplet_net = triplet_net

    def encode(self, images: Tensor) -> Tensor:
        """(N, 256): the general embedding."""
        return cast(Tensor, self.global_pool(self.backbone(images)))

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.type_specific_net(self.encode(images)))
