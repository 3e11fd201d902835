"""torchvision's Mask R-CNN (He et al. 2017), small, for Fashion Wizard's fifteen parts."""

from typing import Literal

from torch import nn
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import (
    BackboneWithFPN,
    mobilenet_backbone,
    resnet_fpn_backbone,
)
from torchvision.models.detection.faster_rcnn import AnchorGenerator

from inference.wizard.parts import PARTS

Backbone = Literal["mobilenet_v3_large", "resnet18", "resnet34", "resnet50"]
BACKBONES: tuple[Backbone, ...] = ("mobilenet_v3_large", "resnet18", "resnet34", "resnet50")


def build_part_net(backbone: Backbone, side: int) -> MaskRCNN:
    """With random weights. It scales photos (3, H, W), RGB in 0..1, to `side` at most itself."""
    trunk = _build_trunk(backbone)
    # Parts are as small as glasses and as large as dresses: sizes from a sixteenth of the photo.
    sixteenth = side // 16
    sizes: tuple[tuple[int, ...], ...] = tuple((sixteenth * 2**i,) for i in range(5))
    if backbone.startswith("mobilenet"):
        # Three maps, each with as many sizes.
        sizes = tuple((sixteenth * 2**i, sixteenth * 2 ** (i + 1)) for i in (0, 2, 3))
    anchors = AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * len(sizes))
    return MaskRCNN(
        trunk,
        num_classes=len(PARTS),
        min_size=side,
        max_size=side,
        rpn_anchor_generator=anchors,
        rpn_pre_nms_top_n_train=500,
        rpn_post_nms_top_n_train=250,
        rpn_pre_nms_top_n_test=300,
        rpn_post_nms_top_n_test=100,
        box_batch_size_per_image=128,
        box_detections_per_img=40,
    )


def _build_trunk(backbone: Backbone) -> BackboneWithFPN:
    if backbone == "mobilenet_v3_large":
        made: BackboneWithFPN = mobilenet_backbone(
            backbone_name=backbone,
            weights=None,
            fpn=True,
            trainable_layers=6,
            norm_layer=nn.BatchNorm2d,
        )
        return made
    return resnet_fpn_backbone(
        backbone_name=backbone, weights=None, trainable_layers=5, norm_layer=nn.BatchNorm2d
    )
