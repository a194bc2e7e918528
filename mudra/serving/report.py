"""The evaluation report: one HTML file that needs nothing else, and the table of predictions beside it.

Pictures and charts lie within the file, and its content security policy forbids it to load anything. All names are
escaped by the template.
"""

from __future__ import annotations

import base64
import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
import numpy.typing as npt

from mudra.errors import ModelError
from mudra.scoring import Scores
from mudra.serving.chart import MOST_NAMES, draw_calibration, draw_confusion, draw_curves
from mudra.serving.figure import encode_picture, frame_sheet

SHEET_COLUMNS = 8
CONFUSIONS_IN_WORDS = 3
CONFUSIONS_LISTED = 12
LONGEST_LIST = 4  # entries of a fact; longer lists are folded away


class WorstClip(NamedTuple):
    """A clip that the network judged badly.

    Args:
        path: Its file, or the key of its recording.
        label: Its true class.
        predicted: The most probable class.
        probability: The probability of the true class.
        predicted_probability: The probability of the predicted class.
        frames_THWC: A few of the frames that the network saw, of any stream that `draw_frames` takes.
    """

    path: str
    label: str
    predicted: str
    probability: float
    predicted_probability: float
    frames_THWC: npt.NDArray[np.generic]


class PredictionRow(NamedTuple):
    """One line of `predictions.csv`.

    Args:
        path: The clip's file, or the key of its recording.
        label: Its true class; None where it is not known.
        predicted: The most probable class.
        probability_K: All probabilities, in the order of the classes.
    """

    path: str
    label: str | None
    predicted: str
    probability_K: Sequence[float]


