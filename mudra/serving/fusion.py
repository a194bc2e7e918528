"""Late fusion: the answers of several runs, each on its own stream, averaged with weights that a tuning split chose.

Zhang et al. 2018 leave fusion out. Here the fused probability is sum_r w_r p_r(class | clip), with w_r >= 0 and
sum_r w_r = 1. The weights minimise the mean of -ln(fused probability of the true class) over the tuning clips. That is
a convex problem, solved by the EM algorithm of mixture proportions (Dempster et al. 1977, section 4.3):

    w_r <- mean over the clips of  w_r p_r(true class) / sum_s w_s p_s(true class)

from equal weights on. No step makes the mean worse, and there is no grid and no chance. Where several weightings are
equally good (two runs that give the same answers), the runs keep the equal shares that they began with.

Letters: R runs, N clips, K classes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mudra.errors import ConfigError, DataError, ModelError
from mudra.scoring import Scores, score_clips
from mudra.scoring.accuracy import LEAST_PROBABILITY
from mudra.serving.evaluation import Evaluation, OpenSources, Unread, evaluate, write_evaluation
from mudra.serving.predictor import Predictor
from mudra.types import Recording

MOST_STEPS = 10_000
MOST_NAMES = 5  # of classes that an error lists
SMALLEST_CHANGE = 1e-7  # of a weight: the search ends once no weight moves further in a step

Progress = Callable[[int, int, str], None]


class Member(NamedTuple):
    """One of the runs that are fused.

    Args:
        name: Its name in tables and reports.
        predictor: The run.
        open_sources: Opens what it needs of a recording.
    """

    name: str
    predictor: Predictor
    open_sources: OpenSources


class TunedWeights(NamedTuple):
    """What the tuning split chose.

    Args:
        weight_R: The weights, summing to 1.
        mean_nll: Mean of -ln(fused probability of the true class) on the tuning clips.
        equal_nll: The same with equal weights.
        num_clips: Tuning clips.
    """

    weight_R: list[float]
    mean_nll: float
    equal_nll: float
    num_clips: int


class Fusion(NamedTuple):
    """Several runs judged together, and each by itself, on the same clips.

    Args:
        names: The runs.
        weight_R: Their weights.
        tuned: How the weights were found; None if they were given, or equal.
        single_R: Scores of each run alone.
        evaluation: Scores, clips and probabilities of all together; classes in the first run's order.
        warnings: Plain words about what makes the fused score too good or too narrow.
    """

    names: list[str]
    weight_R: list[float]
    tuned: TunedWeights | None
    single_R: list[Scores]
    evaluation: Evaluation
    warnings: list[str]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dump`."""
        return {
            "runs": [
                {"name": name, "weight": weight, **_summary(scores)}
                for name, weight, scores in zip(self.names, self.weight_R, self.single_R, strict=True)
            ],
            "fused": _summary(self.evaluation.scores),
            "tuned": None if self.tuned is None else self.tuned._asdict(),
            "warnings": self.warnings,
            "unread": [clip._asdict() for clip in self.evaluation.unread],
        }


