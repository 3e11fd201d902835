"""Where a garment's eight landmarks are, and whether they can be seen."""

from typing import NamedTuple, cast

from torch import Tensor, nn

from inference.networks.mmfashion.global_pooling import GlobalPooling
from inference.networks.mmfashion.resnet import ResNet
from inference.networks.mmfashion.vgg import Vgg


class Landmarks(NamedTuple):
    visibility: Tensor
    """(N, 8) logits."""
    points: Tensor
    """(N, 8, 2): x, y in pixels of the picture that was looked at (224 x 224)."""


class LandmarkFeatures(nn.Module):
    """(N, size) → (N, landmarks, depth)."""

    def __init__(self, *, size: int, depth: int, landmarks: int) -> None:
        super().__init__()
        self.linear = nn.Linear(size, landmarks * depth)
        self.landmarks, self.depth = landmarks, depth

    def forward(self, encoded: Tensor) -> Tensor:
        return cast(Tensor, self.linear(encoded)).view(-1, self.landmarks, self.depth)


class VisibilityHead(nn.Module):
    """(N, landmarks, depth) → (N, landmarks) logits, by one layer for all of them.

    MMFashion's configurations say `outchannels=2`; its code answers one number all the same.
    """

    def __init__(self, *, depth: int) -> None:
        super().__init__()
        self.linear = nn.Linear(depth, 1)

    def forward(self, features: Tensor) -> Tensor:
        return cast(Tensor, self.linear(features)).squeeze(2)


class PointHead(nn.Module):
    """(N, landmarks, depth) → (N, landmarks, 2), by one layer for all of them."""

    def __init__(self, *, depth: int) -> None:
        super().__init__()
        self.linear = nn.Linear(depth, 2)

    def forward(self, features: Tensor) -> Tensor:
        return cast(Tensor, self.linear(features))


class LandmarkDetector(nn.Module):
    """float32 (N, 3, 224, 224), ImageNet-normalised RGB → Landmarks."""

    def __init__(
        self,
        *,
        backbone: Vgg | ResNet,
        global_pool: GlobalPooling,
        landmark_feature_extractor: LandmarkFeatures,
        visibility_classifier: VisibilityHead,
        landmark_regression: PointHead,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.global_pool = global_pool
        self.landmark_feature_extractor = landmark_feature_extractor
        self.visibility_classifier = visibility_classifier
        self.landmark_regression = landmark_regression

    def forward(self, images: Tensor) -> Landmarks:
        features = self.landmark_feature_extractor(self.global_pool(self.backbone(images)))
        return Landmarks(self.visibility_classifier(features), self.landmark_regression(features))
