"""Agethen and Hsu 2019, Figure 3: five rows that differ in their kernels alone."""

from __future__ import annotations

from mudra.cells import MultiKernelConvLSTMConfig
from mudra.models import FutureNetConfig
from mudra.recipes import find_recipe, list_recipes

KERNELS = {"single_3": (3,), "single_5": (5,), "single_7": (7,), "multi_3_5": (3, 5), "multi_3_7": (3, 7)}


def test_the_rows_are_these() -> None:
    rows = [found for found in list_recipes() if found.name.startswith("agethen2019/figure3/")]
    assert {found.name.rpartition("/")[2] for found in rows} == set(KERNELS)
    assert all(found.paper == () for found in rows), "a figure prints no numbers"


def test_rows_differ_in_their_kernels_alone() -> None:
    first = find_recipe("agethen2019/figure3/single_3")
    for name, sizes in KERNELS.items():
        config = find_recipe(f"agethen2019/figure3/{name}")
        assert isinstance(config.model, FutureNetConfig)
        assert isinstance(config.model.encoder, MultiKernelConvLSTMConfig)
        assert config.model.encoder.kernel_sizes == sizes
        encoder = config.model.encoder.model_copy(update={"kernel_sizes": (3,)})
        model = config.model.model_copy(update={"encoder": encoder})
        assert config.model_copy(update={"model": model, "recipe": first.recipe}) == first
