from __future__ import annotations

import pytest

from mudra.datasets.mirror import complete_mirror_pairs, guess_mirror_pairs
from mudra.errors import ConfigError


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("swipe_left", "swipe_right"),
        ("Sliding Two Fingers Left", "Sliding Two Fingers Right"),
        ("rotation_cw", "rotation_ccw"),
        ("Rotate_fists_clockwise", "Rotate_fists_counterclockwise"),
        ("turn clockwise", "turn anti-clockwise"),
        ("Turn Clockwise", "Turn Counter Clockwise"),
        ("SwipeLeft", "SwipeRight"),
        ("moveLeftwards", "move_rightwards"),
        ("from left to right", "from right to left"),
        ("hello left", "hello right"),
    ],
)
def test_sides_are_paired_both_ways(one: str, other: str) -> None:
    assert guess_mirror_pairs([one, "push", other]) == {one: other, "push": "push", other: one}


@pytest.mark.parametrize(
    "name", ["push", "swipe_up", "Thumb Down", "No gesture", "Shaking Hand", "tap_twice", "Stop", "Zooming In"]
)
def test_known_symmetric_names_are_their_own_partner(name: str) -> None:
    assert guess_mirror_pairs([name]) == {name: name}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("hello", "an unknown word"),
        ("rotate", "a turn that does not tell its direction"),
        ("swipe", "a swipe that does not tell its direction"),
        ("push hello", "one unknown word is enough"),
        ("sign_12", "a number"),
        ("swipe_left", "a side without a partner"),
        ("L", "a letter is no side"),
        ("---", "nothing to read"),
    ],
)
def test_unknown_names_have_no_partner(name: str, why: str) -> None:
    assert guess_mirror_pairs([name, "push"]) == {name: None, "push": "push"}, why


def test_names_that_read_alike_are_nobodys_partner() -> None:
    pairs = guess_mirror_pairs(["swipe_left", "Swipe Left", "swipe_right"])
    assert pairs == {"swipe_left": None, "Swipe Left": None, "swipe_right": None}


def test_what_the_user_says_replaces_the_guess() -> None:
    classes = ["swipe_left", "swipe_right", "hello", "ask", "answer"]
    pairs = complete_mirror_pairs(classes, {"hello": "hello", "ask": "answer", "swipe_left": None})
    assert pairs == {"swipe_left": None, "swipe_right": None, "hello": "hello", "ask": "answer", "answer": "ask"}


def test_a_partner_taken_away_is_left_unknown() -> None:
    pairs = complete_mirror_pairs(["swipe_left", "swipe_right", "hello"], {"hello": "swipe_left"})
    assert pairs == {"swipe_left": "hello", "swipe_right": None, "hello": "swipe_left"}


@pytest.mark.parametrize("said", [{"helo": "helo"}, {"hello": "helo"}])
def test_a_name_that_is_no_class_is_refused_with_the_nearest(said: dict[str, str | None]) -> None:
    with pytest.raises(ConfigError, match=r"mirror names 'helo', which is no class(.|\n)*did you mean 'hello'\?"):
        complete_mirror_pairs(["hello"], said)


def test_two_classes_cannot_claim_the_same_partner() -> None:
    with pytest.raises(ConfigError, match="partners are mutual"):
        complete_mirror_pairs(["a", "b", "c"], {"a": "c", "b": "c"})
