"""ACTION: frames are shifted, then excited by place, by channel and by motion.

Source: Wang et al. 2021, arXiv:2103.07372, section 3, as Fan et al. 2021, section III-B, equations 1 to 3, use it; what
both leave silent (the learned shift, ReLU and normalisation, no biases, K depthwise) after the released code.
Differs: nothing.

    S      = learned shift of x, which starts as the fixed one
    m_STE  = sigmoid(conv3d_3x3x3(mean of S over channels))                               one map for all channels
    m_CE   = sigmoid(expand(relu(conv1d_3 over time(squeeze(mean of S over places)))))    one number per channel
    F      = norm(squeeze'(S));  F_m[t] = mean over places of (K * F[t + 1] - F[t]), zero for the last frame
    m_ME   = sigmoid(expand'(F_m))                                                        one number per channel
    out    = S (1 + m_STE) + S (1 + m_CE) + S (1 + m_ME) = S (m_STE + (3 + m_CE + m_ME))

`squeeze` and `expand` are 1x1 convolutions to and from a sixteenth of the channels.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from mudra.backbones import excited_shift
from mudra.backbones.excitation import excite, pool_both
from mudra.backbones.excited_shift import excite_here, shift_and_sum
from mudra.backbones.learned_shift import LearnedShift
from mudra.backbones.temporal_module import TemporalModule, reduced_channels, split_frames
from mudra.backbones.temporal_shift import FOLD_DIV, plan_shift
from mudra.config import Config
from mudra.errors import ConfigError

# Our names for those of the released code, behind `layerN.M.conv1.`.
OFFICIAL_NAMES = {
    "action_shift": "shift",
    "action_p1_conv1": "spatio_temporal.conv",
    "action_p2_squeeze": "channel.squeeze",
    "action_p2_conv1": "channel.conv",
    "action_p2_expand": "channel.expand",
    "action_p3_squeeze": "motion.squeeze",
    "action_p3_bn1": "motion.norm",
    "action_p3_conv1": "motion.conv",
    "action_p3_expand": "motion.expand",
}


class ActionConfig(Config):
    """Shift and three excitations (ACTION)."""

    kind: Literal["action"] = "action"

    fold_div: int = Field(default=FOLD_DIV, ge=2)
    """One in so many channels starts shifted each way."""

    def build(self, in_channels: int) -> Action:
        """Return the module for maps of `in_channels` channels."""
        return Action(in_channels=in_channels, fold_div=self.fold_div)


class Excitations(NamedTuple):
    """The three masks of one pass, each in [0, 1].

    Args:
        spatio_temporal_B1HW: STE's.
        channel_BC11: CE's.
        motion_BC11: ME's; one half in a clip's last frame.
    """

    spatio_temporal_B1HW: Tensor
    channel_BC11: Tensor
    motion_BC11: Tensor


class SpatioTemporalExcitation(nn.Module):
    """Where and when: one map for all channels of every frame."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv3d(1, 1, 3, padding=1, bias=False)

    def forward(self, mean_B1HW: Tensor, num_frames: int) -> Tensor:
        # The kernel's three frames as three 2-D kernels, whose results are then added along time: the same products,
        # and free of a processor's wrong bf16 gradients of 3-D convolutions on clips of two frames.
        # As a matrix product: with so few channels a convolution's gradients take several times as long.
        around_B9P = nn.functional.unfold(mean_B1HW, 3, padding=1)
        taps_B3P = torch.matmul(self.conv.weight.view(3, 9), around_B9P)
        taps_BT3HW = split_frames(taps_B3P.view(-1, 3, *mean_B1HW.shape[2:]), num_frames)
        before, here, after = taps_BT3HW.unbind(dim=2)
        # One frame later and one earlier: zeros come in on one side, a frame goes out on the other.
        later = nn.functional.pad(before, (0, 0, 0, 0, 1, -1))
        earlier = nn.functional.pad(after, (0, 0, 0, 0, -1, 1))
        mask_BTHW: Tensor = (later + here + earlier).sigmoid()
        return mask_BTHW.flatten(0, 1).unsqueeze(1)


