"""The networks of eTryOn D3.1, with torchvision's keys.

detector: Faster R-CNN on ResNet-50 with a feature pyramid (Ren et al. 2015), 4 objects.
category, attributes: EfficientNet-B4 (Tan and Le 2019) with one linear layer after dropout.
alignment: the same EfficientNet beside kalas-mini's text encoder, for contrast between photos and
their texts (Radford et al. 2021).
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import EfficientNet, efficientnet_b4
from torchvision.models.detection import FasterRCNN, fasterrcnn_resnet50_fpn
from torchvision.models.detection.anchor_utils import AnchorGenerator

from inference.networks.garment_net import EMBEDDING_SIZE
from inference.networks.text_net import TextNet

WIDTH = 1792
"""What EfficientNet-B4 says of a photo before its last layer."""
LARGEST_SCALE = 100.0
"""At which the contrast's inverse temperature is clipped, as in CLIP."""
_ANCHORS = (32, 64, 128, 256, 512)


class Aligned(nn.Module):
    """Photos and texts in one space; trained, its `image` is a start for the other networks."""

    def __init__(self) -> None:
        super().__init__()
        self.image = efficientnet_b4(num_classes=EMBEDDING_SIZE, dropout=0.0)
        self.text = TextNet()
        self.scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        """The logarithm of the inverse temperature."""

    def forward(self, images: Tensor, ids: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """float32 (N, 3, H, W) normalised, `encode_words`' arrays → (N, 256) twice, of length 1."""
        return functional.normalize(self.image(images), dim=1), self.text(ids, weights)

    def clip(self) -> None:
        with torch.no_grad():
            self.scale.clamp_(max=math.log(LARGEST_SCALE))


def build(
    settings: Mapping[str, Any], *, device: torch.device | str = "cpu"
) -> EfficientNet | FasterRCNN | Aligned:
    """With random weights; on "meta" there are none yet.

    settings: `type`, a Kind; `answers`; `dropout`; a detector's `size` and `longest` side in
    pixels, `anchors`, and `proposals` in training.
    """
    with torch.device(device):
        network = _build(settings)
    if isinstance(network, FasterRCNN):
        # Its anchors are no weights, and have to exist even where those don't yet.
        sizes = tuple((int(size),) for size in settings.get("anchors", _ANCHORS))
        network.rpn.anchor_generator = AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes))
    return network


def _build(settings: Mapping[str, Any]) -> EfficientNet | FasterRCNN | Aligned:
    if settings["type"] == "alignment":
        return Aligned()
    if settings["type"] == "detector":
        size = settings.get("size", 800)
        return fasterrcnn_resnet50_fpn(
            weights=None,
            weights_backbone=None,
            num_classes=settings["answers"] + 1,
            min_size=size,
            max_size=settings.get("longest", size * 5 // 3),
            box_score_thresh=0.01,
            rpn_post_nms_top_n_train=settings.get("proposals", 2000),
        )
    return efficientnet_b4(num_classes=settings["answers"], dropout=settings.get("dropout", 0.5))
