"""torchvision's Mask R-CNN (He et al. 2017), small, for Fashion Wizard's fifteen parts."""

from collections import OrderedDict
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import (
    BackboneWithFPN,
    mobilenet_backbone,
    resnet_fpn_backbone,
)
from torchvision.models.detection.faster_rcnn import (
    AnchorGenerator,
    FastRCNNPredictor,
    RPNHead,
    TwoMLPHead,
)
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.ops import MultiScaleRoIAlign

from inference.networks.garment_finder import GarmentFinder
from inference.networks.garment_net import MEAN, STD
from inference.wizard.parts import PARTS

Backbone = Literal["garment-finder", "mobilenet_v3_large", "resnet18", "resnet34", "resnet50"]
BACKBONES: tuple[Backbone, ...] = (
    "garment-finder",
    "mobilenet_v3_large",
    "resnet18",
    "resnet34",
    "resnet50",
)
ON_FINDER: Backbone = "garment-finder"
LENT = "backbone.finder."
"""Tensors of the finder that a net looks through; they are in the finder's file, not in its own."""

_NARROW = 64
"""Channels of the maps and heads of a net that looks through the finder."""


class FinderMaps(nn.Module):
    """The garment finder's view of a photo, as maps for Mask R-CNN; the finder does not learn.

    Each map joins what the trunk sees at a size with what the path back up makes of it.
    """

    def __init__(self, finder: GarmentFinder) -> None:
        super().__init__()
        self.finder = finder.eval().requires_grad_(False)
        self.out_channels = _NARROW
        path, head = finder.neck
        self.join = nn.ModuleList(
            nn.Conv2d(width + out, _NARROW, 1)
            for width, out in zip(finder.widths, (head, path, path, path), strict=True)
        )
        self.smooth = nn.ModuleList(
            nn.Conv2d(_NARROW, _NARROW, 3, padding=1) for _ in finder.widths
        )

    def train(self, mode: bool = True) -> "FinderMaps":
        super().train(mode)
        self.finder.eval()
        return self

    def forward(self, images: Tensor) -> OrderedDict[str, Tensor]:
        seen = self.finder.look(images)
        maps = zip(seen.trunk, seen.path, self.join, self.smooth, strict=True)
        return OrderedDict(
            (str(i), smooth(functional.relu(join(torch.cat([trunk, path], dim=1)))))
            for i, (trunk, path, join, smooth) in enumerate(maps)
        )


def build_part_net(
    backbone: Backbone, side: int, *, finder: GarmentFinder | None = None
) -> MaskRCNN:
    """With random weights. It scales photos (3, H, W), RGB in 0..1, to `side` at most itself.

    The backbone "garment-finder" needs a finder and looks through it as it is.
    """
    if backbone == ON_FINDER:
        return _build_on_finder(finder or GarmentFinder(), side)
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


def _build_on_finder(finder: GarmentFinder, side: int) -> MaskRCNN:
    sixteenth = side // 16
    anchors = AnchorGenerator(
        tuple((sixteenth * 2**i,) for i in range(4)), ((0.33, 0.7, 1.5, 3.0),) * 4
    )
    crop = MultiScaleRoIAlign(["0", "1", "2", "3"], output_size=7, sampling_ratio=2)
    fine = MultiScaleRoIAlign(["0", "1", "2", "3"], output_size=14, sampling_ratio=2)
    return MaskRCNN(
        FinderMaps(finder),
        min_size=side,
        max_size=side,
        image_mean=MEAN,
        image_std=STD,
        rpn_anchor_generator=anchors,
        rpn_head=RPNHead(_NARROW, anchors.num_anchors_per_location()[0]),
        rpn_pre_nms_top_n_train=500,
        rpn_post_nms_top_n_train=250,
        rpn_pre_nms_top_n_test=300,
        rpn_post_nms_top_n_test=100,
        box_roi_pool=crop,
        box_head=TwoMLPHead(_NARROW * 7 * 7, 256),
        box_predictor=FastRCNNPredictor(256, len(PARTS)),
        box_batch_size_per_image=64,
        box_detections_per_img=40,
        mask_roi_pool=fine,
        mask_head=MaskRCNNHeads(_NARROW, (_NARROW,) * 4, 1),
        mask_predictor=MaskRCNNPredictor(_NARROW, _NARROW, len(PARTS)),
    )
