"""MMFashion's retrievers: in-shop and consumer-to-shop, by the whole picture or with landmarks."""

from typing import NamedTuple, cast

from torch import Tensor

from inference.networks.mmfashion.attribute_head import AttributeHead
from inference.networks.mmfashion.embedding import EmbedExtractor
from inference.networks.mmfashion.encoder import Encoder
from inference.networks.mmfashion.fusion import Fusion
from inference.networks.mmfashion.global_pooling import GlobalPooling
from inference.networks.mmfashion.resnet import ResNet
from inference.networks.mmfashion.roi_pooling import RoIPooling
from inference.networks.mmfashion.vgg import Vgg


class Retrieved(NamedTuple):
    """What training compares; serving needs the embedding alone."""

    embedding: Tensor
    """(N, 256), not normalised."""
    items: Tensor
    """(N, items) logits: which of the training's items is it?"""
    attributes: Tensor | None
    """(N, attributes) logits."""


class Retriever(Encoder):
    """float32 (N, 3, H, W), ImageNet-normalised RGB → embedding (N, 256).

    landmarks: float32 (N, 16) in pixels of a 224 x 224 picture, or none: then the whole picture
    counts alone. MMFashion's loaders gave its retrievers 0..7 instead of pixels, so that all
    windows lay in the top left corner: weights trained there want `landmarks / 32`.
    """

    def __init__(
        self,
        *,
        backbone: Vgg | ResNet,
        global_pool: GlobalPooling,
        embed_extractor: EmbedExtractor,
        attr_predictor: AttributeHead | None = None,
        roi_pool: RoIPooling | None = None,
        concat: Fusion | None = None,
    ) -> None:
        super().__init__(
            backbone=backbone, global_pool=global_pool, roi_pool=roi_pool, concat=concat
        )
        self.embed_extractor = embed_extractor
        if attr_predictor is not None:
            self.attr_predictor = attr_predictor

    def forward(self, images: Tensor, landmarks: Tensor | None = None) -> Tensor:
        return cast(Tensor, self.embed_extractor(self.encode(images, landmarks)))

    def answer_all(self, images: Tensor, landmarks: Tensor | None = None) -> Retrieved:
        encoded = self.encode(images, landmarks)
        embedding = self.embed_extractor(encoded)
        attributes = self.attr_predictor(encoded) if hasattr(self, "attr_predictor") else None
        return Retrieved(embedding, self.embed_extractor.id_linear(embedding), attributes)
