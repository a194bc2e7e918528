from __future__ import annotations

from pathlib import Path

import pytest

from mudra.datasets.card import DatasetCard
from mudra.errors import ConfigError


def make_card(mirror: dict[str, str | None], *classes: str) -> DatasetCard:
    return DatasetCard(name="mine", classes=classes, mirror=mirror)


def test_mirror_index_follows_the_names() -> None:
    card = make_card({"b": "c", "c": "b", "a": "a"}, "a", "b", "c")
    assert card.mirror_index() == [0, 2, 1]
    assert card.explain_mirror() == "mirroring swaps b/c and keeps 1 other labels"


def test_a_class_without_a_partner_forbids_mirroring_and_is_named() -> None:
    card = make_card({"a": "a", "b": None}, "a", "b", "c")
    assert card.mirror_index() is None
    assert "'b', 'c' have no known mirror partner" in card.explain_mirror()


def test_many_unknown_classes_are_counted() -> None:
    assert "'a', 'b', 'c' and 2 more have" in make_card({}, "a", "b", "c", "d", "e").explain_mirror()


def test_the_example_is_valid_yaml_for_a_class_that_is_a_number() -> None:
    assert make_card({}, "001").explain_mirror().endswith("data.mirror={'001': '001'}")


def test_nothing_to_swap() -> None:
    assert make_card({"a": "a"}, "a").explain_mirror() == "mirroring keeps every label"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"classes": ["a", "b", "a"]}, "classes named twice: a"),
        ({"classes": []}, "classes"),
        ({"classes": ["a"], "mirror": {"a": "b"}}, "'b', which is no class"),
        ({"classes": ["a"], "idle_class": "none"}, "idle_class is 'none', which is no class"),
        ({"classes": ["a", "b"], "mirror": {"a": "b"}}, "turns 'a' into 'b' but not 'b' back into 'a'"),
        ({"classes": ["a", "b"], "mirror": {"a": "b", "b": "b"}}, "turns 'a' into 'b' but not"),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DatasetCard.from_mapping({"name": "mine", **values})


def test_a_card_survives_yaml(tmp_path: Path) -> None:
    card = DatasetCard(name="mine", classes=("a",), mirror={"a": None}, counts={"train": 3}, fps=30.0)
    path = tmp_path / "card.yaml"
    path.write_text(card.to_yaml())
    assert DatasetCard.from_yaml(path) == card
