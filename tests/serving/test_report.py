import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch

from mudra.errors import ClipError, ModelError
from mudra.scoring import Scores, score_clips
from mudra.serving.report import PredictionRow, WorstClip, describe, write_predictions, write_report

NAMES = ["grab", "pinch", "shake"]
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Collects tags with their attributes, texts of cells, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" not in self.open and "style" not in self.open:
            self.text.append(data)

    @property
    def words(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.text))


def probabilities(answers: list[int], *, num_classes: int = 3, confidence: float = 0.6) -> torch.Tensor:
    probability_NK = torch.full((len(answers), num_classes), (1 - confidence) / (num_classes - 1))
    probability_NK[torch.arange(len(answers)), torch.tensor(answers)] = confidence
    return probability_NK


def score(labels: list[int], answers: list[int], *, names: list[str] = NAMES, confidence: float = 0.6) -> Scores:
    probability_NK = probabilities(answers, num_classes=len(names), confidence=confidence)
    return score_clips(probability_NK, torch.tensor(labels), class_names=names)


def some_scores(names: list[str] = NAMES) -> Scores:
    return score([0] * 4 + [1] * 3 + [2] * 3, [0, 0, 1, 1, 1, 1, 0, 2, 2, 2], names=names)


def worst_clip(**changes: object) -> WorstClip:
    frames_THWC = np.random.default_rng(0).integers(0, 256, (4, 80, 80, 3), dtype=np.uint8)
    return WorstClip("a/clip.avi", "grab", "pinch", 0.012, 0.934, frames_THWC)._replace(**changes)


def write(folder: Path, **arguments: object) -> str:
    arguments = {"title": "Evaluation", "scores": some_scores(), "card": {}, **arguments}
    write_report(folder / "report.html", **arguments)
    return (folder / "report.html").read_text(encoding="utf-8")


