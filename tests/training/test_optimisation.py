"""Optimisers and learning rates, against their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from mudra.training import (
    AdamWConfig,
    ConstantConfig,
    DecayConfig,
    InverseConfig,
    OneCycleConfig,
    PolynomialConfig,
    RmspropConfig,
    SgdConfig,
    StepsConfig,
)
from mudra.training.optimisation import build_optimiser, learning_rate_factor, moving_average


def network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2))


@pytest.mark.parametrize("config", [AdamWConfig(weight_decay=0.3), SgdConfig(weight_decay=0.3, momentum=0.7)])
def test_kernels_decay_and_biases_and_normalisation_do_not(config: AdamWConfig | SgdConfig) -> None:
    module = network()
    optimiser = build_optimiser(module, config)
    decay = {id(p): group["weight_decay"] for group in optimiser.param_groups for p in group["params"]}
    assert {name: decay[id(p)] for name, p in module.named_parameters()} == {
        "0.weight": 0.3,
        "0.bias": 0.0,
        "1.weight": 0.0,
        "1.bias": 0.0,
        "2.weight": 0.3,
        "2.bias": 0.0,
    }
    assert all(group["lr"] == config.lr for group in optimiser.param_groups)
    if isinstance(config, SgdConfig):
        assert isinstance(optimiser, torch.optim.SGD)
        assert optimiser.param_groups[0]["momentum"] == 0.7
    else:
        assert isinstance(optimiser, torch.optim.AdamW)


def test_the_papers_groups_have_their_own_rates_and_decays() -> None:
    module = nn.Sequential(network(), nn.Conv2d(4, 4, 1, bias=False), nn.GroupNorm(2, 4))
    optimiser = build_optimiser(module, SgdConfig(lr=0.01, weight_decay=0.3, groups="tsn"))
    group_of = {id(p): group for group in optimiser.param_groups for p in group["params"]}
    found = {name: (group_of[id(p)]["lr"], group_of[id(p)]["weight_decay"]) for name, p in module.named_parameters()}
    assert found == {
        "0.0.weight": (pytest.approx(0.01), pytest.approx(0.3)),
        "0.0.bias": (pytest.approx(0.02), 0.0),
        "0.1.weight": (pytest.approx(0.01), 0.0),
        "0.1.bias": (pytest.approx(0.01), 0.0),
        "0.2.weight": (pytest.approx(0.05), pytest.approx(0.3)),
        "0.2.bias": (pytest.approx(0.1), 0.0),
        "1.weight": (pytest.approx(0.01), pytest.approx(0.3)),
        "2.weight": (pytest.approx(0.01), 0.0),
        "2.bias": (pytest.approx(0.01), 0.0),
    }
    assert optimiser.param_groups[0]["lr"] == 0.01  # the one that is told
    assert sum(len(group["params"]) for group in optimiser.param_groups) == len(list(module.parameters()))


def test_shared_and_frozen_parameters_are_in_one_group_or_in_none() -> None:
    module = network()
    module.add_module("again", module[2])  # type: ignore[index]
    module[0].weight.requires_grad_(False)  # type: ignore[index]
    groups = build_optimiser(module, SgdConfig(groups="tsn")).param_groups
    assert sum(len(group["params"]) for group in groups) == 5


def test_frozen_parameters_are_left_alone() -> None:
    module = network()
    module[0].weight.requires_grad_(False)  # type: ignore[index]
    groups = build_optimiser(module, SgdConfig()).param_groups
    assert sum(len(group["params"]) for group in groups) == 5


def test_the_polynomial_rate_is_that_of_the_papers_code() -> None:
    factor = learning_rate_factor(PolynomialConfig(power=0.9, last_lr=1e-6), lr=1e-3, num_steps=1000)
    for step in (0, 1, 500, 999, 1000):
        expected = (1e-3 - 1e-6) * (1 - step / 1000) ** 0.9 + 1e-6
        assert factor(step) * 1e-3 == pytest.approx(expected, rel=1e-9)
    assert factor(500) * 1e-3 == pytest.approx(5.36351e-4, rel=1e-5)
    assert factor(1001) * 1e-3 == pytest.approx(1e-6)  # a step too many is no error


def test_one_cycle_rises_and_falls_along_half_cosines() -> None:
    config = OneCycleConfig(warmup_fraction=0.25, start_fraction=0.1, end_fraction=0.01)
    factor = learning_rate_factor(config, lr=1.0, num_steps=100)
    assert factor(0) == pytest.approx(0.1)
    assert factor(25) == pytest.approx(1.0)
    assert factor(100) == pytest.approx(0.01)
    assert factor(5) == pytest.approx(0.1 + 0.9 * (1 - math.cos(math.pi / 5)) / 2)
    assert factor(40) == pytest.approx(1.0 - 0.99 * (1 - math.cos(math.pi / 5)) / 2)
    rising, falling = [factor(k) for k in range(26)], [factor(k) for k in range(25, 101)]
    assert rising == sorted(rising)
    assert falling == sorted(falling, reverse=True)


def test_one_cycle_without_warmup_starts_at_the_top() -> None:
    assert learning_rate_factor(OneCycleConfig(warmup_fraction=0.0), lr=1.0, num_steps=10)(0) == 1.0


def test_steps_drop_at_their_shares_of_the_training() -> None:
    factor = learning_rate_factor(StepsConfig(drops=(0.4, 0.6), factor=0.1), lr=1.0, num_steps=50)
    assert [factor(step) for step in (0, 19, 20, 29)] == pytest.approx([1.0, 1.0, 0.1, 0.1])
    assert [factor(step) for step in (30, 49, 51)] == pytest.approx([0.01] * 3)


def test_a_constant_rate_stays() -> None:
    factor = learning_rate_factor(ConstantConfig(), lr=0.5, num_steps=10)
    assert {factor(step) for step in range(12)} == {1.0}


def test_a_short_average_forgets_the_weights_it_began_with() -> None:
    average, current = torch.tensor(0.0), torch.tensor(1.0)
    update = moving_average(0.995)
    for step in range(96):
        average = update(average, current, step)
    # A plain average of that decay would still hold 0.995 ** 96 = 62 % of its beginning.
    assert average > 0.999


def test_a_long_average_settles_at_its_decay() -> None:
    after = moving_average(0.9)(torch.tensor(0.0), torch.tensor(1.0), 100_000)
    assert after == pytest.approx(0.1)


def test_counts_are_copied_and_not_averaged() -> None:
    assert moving_average(0.9)(torch.tensor(3), torch.tensor(5), 10) == 5


def test_the_decaying_rate_rises_in_a_line_and_then_loses_a_share_with_every_update() -> None:
    config = DecayConfig(decay=0.01, warmup_steps=5, start_lr=3e-7)
    factor = learning_rate_factor(config, lr=1e-3, num_steps=7)
    rates, rate = [3e-7 + (1e-3 - 3e-7) * k / 5 for k in range(5)], 1e-3
    for _ in range(20):
        rates.append(rate)
        rate *= 0.99
    assert [factor(step) * 1e-3 for step in range(25)] == pytest.approx(rates, rel=1e-9)
    at_once = learning_rate_factor(DecayConfig(), lr=1e-3, num_steps=7)
    assert at_once(0) == 1.0
    assert at_once(10_000) == pytest.approx(math.exp(-1), rel=1e-3)


def test_the_inverse_rate_does_not_ask_how_long_the_training_is() -> None:
    for num_steps in (10, 30_000):
        factor = learning_rate_factor(InverseConfig(gamma=1e-4, power=0.75), lr=1e-3, num_steps=num_steps)
        assert factor(0) == 1.0
        assert factor(20_000) == pytest.approx(1 / 3**0.75)
        assert factor(150_000) == pytest.approx(0.125)


def test_rmsprop_divides_by_the_running_root_mean_square() -> None:
    layer = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(layer.weight, 2.0)
    optimiser = build_optimiser(layer, RmspropConfig(lr=0.1, decay=0.8, weight_decay=0.5))
    weight, mean_square = 2.0, 0.0
    for gradient in (3.0, -1.0):
        layer.weight.grad = torch.full((1, 1), gradient, dtype=torch.float64)
        optimiser.step()
        decayed = gradient + 0.5 * weight
        mean_square = 0.8 * mean_square + 0.2 * decayed**2
        weight -= 0.1 * decayed / (math.sqrt(mean_square) + 1e-8)
        assert float(layer.weight.detach()) == pytest.approx(weight, rel=1e-9)
