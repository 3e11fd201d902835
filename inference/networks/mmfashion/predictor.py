"""MMFashion's predictors of attributes and categories, by the whole picture or with landmarks."""

from typing import NamedTuple

from torch import Tensor

from inference.networks.mmfashion.attribute_head import AttributeHead
from inference.networks.mmfashion.category_head import CategoryHead
from inference.networks.mmfashion.encoder import Encoder
from inference.networks.mmfashion.fusion import Fusion
from inference.networks.mmfashion.global_pooling import GlobalPooling
from inference.networks.mmfashion.resnet import ResNet
from inference.networks.mmfashion.roi_pooling import RoIPooling
from inference.networks.mmfashion.vgg import Vgg


class Predicted(NamedTuple):
    attributes: Tensor
    """(N, attributes) logits."""
    categories: Tensor | None
    """(N, categories) logits, of a predictor of both."""


class Predictor(Encoder):
    """float32 (N, 3, H, W), ImageNet-normalised RGB → Predicted.

    landmarks: float32 (N, 16), x and y in pixels of a 224 x 224 picture. A predictor with RoI
    pooling needs them (ValueError), one without ignores them. A picture alone is a batch of one:
    the answers keep their first dimension, where MMFashion's lose it with RoI pooling.
    """

    def __init__(
        self,
        *,
        backbone: Vgg | ResNet,
        global_pool: GlobalPooling,
        attr_predictor: AttributeHead,
        cate_predictor: CategoryHead | None = None,
        roi_pool: RoIPooling | None = None,
        concat: Fusion | None = None,
    ) -> None:
        super().__init__(
            backbone=backbone, global_pool=global_pool, roi_pool=roi_pool, concat=concat
        )
        self.attr_predictor = attr_predictor
        if cate_predictor is not None:
            self.cate_predictor = cate_predictor

    def encode(self, images: Tensor, landmarks: Tensor | None = None) -> Tensor:
        if landmarks is None and hasattr(self, "roi_pool"):
            raise ValueError("This predictor looks around landmarks; it was given none.")
        return super().encode(images, landmarks)

    def forward(self, images: Tensor, landmarks: Tensor | None = None) -> Predicted:
        encoded = self.encode(images, landmarks)
        categories = self.cate_predictor(encoded) if hasattr(self, "cate_predictor") else None
        return Predicted(self.attr_predictor(encoded), categories)
