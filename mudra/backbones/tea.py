"""TEA: motion excitation, and learned shifts before every 3x3 convolution of a Res2Net block.

Source: Li et al. 2020, arXiv:2004.01398, sections 3.1 (ME) and 3.2 (MTA), in the details of the released code.
Differs: the gate is the released code's, x + x (sigmoid(y) - 1/2); the paper writes x + x (2 sigmoid(y) - 1).

    F    = norm(squeeze(x));  d[t] = mean over places of (K * F[t + 1] - F[t]), zero for the last frame
    y    = norm'(expand(d))
    out  = x + x (sigmoid(y) - 1/2)

The learned shifts are channel-wise temporal convolutions of three frames: before the 3x3 convolutions they start as
nothing, and on the split that passes none as a shift of one half of the channels from the next frame and the other
half from the frame before.
"""

from __future__ import annotations

from torch import Tensor, nn

from mudra.backbones.action import motion_means
from mudra.backbones.learned_shift import LearnedShift
from mudra.backbones.temporal_module import reduced_channels
from mudra.backbones.temporal_shift import plan_shift


class TeaMotionExcitation(nn.Module):
    """One gate per channel and frame, from the difference to the next frame.

    Args:
        channels: Channels of the maps (C).

    Example:
        >>> import torch
        >>> TeaMotionExcitation(32)(torch.zeros(6, 32, 5, 4), 3).shape
        torch.Size([6, 32, 5, 4])
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        reduced = reduced_channels(channels)
        # The names are the released code's.
        self.conv1 = nn.Conv2d(channels, reduced, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(reduced)
        self.conv2 = nn.Conv2d(reduced, reduced, 3, padding=1, groups=reduced, bias=False)
        self.conv3 = nn.Conv2d(reduced, channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(channels)

    def forward(self, x_BCHW: Tensor, num_frames: int) -> Tensor:
        """Return the excited maps of all frames, clip by clip, shape (B * T, C, H, W)."""
        # x + x (m - 1/2) in one product: only the gate, one number per channel, is added to.
        return x_BCHW * (self.measure(x_BCHW, num_frames) + 0.5)

    def measure(self, x_BCHW: Tensor, num_frames: int) -> Tensor:
        """Return sigmoid(y) of maps, in [0, 1], shape (B * T, C, 1, 1); the same in every clip's last frame."""
        squeezed_BRHW = self.bn1(self.conv1(x_BCHW))
        moved_BR11 = motion_means(squeezed_BRHW, self.conv2(squeezed_BRHW), num_frames)
        mask_BC11: Tensor = self.bn3(self.conv3(moved_BR11)).sigmoid()
        return mask_BC11


def build_shifts(width: int, *, num_convolved: int) -> nn.ModuleList:
    """Return the learned shifts of one block: those before its convolutions, then that of the last split.

    Args:
        width: Channels of one split.
        num_convolved: Splits that a convolution follows.
    """
    plain = [LearnedShift((), channels=width) for _ in range(num_convolved)]
    return nn.ModuleList([*plain, LearnedShift(plan_shift(width, fold_div=2), channels=width)])
