"""VGG-16 without its classifier (Simonyan and Zisserman 2015), keys `features.N.*`."""

from torch import Tensor, nn
from torchvision.models import vgg


class Vgg(nn.Module):
    """float32 (N, 3, H, W), ImageNet-normalised RGB → (N, 512, H / 32, W / 32)."""

    channels = 512

    def __init__(self, *, batch_norm: bool = False) -> None:
        super().__init__()
        self.features: nn.Sequential = vgg.make_layers(vgg.cfgs["D"], batch_norm=batch_norm)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.features(images)
        return features
