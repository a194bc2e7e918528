"""Moving digits: handwritten digits that drift over a black picture and bounce off its borders, with their true flow.

Source: Srivastava et al. 2015, as Agethen and Hsu 2019 (sections III-B1 and IV-C2) and the generator of Shi et al. 2017
have it: digits of 22x22 pixels in 64x64, 20 frames, a direction drawn evenly, a speed drawn from a range, the brighter
pixel where digits overlap, top-left corners cut off to whole pixels.
Differs: nothing known.

Clips are drawn when they are asked for, whole batches at once. A clip depends on the seed and its own number alone, not
on the batch it is drawn in, so that a test set is a range of numbers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mudra.datasets.digit_images import DigitImages
from mudra.errors import ConfigError, DataError
from mudra.types import FloatArray, UInt8Array

FlowSpan = Literal["to_next", "from_last"]


@dataclass(frozen=True, kw_only=True, eq=False)
class DigitClips:
    """A batch of drawn clips. N: digits of a clip.

    Args:
        frames_BTHW: Grey levels.
        shown_BTHW: Which digit each pixel shows: 0 none, 1 the first, 2 the second.
        corner_BNTC: Top-left corners in whole pixels, x and y, from one frame before the clip to one frame after it, so
            that there are T + 2 of them.
        label_BN: Which digit each one is.
        speed_BN: How fast each one is, in pixels per frame.
    """

    frames_BTHW: UInt8Array
    shown_BTHW: UInt8Array
    corner_BNTC: npt.NDArray[np.int64]
    label_BN: npt.NDArray[np.int64]
    speed_BN: FloatArray

    def flow(self, span: FlowSpan = "to_next") -> npt.NDArray[np.float32]:
        """Return how far what each pixel shows moves, in pixels right and down, shape (B, T, H, W, 2); 0 on black.

        Args:
            span: `to_next`: until the next frame; `from_last`: since the frame before, which is all that a predictor
                may know of its last frame.
        """
        flow_BTCHW = np.zeros((*self.frames_BTHW.shape[:2], 2, *self.frames_BTHW.shape[2:]), np.float32)
        self._write_flow(flow_BTCHW, span)
        return np.moveaxis(flow_BTCHW, 2, -1)

    def to_tensor(self, *, with_flow: bool = False) -> Tensor:
        """Return the clips as networks take them: float32 grey levels in [0, 1], shape (B, T, 1, H, W).

        Args:
            with_flow: Add the flow since the frame before as channels 1 and 2, in pixels per frame.
        """
        num_clips, num_frames, height, width = self.frames_BTHW.shape
        clip_BTCHW = np.zeros((num_clips, num_frames, 3 if with_flow else 1, height, width), np.float32)
        np.divide(self.frames_BTHW, np.float32(255), out=clip_BTCHW[:, :, 0])
        if with_flow:
            self._write_flow(clip_BTCHW[:, :, 1:], "from_last")
        return torch.from_numpy(clip_BTCHW)

    def _write_flow(self, flow_BTCHW: npt.NDArray[np.float32], span: FlowSpan) -> None:
        """Write the flow over zeros, digit by digit."""
        moves_BNTC = np.diff(self.corner_BNTC, axis=2).astype(np.float32)
        moves_BNTC = moves_BNTC[:, :, 1:] if span == "to_next" else moves_BNTC[:, :, :-1]
        for n in range(moves_BNTC.shape[1]):
            shown_BTHW = self.shown_BTHW == n + 1
            np.copyto(flow_BTCHW, moves_BNTC[:, n, :, :, None, None], where=shown_BTHW[:, :, None])


class MovingDigits:
    """Draws clips of moving digits.

    Args:
        digits: The pictures to draw from.
        speeds_px: For each digit of a clip the least and the greatest speed in pixels per frame: as many ranges as
            digits.
        num_frames: Frames of a clip (T).
        size: Height and width of the pictures in pixels.
        seed: Another seed draws other clips.

    Raises:
        ConfigError: If there is no range of speeds, one is not a range, or the digits do not fit into the picture.

    Example:
        >>> digits = DigitImages(images_NHW=np.full((1, 22, 22), 255, np.uint8), labels_N=np.array([7]))
        >>> slow_and_fast = MovingDigits(digits, speeds_px=((0.5, 1.5), (7.0, 9.0)))
        >>> clips = slow_and_fast.draw(range(3))
        >>> clips.frames_BTHW.shape, clips.flow().shape
        ((3, 20, 64, 64), (3, 20, 64, 64, 2))
    """

    def __init__(
        self,
        digits: DigitImages,
        *,
        speeds_px: Sequence[tuple[float, float]] = ((3.0, 5.0),),
        num_frames: int = 20,
        size: tuple[int, int] = (64, 64),
        seed: int = 0,
    ) -> None:
        side = digits.images_NHW.shape[1:]
        if not 1 <= len(speeds_px) <= 255:
            raise ConfigError(f"speeds_px holds {len(speeds_px)} ranges, wanted one for each digit of a clip")
        for low, high in speeds_px:
            if not 0 <= low <= high < math.inf:
                raise ConfigError(
                    f"speeds_px holds ({low}, {high}), wanted the least and the greatest speed, from 0 on"
                )
        if num_frames < 1:
            raise ConfigError(f"num_frames is {num_frames}, wanted at least 1")
        if side[0] > size[0] or side[1] > size[1]:
            raise ConfigError(f"digits of {side} pixels do not fit into pictures of {size}, height and width")
        self.digits = digits
        self.speeds_px = tuple(speeds_px)
        self.num_frames = num_frames
        self.size = size
        self.seed = seed

    def draw(self, indices: Sequence[int]) -> DigitClips:
        """Draw the clips of these numbers.

        Args:
            indices: Any numbers from 0 on; each always gives the same clip.

        Raises:
            DataError: If there is none, or a number is negative.
        """
        chosen_BN, drawn_BNE = self._choose(indices)
        low_N, high_N = np.array(self.speeds_px).T
        speed_BN = low_N + drawn_BNE[..., 0] * (high_N - low_N)
        angle_BN = 2.0 * np.pi * drawn_BNE[..., 1]
        velocity_BNC = speed_BN[..., None] * np.stack([np.cos(angle_BN), np.sin(angle_BN)], axis=-1)
        corner_BNTC = self._move(drawn_BNE[..., 2:], velocity_BNC)
        frames_BTHW, shown_BTHW = self._paint(self.digits.images_NHW[chosen_BN], corner_BNTC[:, :, 1:-1])
        return DigitClips(
            frames_BTHW=frames_BTHW,
            shown_BTHW=shown_BTHW,
            corner_BNTC=corner_BNTC,
            label_BN=self.digits.labels_N[chosen_BN],
            speed_BN=speed_BN,
        )

    def labels(self, indices: Sequence[int]) -> npt.NDArray[np.int64]:
        """Return which digits the clips of these numbers show, shape (B, N), without drawing them.

        Raises:
            DataError: As `draw`.
        """
        return self.digits.labels_N[self._choose(indices)[0]]

    def _choose(self, indices: Sequence[int]) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Return which pictures move, and speed, direction and the two coordinates of each start, all in [0, 1)."""
        if not len(indices) or min(indices) < 0:
            raise DataError(f"clips {list(indices)[:3]} were asked for, wanted one number or more, from 0 on")
        count = len(self.speeds_px)
        chosen_BN, drawn_BNE = np.empty((len(indices), count), np.int64), np.empty((len(indices), count, 4))
        for clip, index in enumerate(indices):
            generator = np.random.default_rng([self.seed, index])
            chosen_BN[clip] = generator.integers(len(self.digits), size=count)
            drawn_BNE[clip] = generator.random((count, 4))
        return chosen_BN, drawn_BNE

    def _move(self, start_BNC: FloatArray, velocity_BNC: FloatArray) -> npt.NDArray[np.int64]:
        """Return the corners from one frame before the clip to one after it; starts are fractions of the way."""
        height, width = self.digits.images_NHW.shape[1:]
        room_C = np.array([self.size[1] - width, self.size[0] - height])
        time_T = np.arange(-1, self.num_frames + 1)
        free_BNTC = (start_BNC * room_C)[:, :, None] + velocity_BNC[:, :, None] * time_T[:, None]
        return reflect(free_BNTC, room_C).astype(np.int64)

    def _paint(self, images_BNHW: UInt8Array, corner_BNTC: npt.NDArray[np.int64]) -> tuple[UInt8Array, UInt8Array]:
        """Return the frames, and which digit each pixel shows."""
        num_clips, count, num_frames = corner_BNTC.shape[:3]
        frames_BTHW, shown_BTHW = np.zeros((2, num_clips, num_frames, *self.size), np.uint8)
        # Every place that a digit can have, as a view of the picture: painting is then one assignment for all frames.
        places, shown_places = (
            np.lib.stride_tricks.sliding_window_view(part, images_BNHW.shape[2:], axis=(2, 3), writeable=True)
            for part in (frames_BTHW, shown_BTHW)
        )
        clip, frame = np.ogrid[:num_clips, :num_frames]
        for n in range(count):
            at = (clip, frame, corner_BNTC[:, n, :, 1], corner_BNTC[:, n, :, 0])
            below, above = places[at], images_BNHW[:, n, None]
            places[at] = np.maximum(below, above)
            shown_places[at] = np.where(above > below, np.uint8(n + 1), shown_places[at])
        return frames_BTHW, shown_BTHW


def reflect(position: FloatArray, room: FloatArray | npt.NDArray[np.int64]) -> FloatArray:
    """Return where something is that bounces between 0 and `room`, from where it would be without walls.

    Exact for any number of bounces: the way is folded like a strip of paper.

    Example:
        >>> reflect(np.array([-3.0, 5.0, 12.0, 23.0]), np.array(10))
        array([3., 5., 8., 3.])
    """
    period = np.where(room > 0, 2.0 * room, 1.0)  # without room everything stays at 0, whatever the period
    folded = np.mod(position, period)
    reflected: FloatArray = np.minimum(np.minimum(folded, period - folded), room)
    return reflected