class TestReport:
    def test_says_every_score(self, tmp_path):
        words = Page(write(tmp_path)).words
        for text in ("70.0 %", "39.7 %", "89.2 %", "mean class accuracy", "expected calibration error", "likelihood"):
            assert text in words
        assert "72.2 %" in words  # (2/4 + 2/3 + 3/3) / 3

    def test_one_row_for_each_class(self, tmp_path):
        text = write(tmp_path)
        body = text[text.index('class="sortable"') : text.index('id="calibration"')]
        rows = re.findall(r"<tr>(.*?)</tr>", body[body.index("<tbody>") :], flags=re.DOTALL)
        cells = [re.sub(r"<[^>]+>|\s+", " ", row).split() for row in rows]
        assert cells == [
            ["1", "grab", "4", "2", "50.0", "%", "66.7", "%", "0.571", "pinch", "(2)"],
            ["2", "pinch", "3", "2", "66.7", "%", "50.0", "%", "0.571", "grab", "(1)"],
            ["3", "shake", "3", "3", "100.0", "%", "100.0", "%", "1.000", "–"],
        ]

    def test_lists_confusions(self, tmp_path):
        words = Page(write(tmp_path)).words
        assert re.search(r"2 of 4 grab called pinch .*1 of 3 pinch called grab", words)

    def test_top5_is_shown_where_it_says_something(self, tmp_path):
        assert "top-5 accuracy" not in write(tmp_path)
        names = list("abcdef")
        assert "top-5 accuracy" in write(tmp_path, scores=score([0, 1], [0, 2], names=names))

    def test_needs_nothing_from_outside(self, tmp_path):
        text = write(tmp_path, worst=[worst_clip()], curves=[{"epoch": 0, "train_loss": 1.0}])
        page = Page(text)
        assert not [tag for tag, _ in page.tags if tag in {"link", "iframe", "object", "base"}]
        sources = [
            value or ""
            for _, attributes in page.tags
            for name, value in attributes.items()
            if name in {"src", "href", "xlink:href", "action", "data"}
        ]
        assert sources
        assert all(value.startswith(("data:", "#")) for value in sources)
        assert "@import" not in text
        assert not re.search(r"url\((?!#)", text)
        policy = [a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a]
        assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"]

    def test_serves_dark_pages_and_phones(self, tmp_path):
        text = write(tmp_path)
        assert "prefers-color-scheme: dark" in text
        assert 'name="viewport"' in text

    def test_names_are_escaped(self, tmp_path):
        evil = '<script>alert("1")</script>'
        worst = [worst_clip(path=evil, label=evil, predicted='"><img src=x>')]
        scores = some_scores(names=[evil, "b", "c"])
        text = write(
            tmp_path, title=evil, scores=scores, card={evil: [evil]}, worst=worst, predictions_csv=f"{evil}.csv"
        )
        page = Page(text)
        assert "<script>alert" not in text
        assert [tag for tag, _ in page.tags].count("script") == 1
        assert [tag for tag, _ in page.tags].count("img") == 1
        assert evil in page.words

    def test_facts_are_printed_in_order(self, tmp_path):
        card = {
            "recipe": "ours/small",
            "parameters": 12_345_678,
            "seed": 2024,
            "lr": 0.1,
            "left out": None,
            "versions": {"torch": "2.7", "mudra": "0.1"},
            "damaged": [],
        }
        words = Page(write(tmp_path, card=card)).words
        for text in ("parameters 12,345,678", "seed 2024", "lr 0.1", "torch: 2.7, mudra: 0.1", "damaged none"):
            assert text in words
        assert "left out" not in words[words.index("What was evaluated") : words.index("What was taken")]
        assert words.index("ours/small") < words.index("12,345,678")

    def test_long_lists_are_folded(self, tmp_path):
        assert "<details>" not in write(tmp_path, card={"damaged": ["a.avi"] * 4})
        text = write(tmp_path, card={"damaged": [f"{k}.avi" for k in range(5)]})
        assert "<summary>5 entries</summary>" in text
        assert "<li>4.avi</li>" in text

    def test_no_facts_no_section(self, tmp_path):
        assert 'id="facts"' not in write(tmp_path)

    def test_worst_clips_show_their_frames(self, tmp_path):
        page = Page(write(tmp_path, worst=[worst_clip()]))
        (image,) = [attributes for tag, attributes in page.tags if tag == "img"]
        assert str(image["src"]).startswith("data:image/jpeg;base64,/9j/")
        assert image["alt"] == "Frames of a/clip.avi, which shows grab and was called pinch"
        assert "93.4 %; the truth got 1.2 %" in page.words

    def test_sections_without_content_are_left_out(self, tmp_path):
        text = write(tmp_path, curves=[{"epoch": 0, "seconds": 1.0}])
        assert 'id="worst"' not in text
        assert 'id="curves"' not in text
        assert "Every prediction" not in text
        assert 'id="curves"' in write(tmp_path, curves=[{"epoch": 0, "train_loss": 1.0}])

    def test_links_the_predictions(self, tmp_path):
        page = Page(write(tmp_path, predictions_csv="my predictions.csv"))
        assert ("a", {"href": "my%20predictions.csv"}) in page.tags
        assert "Every prediction: my predictions.csv" in page.words

    def test_numbers_are_explained_where_axes_carry_them(self, tmp_path):
        assert "The numbers are those" not in write(tmp_path)
        names = [f"class {k}" for k in range(65)]
        assert "The numbers are those" in write(tmp_path, scores=score([0, 1], [0, 2], names=names))

    def test_class_without_clip_has_dashes(self, tmp_path):
        text = write(tmp_path, scores=score([0, 1], [0, 1]))
        row = text[text.index("<td>shake</td>") :]
        assert re.sub(r"<[^>]+>|\s+", " ", row[: row.index("</tr>")]).split() == ["shake", "0", "0", "–", "–", "–", "–"]

    def test_refuses_frames_that_cannot_be_drawn(self, tmp_path):
        with pytest.raises(ClipError, match="cannot be drawn"):
            write(tmp_path, worst=[worst_clip(frames_THWC=np.zeros((2, 4, 4), np.uint8))])


