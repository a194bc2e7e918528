"""Agethen and Hsu 2019, Table VII: three kernels, two speeds."""

from __future__ import annotations

from mudra.cells import MultiKernelConvLSTMConfig
from mudra.datasets import JhmdbSkeletonsConfig
from mudra.models import FutureNetConfig
from mudra.recipes import find_recipe, list_recipes

PAPER = {"normal_3": 1288, "normal_5": 1295, "normal_7": 1331, "fast_3": 1521, "fast_5": 1521, "fast_7": 1553}


def test_rows_carry_the_papers_numbers() -> None:
    rows = [found for found in list_recipes() if found.name.startswith("agethen2019/table7/")]
    assert {found.name.rpartition("/")[2]: found.paper[0].value for found in rows} == PAPER
    assert {found.paper[0].metric for found in rows} == {"cross_entropy"}


def test_rows_differ_in_kernel_and_speed_alone() -> None:
    first = find_recipe("agethen2019/table7/normal_3")
    for name in PAPER:
        config = find_recipe(f"agethen2019/table7/{name}")
        assert isinstance(config.model, FutureNetConfig)
        assert isinstance(config.model.encoder, MultiKernelConvLSTMConfig)
        assert isinstance(config.data, JhmdbSkeletonsConfig)
        assert config.model.encoder.kernel_sizes == (int(name[-1]),)
        assert config.data.frame_step == (3 if name.startswith("fast") else 1)
        encoder = config.model.encoder.model_copy(update={"kernel_sizes": (3,)})
        changes = {
            "model": config.model.model_copy(update={"encoder": encoder}),
            "data": config.data.model_copy(update={"frame_step": 1}),
            "recipe": first.recipe,
        }
        assert config.model_copy(update=changes) == first


def test_the_recurrent_layer_sees_28x28_maps_of_two_convolutions() -> None:
    config = find_recipe("agethen2019/table7/normal_3")
    assert isinstance(config.model, FutureNetConfig)
    assert config.clip.size == (56, 56)
    assert config.model.patch_size == 2
    assert len(config.model.stem_channels) == 2
    assert isinstance(config.data, JhmdbSkeletonsConfig)
    assert config.clip.num_frames + config.model.num_frames_out == config.data.num_frames == 12
