"""ResNet without its pooling and classifier (He et al. 2016), torchvision's keys.

The stride stands in the 3x3 convolution of a bottleneck, as in torchvision.
"""

from typing import cast

from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock, Bottleneck
from torchvision.models.resnet import ResNet as TorchvisionResNet

DEPTHS: dict[str, tuple[type[BasicBlock | Bottleneck], list[int]]] = {
    "resnet18": (BasicBlock, [2, 2, 2, 2]),
    "resnet34": (BasicBlock, [3, 4, 6, 3]),
    "resnet50": (Bottleneck, [3, 4, 6, 3]),
    "resnet101": (Bottleneck, [3, 4, 23, 3]),
}


class ResNet(nn.Module):
    """float32 (N, 3, H, W), ImageNet-normalised RGB → (N, `channels`, H / 32, W / 32)."""

    def __init__(self, *, setting: str = "resnet50") -> None:
        super().__init__()
        block, layers = DEPTHS[setting]
        whole = TorchvisionResNet(block, layers)
        self.conv1, self.bn1 = whole.conv1, whole.bn1
        self.relu, self.maxpool = whole.relu, whole.maxpool
        self.layer1, self.layer2 = whole.layer1, whole.layer2
        self.layer3, self.layer4 = whole.layer3, whole.layer4
        self.channels = 512 * block.expansion

    def forward(self, images: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        return cast(Tensor, self.layer4(self.layer3(self.layer2(self.layer1(x)))))
