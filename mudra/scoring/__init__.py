"""Predictions and the truth become losses and scores.

To add a score: compute it in `score_clips`, give `Scores` a field and `to_json` a key, and print it in the report.
"""

from mudra.scoring.accuracy import ClassScore, Confusion, Interval, Scores, score_clips, wilson_interval
from mudra.scoring.calibration import Calibration, CalibrationBin, measure_calibration

__all__ = [
    "Calibration",
    "CalibrationBin",
    "ClassScore",
    "Confusion",
    "Interval",
    "Scores",
    "measure_calibration",
    "score_clips",
    "wilson_interval",
]