class ChannelExcitation(nn.Module):
    """Which channels: one number per channel and frame, from the clip's means over places."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        reduced = reduced_channels(channels)
        self.squeeze = nn.Conv2d(channels, reduced, 1, bias=False)
        self.conv = nn.Conv1d(reduced, reduced, 3, padding=1, bias=False)
        self.expand = nn.Conv2d(reduced, channels, 1, bias=False)

    def forward(self, mean_BC11: Tensor, num_frames: int) -> Tensor:
        squeezed_BTR = split_frames(multiply(self.squeeze, mean_BC11.flatten(1)), num_frames)
        # Three frames side by side, zeros beyond the ends, and a kernel laid out likewise.
        padded_BSR = nn.functional.pad(squeezed_BTR, (0, 0, 1, 1))
        triples_BTX = torch.cat([padded_BSR[:, tap : tap + num_frames] for tap in range(3)], dim=2)
        kernel_RX = self.conv.weight.transpose(1, 2).flatten(1)
        mixed_BTR = nn.functional.linear(triples_BTX, kernel_RX).relu()
        return multiply(self.expand, mixed_BTR.flatten(0, 1)).sigmoid()[..., None, None]


class MotionExcitation(nn.Module):
    """Which channels move: one number per channel and frame, from the difference to the next frame."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        reduced = reduced_channels(channels)
        self.squeeze = nn.Conv2d(channels, reduced, 1, bias=False)
        self.norm = nn.BatchNorm2d(reduced)
        self.conv = nn.Conv2d(reduced, reduced, 3, padding=1, groups=reduced, bias=False)
        self.expand = nn.Conv2d(reduced, channels, 1, bias=False)

    def forward(self, x_BCHW: Tensor, num_frames: int) -> Tensor:
        return self.measure(self.squeeze(x_BCHW), num_frames)

    def measure(self, squeezed_BRHW: Tensor, num_frames: int) -> Tensor:
        """Return the mask of maps that are squeezed already."""
        squeezed_BRHW = self.norm(squeezed_BRHW)
        # All frames are convolved, the first in vain: leaving it out would copy the others.
        moved_BR11 = motion_means(squeezed_BRHW, self.conv(squeezed_BRHW), num_frames)
        return multiply(self.expand, moved_BR11.flatten(1)).sigmoid()[..., None, None]


def multiply(pointwise: nn.Conv2d, x_BC: Tensor) -> Tensor:
    """Return a 1x1 convolution of maps of one place each: a matrix product, which is called as one."""
    return nn.functional.linear(x_BC, pointwise.weight.flatten(1), pointwise.bias)


def motion_means(frames_BCHW: Tensor, convolved_BCHW: Tensor, num_frames: int) -> Tensor:
    """Return the means over places of (convolved[t + 1] - frames[t]), zero for every clip's last frame.

    The means are taken before the difference, which is linear: what is subtracted is one number per channel.

    Returns:
        Shape (B * T, C, 1, 1).
    """
    here, convolved = (split_frames(maps.mean(dim=(2, 3)), num_frames) for maps in (frames_BCHW, convolved_BCHW))
    moved = [convolved[:, 1:] - here[:, :-1], torch.zeros_like(here[:, :1])]
    return torch.cat(moved, dim=1).flatten(0, 1)[..., None, None]


class Action(TemporalModule):
    """Shift and three excitations.

    Args:
        in_channels: Channels of the maps (C).
        fold_div: One in so many channels starts shifted each way.

    Raises:
        ConfigError: If `fold_div` is below two, so that channels would have to move both ways.

    Example:
        >>> Action(in_channels=16)(torch.zeros(6, 16, 5, 4), 3).shape
        torch.Size([6, 16, 5, 4])
    """

    def __init__(self, *, in_channels: int, fold_div: int = FOLD_DIV) -> None:
        if fold_div < 2:
            raise ConfigError(f"fold_div is {fold_div}: all channels cannot move both ways", hint="take 2 or more")
        super().__init__(in_channels)
        plan = plan_shift(in_channels, fold_div=fold_div)
        self.shift = LearnedShift(plan, channels=in_channels, is_movement=True)
        self.spatio_temporal = SpatioTemporalExcitation()
        self.channel = ChannelExcitation(in_channels)
        self.motion = MotionExcitation(in_channels)

    def forward(self, x_BCHW: Tensor, num_frames: int, before_BCHW: Tensor | None = None) -> Tensor:
        if excited_shift.pays_off(x_BCHW):
            sums = shift_and_sum(x_BCHW, self.shift.weight, self.motion.squeeze.weight, num_frames)
            place = self.spatio_temporal(sums.over_channels_F1HW, num_frames)
            channel = self.channel(sums.over_places_FC11, num_frames)
            motion = self.motion.measure(sums.squeezed_FRHW, num_frames)
            return excite_here(sums.shifted_FCHW, place, 3.0 + channel + motion)
        shifted = self.shift(x_BCHW, num_frames)
        place, channel, motion = self.measure(shifted, num_frames)
        excited = excite_here if excited_shift.is_forward_alone(x_BCHW) else excite
        return excited(shifted, place, 3.0 + channel + motion)

    def measure(self, shifted_BCHW: Tensor, num_frames: int) -> Excitations:
        """Return the three masks of shifted maps."""
        over_channels, over_places = pool_both(shifted_BCHW)
        return Excitations(
            self.spatio_temporal(over_channels, num_frames),
            self.channel(over_places, num_frames),
            self.motion(shifted_BCHW, num_frames),
        )
