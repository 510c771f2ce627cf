"""The detail path: features of the frame itself, for boundaries finer than a patch."""

from torch import Tensor, nn
import torch.nn.functional as F

_STEM_CHANNELS = 16


class Detail(nn.Module):
    """
    Turn frames (B, 3, H, W) into features at half of their size and at their full size.

    :param width: channels at half size.
    :param channels: channels at full size.
    """

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, _STEM_CHANNELS, 3, stride=2, padding=1)
        self.coarse = nn.Conv2d(_STEM_CHANNELS, width, 3, padding=1)
        self.fine = nn.Conv2d(3, channels, 3, padding=1)

    def forward(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        return self.coarse(F.relu(self.stem(frames))), F.relu(self.fine(frames))
