import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from mudra.scoring import measure_calibration


def two_classes(*confidence: float) -> torch.Tensor:
    first_N = torch.tensor(confidence, dtype=torch.float64)
    return torch.stack([first_N, 1 - first_N], dim=1)


def test_error_is_the_weighted_gap_of_the_bins():
    # Two bins: three clips at 0.6 with one right, one clip at 0.9, right.
    calibration = measure_calibration(two_classes(0.6, 0.6, 0.6, 0.9), torch.tensor([0, 1, 1, 0]), num_bins=4)
    third, fourth = calibration.bins[2], calibration.bins[3]
    assert (third.low, third.high, third.num_clips) == (0.5, 0.75, 3)
    assert third.confidence == pytest.approx(0.6)
    assert third.accuracy == pytest.approx(1 / 3)
    assert (fourth.num_clips, fourth.accuracy) == (1, 1.0)
    assert calibration.expected_error == pytest.approx(0.75 * (0.6 - 1 / 3) + 0.25 * 0.1)
    assert calibration.mean_confidence == pytest.approx((3 * 0.6 + 0.9) / 4)


def test_bins_agree_with_the_error_and_with_torchmetrics():
    generator = torch.Generator().manual_seed(0)
    probability_NK = torch.randn(300, 7, generator=generator, dtype=torch.float64).mul(2).softmax(dim=1)
    label_N = torch.randint(7, (300,), generator=generator)
    calibration = measure_calibration(probability_NK, label_N)
    from_bins = sum(
        one.num_clips / 300 * abs(one.accuracy - one.confidence)
        for one in calibration.bins
        if one.accuracy is not None and one.confidence is not None
    )
    expected = multiclass_calibration_error(probability_NK, label_N, num_classes=7, n_bins=15, norm="l1")
    assert sum(one.num_clips for one in calibration.bins) == 300
    assert calibration.expected_error == pytest.approx(from_bins)
    assert calibration.expected_error == pytest.approx(float(expected))


def test_empty_bins_have_no_means():
    first = measure_calibration(two_classes(0.9), torch.tensor([0])).bins[0]
    assert (first.num_clips, first.confidence, first.accuracy) == (0, None, None)


def test_certainty_shares_the_last_bin():
    # 1.0 and 0.95, one right: one bin of two clips, and not two bins that cancel nothing.
    calibration = measure_calibration(two_classes(1.0, 0.95), torch.tensor([0, 1]))
    assert calibration.bins[-1].num_clips == 2
    assert calibration.expected_error == pytest.approx(0.975 - 0.5)


def test_rounding_above_one_is_no_logit():
    probability_NK = torch.tensor([[1.0 + 1e-7, 0.0], [0.8, 0.2]], dtype=torch.float64)
    calibration = measure_calibration(probability_NK, torch.tensor([0, 0]))
    assert calibration.mean_confidence == pytest.approx(0.9, abs=1e-6)
    assert calibration.expected_error == pytest.approx(0.1, abs=1e-6)


def test_json_holds_every_bin():
    plain = measure_calibration(two_classes(0.9), torch.tensor([0])).to_json()
    assert len(plain["bins"]) == 15
    assert plain["bins"][0] == {
        "low": 0.0,
        "high": pytest.approx(1 / 15),
        "num_clips": 0,
        "confidence": None,
        "accuracy": None,
    }
    assert plain["expected_error"] == pytest.approx(0.1)
    assert plain["mean_confidence"] == pytest.approx(0.9)


def test_a_bin_holds_its_lower_edge():
    bins = measure_calibration(two_classes(0.5, 0.75), torch.tensor([0, 0]), num_bins=4).bins
    assert [one.num_clips for one in bins] == [0, 0, 1, 1]
