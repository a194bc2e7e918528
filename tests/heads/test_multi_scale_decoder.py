"""Multi-scale decoder: the paper's widths and sizes to the digit, other backbones' by proportion, every setting."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mudra.errors import ConfigError
from mudra.heads import MultiScaleDecoder, MultiScaleDecoderConfig
from mudra.heads.multi_scale_decoder import plan_global_widths, plan_local_widths


def kernels(part: nn.Module | None) -> list[tuple[str, tuple[int, ...]]]:
    assert part is not None
    convs = [layer for layer in part.children() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    return [(type(layer).__name__, (layer.in_channels, layer.out_channels, *layer.kernel_size)) for layer in convs]


def paper(**settings: Any) -> MultiScaleDecoder:
    return MultiScaleDecoder(stem_channels=64, map_channels=2048, **settings)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_widths_are_those_that_the_papers_counts_ask_for() -> None:
    decoder = paper()
    double = "ConvTranspose2d"
    assert kernels(decoder.local_decoder) == [(double, (64, 32, 4, 4)), (double, (32, 1, 4, 4))]
    assert kernels(decoder.global_decoder) == [
        (double, (2048, 256, 4, 4)),
        (double, (256, 32, 4, 4)),
        (double, (32, 1, 4, 4)),
    ]
    assert count(decoder) == 33_280 + 8_520_192 == 8_553_472
    assert count(paper(bias=True)) == 8_553_472 + 322
    assert count(paper(norm="batch")) == 8_553_472 + 2 * (32 + 256 + 32)


@pytest.mark.parametrize(
    ("local_scale", "global_scale", "local_size", "global_size"),
    [
        ("full", "quarter", 64, 16),
        ("quarter", "full", 16, 64),
        ("none", "quarter", None, 16),
        ("full", "none", 64, None),
    ],
)
def test_sizes_and_what_is_left_out(
    local_scale: Any, global_scale: Any, local_size: int | None, global_size: int | None
) -> None:
    decoder = MultiScaleDecoder(stem_channels=16, map_channels=128, local_scale=local_scale, global_scale=global_scale)
    masks = decoder(torch.randn(2, 3, 16, 16, 8), torch.randn(2, 3, 128, 2, 1))
    for mask, side in zip(masks, (local_size, global_size), strict=True):
        assert (mask is None) == (side is None)
        if side is not None:
            assert mask.shape == (2, 3, side, side // 2)
            assert ((mask > 0) & (mask < 1)).all()


def test_the_other_scales_have_the_papers_layers() -> None:
    decoder = paper(local_scale="quarter", global_scale="full")
    assert kernels(decoder.local_decoder) == [("Conv2d", (64, 32, 3, 3)), ("Conv2d", (32, 1, 3, 3))]
    assert [shape[1] for _, shape in kernels(decoder.global_decoder)] == [256, 32, 16, 8, 1]


def test_other_backbones_keep_the_proportions() -> None:
    assert (plan_local_widths(24, 2), plan_global_widths(1280, 3), plan_global_widths(64, 3)) == (
        (12,),
        (160, 20),
        (8, 8),
    )


def test_layers_between_are_as_asked() -> None:
    settings: dict[str, Any] = {"activation": "none", "norm": "batch", "output": "none", "local_widths": (5,)}
    decoder = MultiScaleDecoder(stem_channels=4, map_channels=16, global_scale="none", **settings)
    assert decoder.local_decoder is not None
    assert [type(layer).__name__ for layer in decoder.local_decoder] == [
        "ConvTranspose2d",
        "BatchNorm2d",
        "ConvTranspose2d",
    ]
    assert kernels(decoder.local_decoder)[0][1] == (4, 5, 4, 4)
    plain = paper().local_decoder
    assert plain is not None
    assert [type(layer).__name__ for layer in plain] == ["ConvTranspose2d", "ReLU", "ConvTranspose2d", "Sigmoid"]


def test_frames_are_decoded_one_by_one() -> None:
    decoder = MultiScaleDecoder(stem_channels=4, map_channels=16, global_scale="none").double()
    stem_BTCHW = torch.randn(2, 3, 4, 4, 4, dtype=torch.float64)
    local_BTHW = decoder(stem_BTCHW, torch.zeros(2, 3, 16, 1, 1, dtype=torch.float64)).local_BTHW
    alone = decoder(stem_BTCHW[1:, 2:], torch.zeros(1, 1, 16, 1, 1, dtype=torch.float64)).local_BTHW
    torch.testing.assert_close(local_BTHW[1:, 2:], alone)


def test_the_config_spells_the_constructor_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {n: f.get_default() for n, f in MultiScaleDecoderConfig.model_fields.items() if n != "kind"}
    parameters = inspect.signature(MultiScaleDecoder).parameters
    assert {n: p.default for n, p in parameters.items() if n not in {"stem_channels", "map_channels"}} == fields
    config = MultiScaleDecoderConfig(global_scale="none", local_widths=(7,), norm="batch", output="none", bias=True)
    (tmp_path / "decoder.yaml").write_text(config.to_yaml())
    assert MultiScaleDecoderConfig.from_yaml(tmp_path / "decoder.yaml") == config
    module = inspect.getmodule(MultiScaleDecoder)
    monkeypatch.setattr(module, "MultiScaleDecoder", lambda **arguments: arguments)
    assert config.build(3, 9) == config.model_dump(exclude={"kind"}) | {"stem_channels": 3, "map_channels": 9}


@pytest.mark.parametrize("name", ["local_scale", "global_scale", "activation", "norm", "output"])
def test_unknown_names_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name} is 'zzz'\n  hint: known: "):
        paper(**{name: "zzz"})


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"both none\n  hint: leave the decoder out"):
        paper(local_scale="none", global_scale="none")
    with pytest.raises(ConfigError, match="both none: leave the decoder out"):
        MultiScaleDecoderConfig.from_mapping({"local_scale": "none", "global_scale": "none"})
    with pytest.raises(
        ConfigError, match=r"global_widths has 1 numbers, wanted 2.*\n  hint: .*global_widths=\[256, 32\]"
    ):
        paper(global_widths=(4,))


def test_masks_carry_gradients_to_both_stages() -> None:
    stem, maps = torch.randn(1, 1, 16, 4, 4).requires_grad_(), torch.randn(1, 1, 64, 1, 1).requires_grad_()
    local, global_ = MultiScaleDecoder(stem_channels=16, map_channels=64)(stem, maps)
    gradients: list[Tensor | None] = list(torch.autograd.grad(local.sum() + global_.sum(), [stem, maps]))
    assert all(gradient is not None and gradient.count_nonzero() > 0 for gradient in gradients)