def write_report(
    path: Path | str,
    *,
    title: str,
    scores: Scores,
    card: Mapping[str, Any],
    curves: Sequence[Mapping[str, Any]] | None = None,
    worst: Sequence[WorstClip] = (),
    predictions_csv: str = "",
) -> None:
    """Write the report as one HTML file.

    Args:
        path: The file to write.
        title: Heading of the page.
        scores: What `score_clips` returned.
        card: Facts for the table under the summary, in order: recipe, data, split, parameters, seed, machine and so on;
            a list or a mapping is printed entry by entry, None is left out. `split` and `data` name what was evaluated
            in the summary.
        curves: Rows of the run's `metrics.csv`; without them the section is left out.
        worst: The worst clips, worst first.
        predictions_csv: Name of the table beside the report, for a link; empty for none.

    Raises:
        ClipError: If the frames of a worst clip cannot be drawn.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    page = environment.get_template("report.html").render(
        title=title,
        sentences=describe(scores, card=card),
        scores=scores,
        facts=[(name, as_entries(value)) for name, value in card.items() if value is not None],
        longest_list=LONGEST_LIST,
        confusion_svg=draw_confusion(scores),
        numbered=len(scores.per_class) > MOST_NAMES,
        confusions=scores.confusions(CONFUSIONS_LISTED),
        calibration_svg=draw_calibration(scores.calibration),
        curves_svg=draw_curves(curves) if curves else None,
        worst=[(clip, _as_data_uri(clip.frames_THWC)) for clip in worst],
        predictions_csv=predictions_csv,
    )
    Path(path).write_text(page, encoding="utf-8")


def describe(scores: Scores, *, card: Mapping[str, Any]) -> list[str]:
    """Return sentences that say what was evaluated, what came out, how sure that is and what went wrong.

    Args:
        scores: What `score_clips` returned.
        card: Its `split` and `data`, where given, name what was evaluated.
    """
    low, high = scores.top1_interval
    parts = [f"{card['split']} split"] if card.get("split") else []
    what = " of ".join([*parts, *([str(card["data"])] if card.get("data") else [])])
    sentences = [
        f"{scores.num_clips} {plural('clip', scores.num_clips)} of {len(scores.per_class)} classes"
        f"{f' ({what})' if what else ''} {_were(scores.num_clips)} evaluated; {scores.num_right} "
        f"{_were(scores.num_right)} named right: top-1 accuracy "
        f"{percent(scores.top1)}, with a 95\N{NO-BREAK SPACE}% interval from {percent(low)} to {percent(high)}.",
        _describe_baseline(scores),
    ]
    if scores.empty_classes:
        sentences.append(_describe_empty(scores.empty_classes))
    confusions = scores.confusions(CONFUSIONS_IN_WORDS)
    told = "; ".join(
        f"{one.num_confused} of {one.num_clips} “{one.label}” {_were(one.num_confused)} called “{one.predicted}”"
        for one in confusions
    )
    sentences.append(f"The most frequent confusions: {told}." if confusions else "No clip was named wrong.")
    return [*sentences, _describe_calibration(scores)]


def write_predictions(path: Path | str, rows: Iterable[PredictionRow], *, class_names: Sequence[str]) -> None:
    """Write one line per clip: path, label, predicted, probability, correct, then every class's probability.

    `probability` belongs to the predicted class; `correct` is 1 or 0, and empty where the label is not known.

    Args:
        path: The CSV file to write, UTF-8.
        rows: One row per clip.
        class_names: Names of the classes; their columns are headed `probability_<name>`.

    Raises:
        ModelError: If a row does not have one probability per class, or predicts a class that is not listed.
    """
    column_of = {name: k for k, name in enumerate(class_names)}
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        heads = [f"probability_{name}" for name in class_names]
        table.writerow(["path", "label", "predicted", "probability", "correct", *heads])
        for row in rows:
            if len(row.probability_K) != len(class_names) or row.predicted not in column_of:
                raise ModelError(
                    f"{row.path}: {len(row.probability_K)} probabilities and prediction {row.predicted!r} for "
                    f"{len(class_names)} classes",
                    hint="take the class names from the run that made the probabilities",
                )
            correct = "" if row.label is None else int(row.label == row.predicted)
            values = [f"{value:.6g}" for value in row.probability_K]
            table.writerow(
                [row.path, row.label or "", row.predicted, values[column_of[row.predicted]], correct, *values]
            )


def _describe_baseline(scores: Scores) -> str:
    largest = scores.largest_class
    share = largest.num_clips / scores.num_clips
    return f"Always answering “{largest.name}”, the largest class, would reach {percent(share)}."


def _describe_empty(empty: Sequence[str]) -> str:
    shown = ", ".join(f"“{name}”" for name in empty[:5]) + (" and others" if len(empty) > 5 else "")
    number = f"{len(empty)} {plural('class', len(empty))} {'has' if len(empty) == 1 else 'have'}"
    return (
        f"{number} no clip here ({shown}) and {'is' if len(empty) == 1 else 'are'} left out of the mean over classes."
    )


def _describe_calibration(scores: Scores) -> str:
    gap = scores.calibration.mean_confidence - scores.top1
    error = f"expected calibration error {scores.calibration.expected_error:.3f}"
    if abs(gap) < 0.02:
        return f"On average the network's confidence matches its accuracy to within 2 points ({error})."
    return (
        f"The network is too {'sure' if gap > 0 else 'unsure'} of itself: mean confidence "
        f"{percent(scores.calibration.mean_confidence)} against {percent(scores.top1)} right ({error})."
    )


def percent(share: float | None) -> str:
    """Return a share as per cent; a dash for None."""
    return "–" if share is None else f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def plural(word: str, number: int) -> str:
    """Return a word in the number of what it counts."""
    return word if number == 1 else f"{word}{'es' if word.endswith('s') else 's'}"


def _were(number: int) -> str:
    return "was" if number == 1 else "were"


def as_entries(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [f"{name}: {_as_text(one)}" for name, one in value.items()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_as_text(one) for one in value]
    return [_as_text(value)]


def _as_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    # Counts such as parameters are read in groups; years and most seeds are shorter than that.
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 1_000_000 else str(value)


def _as_data_uri(frames_THWC: npt.NDArray[np.generic]) -> str:
    sheet_HWC = frame_sheet(frames_THWC, columns=SHEET_COLUMNS)
    return "data:image/jpeg;base64," + base64.b64encode(encode_picture(sheet_HWC, suffix=".jpg")).decode("ascii")
