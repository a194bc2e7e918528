"""The tree of errors: what a message shows, and that errors cross processes whole."""

from __future__ import annotations

import inspect
import pickle
import re

import pytest

from mudra import errors
from mudra.errors import ConfigError, MudraError, VideoError, nearest_name

ERRORS = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, MudraError)]


def build(error: type[MudraError]) -> MudraError:
    return error("hand.mp4", "is empty", hint="record it anew") if error is VideoError else error("no", hint="do")


def test_a_hint_stands_on_a_line_of_its_own() -> None:
    assert str(ConfigError("unknown key 'lrr'", hint="did you mean 'lr'?")) == (
        "unknown key 'lrr'\n  hint: did you mean 'lr'?"
    )
    assert str(ConfigError("unknown key 'lrr'")) == "unknown key 'lrr'"


def test_a_video_error_names_the_file() -> None:
    error = VideoError("hand.mp4", "is empty", hint="record it anew")
    assert str(error) == "hand.mp4: is empty\n  hint: record it anew"
    assert (error.path, error.reason, error.hint) == ("hand.mp4", "is empty", "record it anew")


@pytest.mark.parametrize("error", ERRORS)
def test_errors_cross_processes_whole(error: type[MudraError]) -> None:
    original = build(error)
    copy = pickle.loads(pickle.dumps(original))
    assert type(copy) is error
    assert str(copy) == str(original)
    assert vars(copy) == vars(original)


def test_all_are_caught_at_once_and_each_has_an_area() -> None:
    assert len({error.area for error in ERRORS}) == len(ERRORS)
    for error in ERRORS:
        with pytest.raises(MudraError):
            raise build(error)


def test_the_drawn_tree_is_complete() -> None:
    assert errors.__doc__ is not None
    drawn = re.findall(r"\b[A-Z][A-Za-z]+Error\b", errors.__doc__)
    assert sorted(drawn) == sorted(error.__name__ for error in ERRORS)


def test_the_nearest_name_or_what_there_is() -> None:
    assert nearest_name("learing_rate", ["seed", "learning_rate"]) == "did you mean 'learning_rate'?"
    assert nearest_name("zzz", ["b", "a", "b"]) == "known: a, b"
    assert nearest_name("zzz", []) == ""


def test_a_long_list_is_cut() -> None:
    names = [f"name{index:02}" for index in range(13)]
    assert nearest_name("zzz", names[:12]).endswith(", name11")
    assert nearest_name("zzz", names).endswith(", name11, ...")