def fuse(
    members: Sequence[Member],
    recordings: Sequence[Recording],
    *,
    tune_on: Sequence[Recording] | None = None,
    weights: Sequence[float] | None = None,
    progress: Progress | None = None,
) -> Fusion:
    """Judge several runs together.

    A clip that one run cannot read is left out for all, so that every score is of the same clips.

    Args:
        members: Two runs or more that know the same classes, in any order.
        recordings: What is judged, labelled by the first run's classes.
        tune_on: What chooses the weights, labelled alike; None for `weights`, or else equal ones.
        weights: Weights in the order of the runs; they are scaled to sum to 1.
        progress: Called with (done, all, what).

    Raises:
        ConfigError: If there are fewer than two runs, two of one name, both `weights` and `tune_on`, or the weights are
            not as many as the runs, negative or all zero.
        ModelError: If the runs know different classes.
        DataError: If no recording has a label and can be read by all runs.
    """
    _check_members(members)
    given = _check_weights(weights, members, tune_on)
    answers = _answer(members, recordings, progress=progress, what="judging")
    tuned = None
    if tune_on is not None:
        is_same = list(tune_on) == list(recordings)
        chosen = answers if is_same else _answer(members, tune_on, progress=progress, what="tuning")
        tuned = tune_weights(chosen.probability_RNK, _labels(chosen.recordings))
    weight_R = given if tuned is None else tuned.weight_R
    label_N, classes = _labels(answers.recordings), members[0].predictor.classes
    fused_NK = torch.einsum("r,rnk->nk", torch.tensor(weight_R, dtype=torch.float64), answers.probability_RNK)
    scores = score_clips(fused_NK, label_N, class_names=classes)
    return Fusion(
        names=[member.name for member in members],
        weight_R=weight_R,
        tuned=tuned,
        single_R=[score_clips(one_NK, label_N, class_names=classes) for one_NK in answers.probability_RNK],
        evaluation=Evaluation(scores, answers.recordings, fused_NK, answers.unread),
        warnings=_find_warnings(tune_on, recordings),
    )


def tune_weights(probability_RNK: Tensor, label_N: Tensor) -> TunedWeights:
    """Return the weights that give the true classes the largest fused probabilities, in the mean of their logarithms.

    Probabilities below 1e-12 count as 1e-12.

    Args:
        probability_RNK: Each run's probabilities for the same clips.
        label_N: int64 indices of the true classes.

    Example:
        >>> sure, unsure = torch.tensor([[0.9, 0.1], [0.1, 0.9]]), torch.tensor([[0.5, 0.5], [0.5, 0.5]])
        >>> [round(w, 3) for w in tune_weights(torch.stack([sure, unsure]), torch.tensor([0, 1])).weight_R]
        [1.0, 0.0]
    """
    num_runs, num_clips = probability_RNK.shape[:2]
    truth_RN = probability_RNK.double().gather(2, label_N.expand(num_runs, -1)[..., None])[..., 0]
    truth_RN = truth_RN.clamp(min=LEAST_PROBABILITY)
    weight_R = equal_R = torch.full((num_runs,), 1.0 / num_runs, dtype=torch.float64)
    for _ in range(MOST_STEPS):
        share_RN = weight_R[:, None] * truth_RN
        before_R, weight_R = weight_R, (share_RN / share_RN.sum(dim=0)).mean(dim=1)
        if (weight_R - before_R).abs().max() < SMALLEST_CHANGE:
            break
    weight_R = weight_R / weight_R.sum()
    nll, equal_nll = (float(-(one_R @ truth_RN).log().mean()) for one_R in (weight_R, equal_R))
    return TunedWeights(weight_R.tolist(), nll, equal_nll, num_clips)


def write_fusion(out: Path, fusion: Fusion, members: Sequence[Member], *, title: str, facts: Mapping[str, Any]) -> Path:
    """Write fusion.json, and report.html, predictions.csv and scores.json of the fused answers; return the report.

    Args:
        out: The folder; made if it is missing.
        fusion: What `fuse` returned.
        members: The runs; the worst clips are drawn as the first one saw them.
        title: Heading of the report.
        facts: More lines for the report's table: data, split, machine.
    """
    singles = zip(fusion.names, fusion.weight_R, fusion.single_R, strict=True)
    told = {
        **facts,
        "runs": [f"{name}: weight {weight:.3f}, alone top-1 {one.top1:.4f}" for name, weight, one in singles],
        "mind": fusion.warnings or None,
    }
    first = members[0]
    report = write_evaluation(
        out, fusion.evaluation, first.predictor, title=title, facts=told, open_sources=first.open_sources
    )
    (out / "fusion.json").write_text(json.dumps(fusion.to_json(), indent=2), encoding="utf-8")
    return report


