"""Scores of a label for every frame: mean Jaccard, precision, recall, and the error rate of isolated gestures.

Source: Pigou et al. 2015, arXiv:1506.01911, section 4.3 and the authors' code for what the text leaves open.

    precision_n, recall_n    over all frames of all sequences; then the mean over the classes
    error rate               share of true segments in which another class, or none, has most frames

Differs: a class that no frame shows has no recall, and one that neither occurs nor is predicted no precision; both are
left out of the means. A class that occurs and is never predicted has precision 0. With all of Montalbano's 20 classes
in the data these are the means over 20.

Letters: S frames of a sequence, K classes of gestures; "no gesture" is no class here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mudra.errors import DataError
from mudra.scoring.jaccard import MeanJaccard, SequenceJaccard, average_jaccard, mean_of_known, measure_jaccard
from mudra.scoring.span import FrameSpan, mark_frames


class FrameSequence(NamedTuple):
    """One sequence's truth and predictions.

    Args:
        name: What to call it in lists.
        num_frames: Its length (S).
        truth: Its gestures.
        predicted: What was recognised; spans of several classes may overlap.
    """

    name: str
    num_frames: int
    truth: Sequence[FrameSpan]
    predicted: Sequence[FrameSpan]


class FrameClassScore(NamedTuple):
    """How one class fared.

    Args:
        name: The class.
        num_sequences: Sequences that have it.
        num_frames: Frames that show it.
        jaccard: Mean over those sequences; None without one.
        precision: Share of the frames predicted so that are so; None where it neither occurs nor is predicted.
        recall: Share of its frames that are predicted so; None without a frame.
        num_segments: How often it occurs.
        error_rate: Share of these in which it does not win the vote; None without one.
    """

    name: str
    num_sequences: int
    num_frames: int
    jaccard: float | None
    precision: float | None
    recall: float | None
    num_segments: int
    error_rate: float | None


class SequenceScore(NamedTuple):
    """How one sequence fared; the Jaccard means as `MeanJaccard` has them.

    Args:
        name: The sequence.
        num_frames: Its length.
        num_segments: Its gestures.
        num_wrong: Those of them that another class, or none, won.
    """

    name: str
    num_frames: int
    gt_classes: float | None
    union: float | None
    all_classes: float | None
    num_segments: int
    num_wrong: int


@dataclass(frozen=True, kw_only=True)
class FrameScores:
    """All scores of frame-wise recognition.

    Args:
        mean_jaccard: In its three definitions.
        precision: Mean over the classes; None where nothing occurs nor is predicted.
        recall: Mean over the classes; None where nothing occurs.
        error_rate: Share of isolated segments that the vote gets wrong; None without a segment.
        per_class: One score per class, in the order of the classes.
        per_sequence: One score per sequence, in the order given.
    """

    mean_jaccard: MeanJaccard
    precision: float | None
    recall: float | None
    error_rate: float | None
    per_class: tuple[FrameClassScore, ...]
    per_sequence: tuple[SequenceScore, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for `json.dump`; None where a score is not defined."""
        return {
            "num_sequences": len(self.per_sequence),
            "num_frames": sum(one.num_frames for one in self.per_sequence),
            "num_segments": sum(one.num_segments for one in self.per_sequence),
            "mean_jaccard": self.mean_jaccard._asdict(),
            "precision": self.precision,
            "recall": self.recall,
            "error_rate": self.error_rate,
            "per_class": [one._asdict() for one in self.per_class],
            "per_sequence": [one._asdict() for one in self.per_sequence],
        }


class _Judged(NamedTuple):
    """One sequence, counted: per class its frames (true, predicted, both), and its segments (all, wrong)."""

    jaccard: SequenceJaccard
    frames_3K: Tensor
    segments_2K: Tensor


def score_frames(sequences: Sequence[FrameSequence], *, class_names: Sequence[str]) -> FrameScores:
    """Score the predictions of whole sequences.

    Args:
        sequences: At least one.
        class_names: One name per gesture; "no gesture" has none.

    Raises:
        DataError: If there is no sequence, or a span has an unknown label or is no run of frames.

    Example:
        >>> truth, predicted = [FrameSpan(0, 0, 10)], [FrameSpan(0, 2, 10)]
        >>> scores = score_frames([FrameSequence("a", 30, truth, predicted)], class_names=["ok", "stop"])
        >>> scores.mean_jaccard.gt_classes, scores.precision, scores.recall, scores.error_rate
        (0.8, 1.0, 0.8, 0.0)
    """
    if not sequences:
        raise DataError("no sequence to score", hint="give at least one")
    judged = [_judge(one, len(class_names)) for one in sequences]
    per_class = tuple(_score_class(judged, k, name) for k, name in enumerate(class_names))
    num_segments, num_wrong = torch.stack([one.segments_2K for one in judged]).sum(dim=(0, 2)).tolist()
    return FrameScores(
        mean_jaccard=average_jaccard([one.jaccard for one in judged]),
        precision=mean_of_known([one.precision for one in per_class]),
        recall=mean_of_known([one.recall for one in per_class]),
        error_rate=num_wrong / num_segments if num_segments else None,
        per_class=per_class,
        per_sequence=tuple(_score_sequence(*pair) for pair in zip(sequences, judged, strict=True)),
    )


def vote(predicted_SK: Tensor, span: FrameSpan) -> int | None:
    """Return the class that most frames of `span` are predicted to show; None where "no gesture" has as many.

    Among gestures with equally many frames the one with the smallest index wins.
    """
    frames_TK = predicted_SK[span.start_frame : span.end_frame]
    votes_K = frames_TK.sum(dim=0)
    num_idle = int((~frames_TK.any(dim=1)).sum())
    winner = int(votes_K.argmax())
    return winner if int(votes_K[winner]) > num_idle else None


def _judge(sequence: FrameSequence, num_classes: int) -> _Judged:
    shape = {"num_frames": sequence.num_frames, "num_classes": num_classes}
    truth_SK, predicted_SK = (mark_frames(spans, **shape) for spans in (sequence.truth, sequence.predicted))
    segments_2K = torch.zeros(2, num_classes, dtype=torch.int64)
    for span in sequence.truth:
        segments_2K[0, span.label] += 1
        segments_2K[1, span.label] += vote(predicted_SK, span) != span.label
    frames_3K = torch.stack([marked.sum(dim=0) for marked in (truth_SK, predicted_SK, truth_SK & predicted_SK)])
    return _Judged(measure_jaccard(truth_SK, predicted_SK), frames_3K, segments_2K)


def _score_class(judged: Sequence[_Judged], k: int, name: str) -> FrameClassScore:
    num_true, num_predicted, num_both = (sum(int(one.frames_3K[row, k]) for one in judged) for row in range(3))
    num_segments, num_wrong = (sum(int(one.segments_2K[row, k]) for one in judged) for row in range(2))
    having = [one.jaccard for one in judged if one.jaccard.is_true_K[k]]
    return FrameClassScore(
        name=name,
        num_sequences=len(having),
        num_frames=num_true,
        jaccard=mean_of_known([float(one.jaccard_K[k]) for one in having]),
        precision=num_both / max(num_predicted, 1) if num_true or num_predicted else None,
        recall=num_both / num_true if num_true else None,
        num_segments=num_segments,
        error_rate=num_wrong / num_segments if num_segments else None,
    )


def _score_sequence(sequence: FrameSequence, judged: _Judged) -> SequenceScore:
    num_segments, num_wrong = judged.segments_2K.sum(dim=1).tolist()
    return SequenceScore(sequence.name, sequence.num_frames, *judged.jaccard.means, num_segments, num_wrong)
