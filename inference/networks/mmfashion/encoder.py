"""What MMFashion's predictors and retrievers share: the whole picture, and what is around its
landmarks, as one vector."""

from typing import cast

from torch import Tensor, nn

from inference.networks.mmfashion.fusion import Fusion
from inference.networks.mmfashion.global_pooling import GlobalPooling
from inference.networks.mmfashion.resnet import ResNet
from inference.networks.mmfashion.roi_pooling import RoIPooling
from inference.networks.mmfashion.vgg import Vgg


class Encoder(nn.Module):
    """float32 (N, 3, H, W), ImageNet-normalised RGB → (N, size).

    landmarks: float32 (N, 16), x and y in pixels of a 224 x 224 picture, or none: then the whole
    picture counts alone. Without RoI pooling they are ignored.
    """

    def __init__(
        self,
        *,
        backbone: Vgg | ResNet,
        global_pool: GlobalPooling,
        roi_pool: RoIPooling | None,
        concat: Fusion | None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.global_pool = global_pool
        if roi_pool is not None and concat is not None:
            self.roi_pool, self.concat = roi_pool, concat

    def encode(self, images: Tensor, landmarks: Tensor | None = None) -> Tensor:
        features = self.backbone(images)
        whole = cast(Tensor, self.global_pool(features))
        if not hasattr(self, "roi_pool"):
            return whole
        local = None if landmarks is None else self.roi_pool(features, landmarks)
        return cast(Tensor, self.concat(whole, local))
