import base64
import re
import sys
from xml.etree import ElementTree

import cv2
import matplotlib
import numpy as np
import pytest
import torch

from mudra.scoring import Scores, score_clips
from mudra.serving.chart import draw_calibration, draw_confusion, draw_curves


def scores_of(names: list[str], *, num_clips: int = 60) -> Scores:
    generator = torch.Generator().manual_seed(0)
    label_N = torch.randint(len(names), (num_clips,), generator=generator)
    logits_NK = torch.randn(num_clips, len(names), generator=generator)
    logits_NK[torch.arange(num_clips), label_N] += 2
    return score_clips(logits_NK.softmax(dim=1), label_N, class_names=names)


def texts(svg: str) -> list[str]:
    return [(element.text or "").strip() for element in ElementTree.fromstring(svg).iter() if "text" in element.tag]


def width_of(svg: str) -> float:
    return float(ElementTree.fromstring(svg).attrib["width"].removesuffix("pt"))


def test_few_classes_carry_names_and_counts():
    scores = scores_of(["grab", "pinch", "tap"])
    found = texts(draw_confusion(scores))
    assert found.count("pinch") == 2
    counts = [str(count) for count in scores.confusion_KK.flatten().tolist() if count]
    assert [text for text in found if text.isdigit()] == counts


def test_more_than_forty_classes_carry_no_counts():
    found = texts(draw_confusion(scores_of([f"class {k}" for k in range(41)])))
    assert "class 40" in found
    assert not [text for text in found if text.isdigit()]


@pytest.mark.parametrize(("num_classes", "numbers"), [(100, [1, 10, 20, 100]), (249, [1, 25, 50, 225])])
def test_many_classes_carry_numbers(num_classes, numbers):
    svg = draw_confusion(scores_of([f"class {k}" for k in range(num_classes)]))
    found = texts(svg)
    assert not [text for text in found if text.startswith("class")]
    for number in numbers:
        assert found.count(str(number)) == 2
    assert width_of(svg) <= 11.5 * 72


@pytest.mark.parametrize("num_classes", [2, 14, 28, 40, 64])
def test_matrix_fits_the_page(num_classes):
    svg = draw_confusion(scores_of([f"a class with a rather long name {k}" for k in range(num_classes)]))
    assert 2 * 72 < width_of(svg) <= 11.5 * 72


def test_long_names_are_cut():
    found = texts(draw_confusion(scores_of(["x" * 33, "y" * 32])))
    assert "x" * 31 + "…" in found
    assert "y" * 32 in found


@pytest.mark.parametrize("name", ["$a$ & <b>", "手を振る", '"quoted"'])
def test_any_name_is_drawn_as_it_is(name):
    svg = draw_confusion(scores_of([name, "other"]))
    assert texts(svg).count(name) == 2
    assert "<b>" not in svg


def test_ink_follows_the_page_and_nothing_hides_it():
    for svg in (draw_confusion(scores_of(["a", "b"])), draw_calibration(scores_of(["a", "b"]).calibration)):
        assert "currentColor" in svg
        assert "#010203" not in svg
        assert "#000000" not in svg
        # A white background would swallow light ink; only the counts on strong colours are white.
        white = [element for element in ElementTree.fromstring(svg).iter() if "#ffffff" in str(element.attrib)]
        assert all(element.tag.endswith("text") for element in white)


def test_charts_are_described_and_hold_no_id_twice():
    scores = scores_of(["a", "b"])
    curves = draw_curves([{"epoch": 0, "train_loss": 1.0}])
    assert curves is not None
    page = draw_confusion(scores) + draw_calibration(scores.calibration) + curves
    assert page.count('role="img"') == 3
    assert f"{scores.num_right} of 60 clips lie on the diagonal" in page
    assert f"expected calibration error {scores.calibration.expected_error:.3f}" in page
    assert '<g id="' not in page


def test_same_scores_same_chart():
    assert draw_confusion(scores_of(["a", "b"])) == draw_confusion(scores_of(["a", "b"]))


