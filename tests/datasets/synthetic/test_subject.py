"""Subjects: the same from the same seed, different between splits, and varied."""

from __future__ import annotations

import numpy as np
import pytest

from mudra.datasets.synthetic import Subject, subject_of
from mudra.datasets.synthetic.config import SPLITS
from mudra.errors import DataError


@pytest.fixture(scope="module")
def crowd() -> list[Subject]:
    return [subject_of("train", index, 0) for index in range(200)]


def test_same_arguments_give_the_same_person() -> None:
    assert subject_of("train", 3, 9) == subject_of("train", 3, 9)


def test_people_differ_between_splits_indices_and_seeds() -> None:
    people = [subject_of(split, index, seed) for split in SPLITS for index in range(5) for seed in range(3)]
    assert len({person.seed for person in people}) == len(people)
    assert len({person.hand.scale for person in people}) == len(people)
    assert len({person.look.skin_rgb for person in people}) == len(people)
    assert len({subject_of(split, index, 0).name for split in SPLITS for index in range(5)}) == 15


def test_both_hands_and_both_sides_occur(crowd: list[Subject]) -> None:
    assert {person.hand.side for person in crowd} == {"left", "right"}
    assert {person.style.facing for person in crowd} == {"palm", "back"}


def test_speeds_fill_the_promised_range(crowd: list[Subject]) -> None:
    speeds = [person.style.speed for person in crowd]
    assert 0.7 <= min(speeds) < 0.75
    assert 1.3 < max(speeds) <= 1.4


def test_skin_reaches_from_light_to_dark(crowd: list[Subject]) -> None:
    brightness = [np.mean(person.look.skin_rgb) for person in crowd]
    assert min(brightness) < 70
    assert max(brightness) > 190


def test_light_has_length_one(crowd: list[Subject]) -> None:
    np.testing.assert_allclose([np.linalg.norm(person.view.light) for person in crowd], 1.0)


def test_unknown_split_is_refused_with_the_nearest() -> None:
    with pytest.raises(DataError, match=r"no split 'tests'.*\n.*did you mean 'test'"):
        subject_of("tests", 0, 0)  # type: ignore[arg-type]


def test_negative_index_is_refused() -> None:
    with pytest.raises(DataError, match="subject -1 of train does not exist"):
        subject_of("train", -1, 0)
