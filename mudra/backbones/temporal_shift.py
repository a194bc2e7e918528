"""Temporal shift: a share of the channels shows the next frame's maps, a share those of the frame before.

Source: Lin et al. 2019, arXiv:1811.08383, section 3.3 (residual shift, 1/8 of the channels each way) and section 4.3
(one way, for streams).
Differs: nothing.

    y[t, c] = x[t + 1, c]    for c < F
              x[t - 1, c]    for F <= c < 2F
              x[t, c]        otherwise                 F = C // fold_div, zeros beyond the ends

One way, `direction="past"`: y[t, c] = x[t - 1, c] for c < F alone. Then no frame sees a later one, and of a stream the
first F channels of the last frame are all that is to be kept.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from pydantic import PositiveInt
from torch import Tensor, nn

from mudra.backbones.shifted_conv import Fold as Fold
from mudra.backbones.shifted_conv import convolve_shifted, is_foldable
from mudra.backbones.temporal_module import TemporalModule, split_frames
from mudra.config import Config
from mudra.errors import ConfigError, ModelError, nearest_name

ShiftDirection = Literal["both", "past"]
FOLD_DIV = 8  # Lin et al. 2019, section 3.2


class TemporalShiftConfig(Config):
    """A fixed shift of channels along time (TSM)."""

    kind: Literal["tsm"] = "tsm"  # the name by which its paper is known

    fold_div: PositiveInt = FOLD_DIV
    """One in so many channels is shifted each way."""
    direction: ShiftDirection = "both"
    """`both`: from the next frame and from the frame before; `past`: from the frame before alone, for streams."""

    def build(self, in_channels: int) -> TemporalShift:
        """Return the module for maps of `in_channels` channels."""
        return TemporalShift(in_channels=in_channels, fold_div=self.fold_div, direction=self.direction)


def plan_shift(channels: int, *, fold_div: int = FOLD_DIV, direction: ShiftDirection = "both") -> tuple[Fold, ...]:
    """Return which channels move where.

    Example:
        >>> plan_shift(20)
        (Fold(start=0, stop=2, offset=1), Fold(start=2, stop=4, offset=-1), Fold(start=4, stop=20, offset=0))
    """
    fold = channels // fold_div
    offsets = (1, -1) if direction == "both" else (-1,)
    moved = tuple(Fold(index * fold, (index + 1) * fold, offset) for index, offset in enumerate(offsets))
    return (*moved, Fold(len(offsets) * fold, channels, 0))


def shift_frames(x_BCHW: Tensor, num_frames: int, plan: tuple[Fold, ...]) -> Tensor:
    """Return the maps with their channels moved along time, zeros beyond a clip's ends.

    Args:
        x_BCHW: Maps of all frames, clip by clip, shape (B * T, C, H, W).
        num_frames: Frames of a clip (T).
        plan: Which channels move where, covering all of them.
    """
    moved: Tensor = _Shift.apply(split_frames(x_BCHW, num_frames), plan)
    return moved.flatten(0, 1)


class TemporalShift(TemporalModule):
    """A fixed shift of channels along time.

    Args:
        in_channels: Channels of the maps (C).
        fold_div: One in so many channels is shifted each way.
        direction: `both` or `past`.

    Raises:
        ConfigError: If there is no such direction, or `fold_div` leaves too few channels for it.

    Example:
        >>> x_BCHW = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 8, 1, 1)  # three frames, eight channels
        >>> TemporalShift(in_channels=8)(x_BCHW, 3).flatten(1)[:, :3]
        tensor([[1., 0., 0.],
                [2., 0., 1.],
                [0., 1., 2.]])
    """

    def __init__(self, *, in_channels: int, fold_div: int = FOLD_DIV, direction: ShiftDirection = "both") -> None:
        if direction not in get_args(ShiftDirection):
            raise ConfigError(f"direction is {direction!r}", hint=nearest_name(direction, get_args(ShiftDirection)))
        if direction == "both" and fold_div < 2:
            raise ConfigError("fold_div is 1: all channels cannot move both ways", hint="take 2 or more")
        super().__init__(in_channels)
        self.plan = plan_shift(in_channels, fold_div=fold_div, direction=direction)
        self.is_causal = direction == "past"

    def forward(self, x_BCHW: Tensor, num_frames: int, before_BCHW: Tensor | None = None) -> Tensor:
        moved = shift_frames(x_BCHW, num_frames, self.plan)
        if before_BCHW is not None:
            wanted = (len(x_BCHW) // num_frames, self.plan[0].stop, *x_BCHW.shape[-2:])
            if before_BCHW.shape != wanted:  # one clip's would spread over a whole batch without a word
                raise ModelError(
                    f"the state of a temporal shift has shape {tuple(before_BCHW.shape)}, wanted {wanted}",
                    hint="give the state that the piece before returned, or None at the beginning of a video",
                )
            # Only a clip's first frame saw zeros in place of the piece before.
            fold = self.plan[0].stop
            split_frames(moved, num_frames)[:, 0, :fold] = before_BCHW
        return moved

    def lead_into(self, layer: nn.Module, x_BCHW: Tensor, num_frames: int, before_BCHW: Tensor | None = None) -> Tensor:
        is_watched = self._forward_hooks or self._forward_pre_hooks
        if before_BCHW is None and not is_watched and is_foldable(layer, x_BCHW):
            return convolve_shifted(x_BCHW, layer.get_parameter("weight"), num_frames, self.plan)
        return super().lead_into(layer, x_BCHW, num_frames, before_BCHW)

    def remember(self, x_BCHW: Tensor, num_frames: int) -> Tensor:
        """Return the moving channels of the last frame.

        Raises:
            ModelError: If the shift looks ahead.
        """
        if not self.is_causal:
            return super().remember(x_BCHW, num_frames)
        # A copy: a view would hold all maps of the piece as long as the stream runs.
        return split_frames(x_BCHW, num_frames)[:, -1, : self.plan[0].stop].clone()


class _Shift(torch.autograd.Function):
    """The shift and, as its gradient, the shift back; every number is written once, and nothing is kept between."""

    @staticmethod
    def forward(ctx: Any, x_BTCHW: Tensor, plan: tuple[Fold, ...]) -> Tensor:
        ctx.plan = plan
        moved_BTCHW = torch.empty_like(x_BTCHW)
        for start, stop, offset in plan:
            target, source = moved_BTCHW[:, :, start:stop], x_BTCHW[:, :, start:stop]
            if offset == 0:
                target.copy_(source)
            elif offset > 0:
                target[:, :-offset].copy_(source[:, offset:])
                target[:, -offset:].zero_()
            else:
                target[:, -offset:].copy_(source[:, :offset])
                target[:, :-offset].zero_()
        return moved_BTCHW

    @staticmethod
    def backward(ctx: Any, grad_BTCHW: Tensor) -> tuple[Tensor, None]:
        back = tuple(Fold(start, stop, -offset) for start, stop, offset in ctx.plan)
        return _Shift.apply(grad_BTCHW, back), None