class _Answers(NamedTuple):
    """What all runs say of the same clips, classes in the first run's order."""

    recordings: list[Recording]
    probability_RNK: Tensor
    unread: list[Unread]


def _answer(
    members: Sequence[Member], recordings: Sequence[Recording], *, progress: Progress | None, what: str
) -> _Answers:
    found: list[Evaluation] = []
    for member in members:
        told = _named(progress, f"{what}: {member.name}")
        # Of what it returns only the probabilities count: a run may know the classes in another order than the labels'.
        found.append(evaluate(member.predictor, recordings, open_sources=member.open_sources, progress=told))
    rows = [{recording.key: row for row, recording in enumerate(one.recordings)} for one in found]
    shared = [recording for recording in found[0].recordings if all(recording.key in row for row in rows)]
    if not shared:
        raise DataError(
            f"no recording can be read by all {len(members)} runs",
            hint="the data must hold every stream that one of the runs looks at",
        )
    classes = members[0].predictor.classes
    parts = []
    for member, one, row in zip(members, found, rows, strict=True):
        order = [member.predictor.classes.index(name) for name in classes]
        parts.append(one.probability_NK.double()[[row[recording.key] for recording in shared]][:, order])
    unread = {clip.path: clip for one in found for clip in one.unread}
    return _Answers(shared, torch.stack(parts), list(unread.values()))


def _named(progress: Progress | None, name: str) -> Progress | None:
    return None if progress is None else lambda done, total, what: progress(done, total, name)


def _labels(recordings: Sequence[Recording]) -> Tensor:
    return torch.tensor([recording.label for recording in recordings])


def _check_members(members: Sequence[Member]) -> None:
    names = [member.name for member in members]
    if len(members) < 2 or len(set(names)) < len(names):
        raise ConfigError(f"{len(set(names))} different runs came", hint="name two runs or more, each once")
    first = members[0]
    for other in members[1:]:
        lacking = sorted(set(first.predictor.classes) - set(other.predictor.classes))
        surplus = sorted(set(other.predictor.classes) - set(first.predictor.classes))
        if lacking or surplus:
            told = [f"lacks {_shorten(lacking)}"] * bool(lacking) + [f"adds {_shorten(surplus)}"] * bool(surplus)
            raise ModelError(
                f"{first.name} and {other.name} know different classes: the second {' and '.join(told)}",
                hint="fuse runs that were trained on the same classes",
            )


def _shorten(names: list[str]) -> str:
    rest = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _check_weights(
    weights: Sequence[float] | None, members: Sequence[Member], tune_on: Sequence[Recording] | None
) -> list[float]:
    """Return given weights scaled to sum to 1, or equal ones."""
    if weights is None:
        return [1.0 / len(members)] * len(members)
    if tune_on is not None:
        raise ConfigError("weights are given, and a split to tune them on too", hint="leave one of them out")
    if len(weights) != len(members) or not sum(weights) > 0 or min(weights) < 0:
        shown = ", ".join(f"{weight:g}" for weight in weights)
        raise ConfigError(
            f"weights {shown} for {len(members)} runs", hint="give one weight for each run, none below 0, not all 0"
        )
    return [weight / sum(weights) for weight in weights]


def _find_warnings(tune_on: Sequence[Recording] | None, recordings: Sequence[Recording]) -> list[str]:
    judged = {recording.key for recording in recordings}
    num_shared = sum(recording.key in judged for recording in tune_on or ())
    if not num_shared:
        return []
    return [
        f"the weights were tuned on {num_shared} of the {len(judged)} clips that are judged: the fused score is better "
        "than on clips that are new"
    ]


def _summary(scores: Scores) -> dict[str, Any]:
    return {
        "num_clips": scores.num_clips,
        "top1": scores.top1,
        "top1_interval": list(scores.top1_interval),
        "mean_class_accuracy": scores.mean_class_accuracy,
        "mean_nll": scores.mean_nll,
    }
