"""Pictures of a comparison: both forms are written, and names and numbers stand in them, be they many or none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from mudra.serving.comparison import ClassDifference, Comparison, PairedCounts
from mudra.serving.comparison_figure import draw_classes, draw_gates, draw_speeds
from mudra.serving.flow_speed import EDGES
from mudra.serving.gate_saturation import NUM_BINS, GateUse


def comparison(num_classes: int = 3) -> Comparison:
    classes = [ClassDifference(f"class_{index}", 10, 5, 9 - 4 * (index % 3)) for index in range(num_classes)]
    return Comparison(("plain", "multi $k$"), PairedCounts(5, 2, 4, 1), classes, [], [])


def gate(low: float = 0.0, side: int = 4) -> GateUse:
    return GateUse(np.full(NUM_BINS, 1 / NUM_BINS), low, 0.25, np.full((5, side, side), 0.5))


def check(path: Path, *words: str) -> None:
    picture = cv2.imread(str(path))
    assert picture is not None
    assert picture.std() > 5, "something is drawn"
    drawing = path.with_suffix(".svg").read_text(encoding="utf-8")
    for word in words:
        assert word in drawing


@pytest.mark.parametrize("num_classes", [1, 3, 101])
def test_each_class_has_its_bar(num_classes: int, tmp_path: Path) -> None:
    path = draw_classes(tmp_path / "new", comparison(num_classes))
    check(path, f"class_{num_classes - 1}", "accuracy of multi $k$ − accuracy of plain", "only plain 2", "p = 0.688")


def test_pictures_of_the_same_numbers_are_the_same(tmp_path: Path) -> None:
    paths = [draw_classes(tmp_path / name, comparison()).with_suffix(".svg") for name in ("a", "b")]
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_speeds_have_a_line_for_each_set_of_classes(tmp_path: Path) -> None:
    shares = {f"class_{index}": np.linspace(0.1 + index / 10, 0.0, len(EDGES) - 1) for index in range(3)}
    check(draw_speeds(tmp_path, comparison(), shares), "all classes (3)", "multi $k$ is better (1)", "is worse (1)")
    check(draw_speeds(tmp_path, comparison(), {}), "no flow could be measured")


def test_gates_of_each_run_are_drawn(tmp_path: Path) -> None:
    uses = {
        "plain": {"input_gate": gate(), "candidate": gate(-1.0)},
        "multi": {"input_gate": gate(side=1)},
    }
    check(draw_gates(tmp_path, uses), "plain", "multi", "input gate", "candidate", "saturated: 25%")
