"""Predictions and the truth become losses and scores.

To add a score of clips: compute it in `score_clips`, give `Scores` a field and `to_json` a key, and print it in the
report. Of frames and of events likewise: `score_frames` and `FrameScores`, `score_events` and `EventScores`.
"""

from mudra.scoring.accuracy import ClassScore, Confusion, Interval, Scores, score_clips, wilson_interval
from mudra.scoring.calibration import Calibration, CalibrationBin, measure_calibration
from mudra.scoring.events import (
    Event,
    EventMatch,
    EventRecording,
    EventScores,
    TimeError,
    count_edits,
    match_events,
    measure_iou,
    score_events,
)
from mudra.scoring.frame_wise import FrameClassScore, FrameScores, FrameSequence, SequenceScore, score_frames
from mudra.scoring.jaccard import MeanJaccard, SequenceJaccard, average_jaccard, measure_jaccard
from mudra.scoring.mask_loss import MaskLoss, MaskLossConfig, MaskLosses
from mudra.scoring.span import FrameSpan, find_spans, mark_frames

__all__ = [
    "Calibration",
    "CalibrationBin",
    "ClassScore",
    "Confusion",
    "Event",
    "EventMatch",
    "EventRecording",
    "EventScores",
    "FrameClassScore",
    "FrameScores",
    "FrameSequence",
    "FrameSpan",
    "Interval",
    "MaskLoss",
    "MaskLossConfig",
    "MaskLosses",
    "MeanJaccard",
    "Scores",
    "SequenceJaccard",
    "SequenceScore",
    "TimeError",
    "average_jaccard",
    "count_edits",
    "find_spans",
    "mark_frames",
    "match_events",
    "measure_calibration",
    "measure_iou",
    "measure_jaccard",
    "score_clips",
    "score_events",
    "score_frames",
    "wilson_interval",
]
