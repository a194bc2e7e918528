"""What networks refuse alike: what the data set has not said, other clips, statistics of recomputed steps."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mudra.errors import ConfigError, ModelError
from mudra.models.refusal import check_clip, refuse_recomputed_statistics, require_sizes


def test_sizes_are_handed_on_once_both_are_known() -> None:
    sizes = require_sizes(5, 3)
    assert (sizes.num_classes, sizes.in_channels) == (5, 3)


@pytest.mark.parametrize(
    ("num_classes", "in_channels", "missing"),
    [(None, 3, "num_classes"), (5, None, "in_channels"), (None, None, "num_classes")],
)
def test_a_size_that_is_missing_is_named(num_classes: int | None, in_channels: int | None, missing: str) -> None:
    with pytest.raises(ModelError, match=rf"cannot be built: {missing} is not known\n  hint: set model\.{missing}, or"):
        require_sizes(num_classes, in_channels)


def test_a_fitting_clip_passes() -> None:
    check_clip(torch.zeros(1, 2, 3, 1, 1), 3)


@pytest.mark.parametrize("shape", [(8, 3, 16, 16), (2, 3, 8, 16, 16), (2, 8, 4, 16, 16)])
def test_a_clip_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"got a clip of shape .* wanted \(B, T, 3, H, W\): time") as caught:
        check_clip(torch.zeros(shape), 3)
    assert str(shape) in str(caught.value)


@pytest.mark.parametrize("norm", [nn.BatchNorm1d(2), nn.BatchNorm2d(2), nn.BatchNorm3d(2)])
def test_steps_with_batch_normalisation_are_not_recomputed(norm: nn.Module) -> None:
    plain = nn.Sequential(nn.Conv2d(2, 2, 1), nn.GroupNorm(1, 2))
    refuse_recomputed_statistics({"encoder": plain, "decoder": plain})
    message = r"recompute_steps .* decoder has batch normalisation, .*\n  hint: .*decoder\.normalisation=none"
    with pytest.raises(ConfigError, match=message):
        refuse_recomputed_statistics({"encoder": plain, "decoder": nn.Sequential(plain, nn.Sequential(norm))})
