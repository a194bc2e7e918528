import json
import math

import pytest
import torch
from torchmetrics.functional.classification import (
    multiclass_accuracy,
    multiclass_f1_score,
    multiclass_precision,
    multiclass_recall,
)

from mudra.errors import DataError, ModelError
from mudra.scoring import Confusion, Scores, score_clips, wilson_interval

NAMES = ["grab", "pinch", "shake", "tap"]
LABELS = [0, 0, 0, 1, 1, 2]  # no clip of tap
ANSWERS = [0, 1, 3, 1, 0, 0]  # shake is never answered


def answers_as_probabilities(answers: list[int], num_classes: int = 4) -> torch.Tensor:
    probability_NK = torch.full((len(answers), num_classes), 0.4 / (num_classes - 1))
    probability_NK[torch.arange(len(answers)), torch.tensor(answers)] = 0.6
    return probability_NK


def score(labels: list[int] = LABELS, answers: list[int] = ANSWERS) -> Scores:
    return score_clips(answers_as_probabilities(answers), torch.tensor(labels), class_names=NAMES)


def test_counts_and_shares():
    scores = score()
    assert (scores.num_clips, scores.num_right) == (6, 2)
    assert scores.top1 == pytest.approx(2 / 6)
    assert scores.confusion_KK.tolist() == [[1, 1, 0, 1], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    assert scores.confusion_KK.dtype == torch.int64
    expected_nll = -(2 * math.log(0.6) + 4 * math.log(0.4 / 3)) / 6
    assert scores.mean_nll == pytest.approx(expected_nll, abs=1e-6)


def test_class_without_clip_is_left_out_of_the_mean():
    scores = score()
    tap = scores.per_class[3]
    assert (tap.num_clips, tap.accuracy, tap.f1, tap.most_confused_with) == (0, None, None, None)
    assert tap.precision == 0  # one clip was called tap, wrongly
    assert scores.empty_classes == ("tap",)
    assert scores.mean_class_accuracy == pytest.approx((1 / 3 + 1 / 2 + 0) / 3)


def test_class_never_answered_has_no_precision():
    shake = score().per_class[2]
    assert (shake.accuracy, shake.precision, shake.f1) == (0.0, None, 0.0)


def test_confused_with_the_most_frequent_answer():
    scores = score(labels=[0, 0, 0, 0, 1], answers=[2, 2, 1, 0, 1])
    grab, pinch = scores.per_class[0], scores.per_class[1]
    assert (grab.most_confused_with, grab.num_confused, grab.num_right) == ("shake", 2, 1)
    assert (pinch.most_confused_with, pinch.num_confused) == (None, 0)


def test_confusions_by_count_then_by_share():
    scores = score(labels=[0, 0, 0, 0, 1, 1, 2, 2, 2], answers=[1, 1, 0, 2, 0, 1, 3, 2, 2])
    assert scores.confusions(3) == [
        Confusion("grab", "pinch", 2, 4),
        Confusion("pinch", "grab", 1, 2),
        Confusion("shake", "tap", 1, 3),
    ]
    assert len(scores.confusions(99)) == 4
    assert scores.confusion_KK.trace() == 4  # the diagonal is kept


def test_largest_class():
    assert score(labels=[1, 1, 0], answers=[0, 0, 0]).largest_class.name == "pinch"


def test_agrees_with_torchmetrics_where_all_is_defined():
    generator = torch.Generator().manual_seed(1)
    probability_NK = torch.randn(400, 8, generator=generator, dtype=torch.float64).softmax(dim=1)
    label_N = torch.randint(8, (400,), generator=generator)
    scores = score_clips(probability_NK, label_N, class_names=[f"class {k}" for k in range(8)])
    kind = {"num_classes": 8, "average": None}
    answer_N = probability_NK.argmax(dim=1)
    for found, expected_K in [
        ([one.accuracy for one in scores.per_class], multiclass_recall(answer_N, label_N, **kind)),
        ([one.precision for one in scores.per_class], multiclass_precision(answer_N, label_N, **kind)),
        ([one.f1 for one in scores.per_class], multiclass_f1_score(answer_N, label_N, **kind)),
    ]:
        assert found == pytest.approx(expected_K.tolist(), abs=1e-6)
    macro = multiclass_accuracy(answer_N, label_N, num_classes=8, average="macro")
    assert scores.mean_class_accuracy == pytest.approx(float(macro), abs=1e-6)


def test_top5_counts_the_five_most_probable():
    probability_NK = torch.tensor([[0.3, 0.25, 0.2, 0.1, 0.09, 0.06], [0.3, 0.25, 0.2, 0.1, 0.09, 0.06]])
    scores = score_clips(probability_NK, torch.tensor([4, 5]), class_names=list("abcdef"))
    assert scores.top5 == pytest.approx(0.5)


def test_top5_says_nothing_of_five_classes():
    scores = score_clips(answers_as_probabilities([0, 1], 5), torch.tensor([0, 0]), class_names=list("abcde"))
    assert scores.top5 is None


def test_probability_zero_does_not_make_the_likelihood_infinite():
    scores = score_clips(torch.tensor([[1.0, 0.0]]), torch.tensor([1]), class_names=["a", "b"])
    assert scores.mean_nll == pytest.approx(-math.log(1e-12))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_low_precision_is_taken(dtype):
    generator = torch.Generator().manual_seed(2)
    probability_NK = torch.randn(50, 249, generator=generator).mul(3).softmax(dim=1).to(dtype)
    names = [str(k) for k in range(249)]
    scores = score_clips(probability_NK, torch.zeros(50, dtype=torch.int64), class_names=names)
    assert scores.num_clips == 50


def test_probabilities_with_gradient_are_taken():
    probability_NK = torch.zeros(1, 2, requires_grad=True).softmax(dim=1)
    assert score_clips(probability_NK, torch.tensor([0]), class_names=["a", "b"]).num_clips == 1


def test_json_is_plain_and_complete():
    scores = score()
    plain = json.loads(json.dumps(scores.to_json(), allow_nan=False))
    assert plain["top1"] == scores.top1
    assert plain["top5"] is None
    assert plain["frame_top1"] is None
    assert plain["top1_interval"] == list(scores.top1_interval)
    assert plain["empty_classes"] == ["tap"]
    assert plain["confusion"] == scores.confusion_KK.tolist()
    assert plain["per_class"][2]["precision"] is None
    assert plain["per_class"][0]["name"] == "grab"
    assert plain["calibration"]["expected_error"] == scores.calibration.expected_error
    assert plain["mean_nll"] == scores.mean_nll


def test_wilson_against_the_closed_form_at_the_ends():
    z2 = 1.959963984540054**2
    assert wilson_interval(0, 20) == pytest.approx((0, z2 / (20 + z2)))
    assert wilson_interval(20, 20) == pytest.approx((20 / (20 + z2), 1))


def test_wilson_solves_its_equation():
    low, high = wilson_interval(37, 50)
    for bound in (low, high):
        assert abs(0.74 - bound) / math.sqrt(bound * (1 - bound) / 50) == pytest.approx(1.959963984540054)
    assert low < 0.74 < high
    narrow = wilson_interval(37, 50, confidence=0.5)
    assert low < narrow.low < narrow.high < high


@pytest.mark.parametrize(("num_right", "num_clips"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_what_is_no_share(num_right, num_clips):
    with pytest.raises(DataError, match=rf"{num_right} right of {num_clips} clips"):
        wilson_interval(num_right, num_clips)


def refuse(probability_NK: torch.Tensor, label_N: torch.Tensor, names: list[str]) -> None:
    score_clips(probability_NK, label_N, class_names=names)


def test_refuses_no_clips():
    with pytest.raises(DataError, match="at least one clip"):
        refuse(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64), ["a", "b"])
    with pytest.raises(DataError, match=r"shape \(2,\)"):
        refuse(torch.tensor([0.5, 0.5]), torch.tensor([0]), ["a", "b"])


def test_refuses_missing_labels():
    with pytest.raises(DataError, match=r"labels have shape \(1,\) for 2 clips, wanted one for each"):
        refuse(torch.full((2, 2), 0.5), torch.tensor([0]), ["a", "b"])


@pytest.mark.parametrize("label", [-1, 2])
def test_refuses_labels_out_of_range(label):
    with pytest.raises(DataError, match=f"labels span {label} to {label}, wanted 0 to 1"):
        refuse(torch.full((1, 2), 0.5), torch.tensor([label]), ["a", "b"])


def test_refuses_labels_that_are_no_indices():
    with pytest.raises(DataError, match=r"labels are torch\.float32"):
        refuse(torch.full((1, 2), 0.5), torch.tensor([1.0]), ["a", "b"])


def test_refuses_one_class():
    with pytest.raises(ModelError, match="knows one class"):
        refuse(torch.ones(1, 1), torch.tensor([0]), ["a"])


def test_refuses_other_number_of_names():
    with pytest.raises(ModelError, match="2 probabilities per clip but 3 class names"):
        refuse(torch.full((1, 2), 0.5), torch.tensor([0]), ["a", "b", "c"])


@pytest.mark.parametrize("row", [[2.0, -1.0], [3.0, 1.0], [math.nan, 1.0], [0.4, 0.4]])
def test_refuses_what_is_no_probability(row):
    with pytest.raises(ModelError, match=r"row 1 .* no probabilities\n.*softmax"):
        refuse(torch.tensor([[0.5, 0.5], row]), torch.tensor([0, 0]), ["a", "b"])


def test_frames_are_judged_by_themselves():
    predicted_NT = torch.tensor([[0, 0, 1], [1, 2, 3], [0, 0, 0], [1, 1, 1], [0, 1, 0], [2, 2, 0]])
    probability_NK, label_N = answers_as_probabilities(ANSWERS), torch.tensor(LABELS)
    scores = score_clips(probability_NK, label_N, class_names=NAMES, predicted_NT=predicted_NT)
    assert scores.frame_top1 == pytest.approx((2 + 0 + 3 + 3 + 1 + 2) / 18)
    assert scores.to_json()["frame_top1"] == scores.frame_top1
    assert score().frame_top1 is None


@pytest.mark.parametrize("shape", [(6,), (5, 3), (6, 0)])
def test_frames_of_other_clips_are_refused(shape):
    with pytest.raises(ModelError, match=r"predictions of frames have shape .* for 6 clips, wanted \(6, frames\)"):
        score_clips(
            answers_as_probabilities(ANSWERS),
            torch.tensor(LABELS),
            class_names=NAMES,
            predicted_NT=torch.zeros(shape, dtype=torch.int64),
        )