class TestDescribe:
    def say(self, scores: Scores, **card: object) -> str:
        return " ".join(describe(scores, card=card)).replace("\N{NO-BREAK SPACE}", " ")

    def test_what_and_how_uncertain(self):
        said = self.say(some_scores(), split="test", data="nvgesture")
        assert said.startswith(
            "10 clips of 3 classes (test split of nvgesture) were evaluated; 7 were named right: "
            "top-1 accuracy 70.0 %, with a 95 % interval from 39.7 % to 89.2 %."
        )

    @pytest.mark.parametrize(
        ("card", "start"),
        [
            ({}, "10 clips of 3 classes were"),
            ({"split": "test"}, "10 clips of 3 classes (test split) were"),
            ({"data": "shrec"}, "10 clips of 3 classes (shrec) were"),
        ],
    )
    def test_what_is_not_known_is_not_said(self, card, start):
        assert self.say(some_scores(), **card).startswith(start)

    def test_one_clip_is_singular(self):
        assert self.say(score([0], [0])).startswith("1 clip of 3 classes was evaluated; 1 was named right")

    def test_baseline(self):
        assert "Always answering “grab”, the largest class, would reach 40.0 %." in self.say(some_scores())

    def test_confusions_in_words(self):
        said = self.say(some_scores())
        assert "confusions: 2 of 4 “grab” were called “pinch”; 1 of 3 “pinch” was called “grab”." in said

    def test_nothing_wrong(self):
        assert "No clip was named wrong." in self.say(score([0, 1, 2], [0, 1, 2]))

    def test_empty_classes(self):
        assert "no clip here" not in self.say(some_scores())
        assert "1 class has no clip here (“shake”) and is left out of the mean" in self.say(score([0, 1], [0, 1]))
        said = self.say(score([0], [0], names=list("abcdefgh")))
        assert "7 classes have no clip here (“b”, “c”, “d”, “e”, “f” and others) and are left out" in said

    def test_calibration_says_which_way(self):
        labels, answers = [0, 0, 1, 1, 2], [0, 0, 1, 1, 0]  # 80 % right
        assert "too sure of itself: mean confidence 95.0 % against 80.0 % right" in self.say(
            score(labels, answers, confidence=0.95)
        )
        assert "too unsure of itself" in self.say(score(labels, answers, confidence=0.6))
        assert "matches its accuracy" in self.say(score(labels, answers, confidence=0.8))


class TestPredictions:
    def read(self, folder: Path, rows: list[PredictionRow], names: list[str]) -> list[dict[str, str]]:
        write_predictions(folder / "predictions.csv", rows, class_names=names)
        with (folder / "predictions.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def test_columns(self, tmp_path):
        rows = [
            PredictionRow('a,"b".avi', "grab", "手", [0.25, 0.75]),
            PredictionRow("c.avi", "grab", "grab", [2 / 3, 1 / 3]),
            PredictionRow("d.avi", None, "grab", [1.0, 0.0]),
        ]
        first, second, third = self.read(tmp_path, rows, ["grab", "手"])
        assert list(first) == [
            "path",
            "label",
            "predicted",
            "probability",
            "correct",
            "probability_grab",
            "probability_手",
        ]
        assert list(first.values()) == ['a,"b".avi', "grab", "手", "0.75", "0", "0.25", "0.75"]
        assert (second["correct"], second["probability"]) == ("1", "0.666667")
        assert (third["label"], third["correct"]) == ("", "")

    def test_refuses_other_number_of_probabilities(self, tmp_path):
        with pytest.raises(ModelError, match=r"a\.avi: 1 probabilities and prediction 'grab' for 2 classes"):
            self.read(tmp_path, [PredictionRow("a.avi", None, "grab", [1.0])], ["grab", "pinch"])

    def test_refuses_unknown_prediction(self, tmp_path):
        with pytest.raises(ModelError, match="prediction 'tap' for 2 classes"):
            self.read(tmp_path, [PredictionRow("a.avi", None, "tap", [1.0, 0.0])], ["grab", "pinch"])