def test_cells_are_blue_orange_or_clear():
    probability_NK = torch.tensor([[0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    svg = draw_confusion(score_clips(probability_NK, torch.tensor([0, 0, 1]), class_names=["a", "b"]))
    (encoded,) = re.findall(r"data:image/png;base64,([^\"]+)", svg)
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(encoded), np.uint8), cv2.IMREAD_UNCHANGED)
    height, width = picture.shape[:2]
    cells = picture[[[height // 4], [3 * height // 4]], [[width // 4, 3 * width // 4]]][..., [2, 1, 0, 3]].astype(int)
    if cells[1, 0, 3]:  # the file may hold its rows from the bottom
        cells = cells[::-1]
    (right, wrong), (clear, sure) = cells
    assert right[2] > right[0]
    assert wrong[0] > wrong[2]
    assert clear[3] == 0
    assert sure[2] > sure[0]
    assert right[3] < sure[3] == 255


def test_settings_of_matplotlib_are_left_alone():
    before = dict(matplotlib.rcParams)
    draw_confusion(scores_of(["a", "b"]))
    assert dict(matplotlib.rcParams) == before


class TestCurves:
    def test_columns_go_to_their_panels(self):
        rows = [
            {"epoch": epoch, "train_loss": 1.0, "val_top1": 0.5, "lr": 0.1, "seconds": 3.0, "train_flossy": 1}
            for epoch in range(4)
        ]
        svg = draw_curves(rows)
        assert svg is not None
        found = texts(svg)
        for text in ("loss", "accuracy", "learning rate", "train_loss", "val_top1", "lr"):
            assert text in found
        assert "seconds" not in found
        assert "train_flossy" not in found
        assert "loss: train_loss; accuracy: val_top1; learning rate: lr" in svg

    def test_panels_without_values_are_left_out(self):
        svg = draw_curves([{"epoch": "0", "train_loss": "1.5", "val_top1": ""}, {"epoch": "1", "train_loss": "nan"}])
        assert svg is not None
        assert "loss" in texts(svg)
        assert "accuracy" not in texts(svg)

    def test_sparse_rows_of_one_epoch_belong_together(self):
        # Training and validation write rows of their own, and steps repeat an epoch.
        rows = [
            {"epoch": 0, "train_loss": 9.0, "val_loss": ""},
            {"epoch": 0, "train_loss": 2.0, "val_loss": ""},
            {"epoch": 0, "train_loss": "", "val_loss": 3.0},
            {"epoch": 1, "train_loss": 1.0, "val_loss": ""},
        ]
        svg = draw_curves(rows)
        assert svg is not None
        assert {"train_loss", "val_loss"} <= set(texts(svg))
        assert "9" not in texts(svg)  # no axis reaches to the value that was overwritten
        assert "8" not in texts(svg)

    def test_rows_without_epoch_count_as_epochs(self):
        svg = draw_curves([{"loss": 1.0}, {"loss": 0.5}, {"loss": 0.2}])
        assert svg is not None
        assert "2" in texts(svg)

    def test_zero_is_a_value(self):
        assert draw_curves([{"epoch": 0, "loss": 0.0}]) is not None

    def test_any_column_is_drawn_as_it_is(self):
        svg = draw_curves([{"epoch": 0, 'a "<b>" loss': 1.0}])
        assert svg is not None
        assert 'a "<b>" loss' in texts(svg)
        assert 'a "<b>" loss' in ElementTree.fromstring(svg).attrib["aria-label"]

    @pytest.mark.parametrize("rows", [[], [{"epoch": 0, "seconds": 1.0}], [{"epoch": 0, "loss": "inf"}]])
    def test_nothing_to_draw(self, rows):
        assert draw_curves(rows) is None


def test_calibration_shows_accuracy_and_counts():
    found = texts(draw_calibration(scores_of(["a", "b"]).calibration))
    assert {"accuracy", "confidence", "clips"} <= set(found)


def test_no_pyplot_figure_is_left_open():
    draw_confusion(scores_of(["a", "b"]))
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()
