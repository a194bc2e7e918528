from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pytest

from mudra.datasets.card import DatasetCard
from mudra.datasets.dataset import Dataset, order_classes
from mudra.errors import DataError
from mudra.types import Recording, Segment


def make_dataset(**splits: list[tuple[int | None, str]]) -> Dataset:
    """A data set of classes a, b and c from (label, subject) pairs."""
    recordings = {
        split: tuple(
            Recording(path=Path(f"{split}/{i}.mp4"), label=label, split=split, subject=subject)
            for i, (label, subject) in enumerate(pairs)
        )
        for split, pairs in splits.items()
    }
    card = DatasetCard(name="mine", classes=("a", "b", "c"), mirror={"a": "b", "b": "a", "c": "c"})
    return Dataset(card=card, recordings=recordings, looked_for={"test": ("/one/*", "/two/*")})


def test_a_split_is_found_by_any_of_its_spellings() -> None:
    dataset = make_dataset(train=[(0, "")], validation=[(1, "")])
    assert dataset.split("val") == dataset.split("Validation") == dataset.recordings["validation"]
    assert [recording.label for recording in dataset.all_recordings()] == [0, 1]


def test_an_empty_split_says_what_was_looked_for_and_what_is_there() -> None:
    dataset = make_dataset(train=[(0, ""), (1, "")], validation=[], test=[])
    with pytest.raises(DataError) as caught:
        dataset.split("test")
    assert caught.value.message == "0 recordings in split 'test' of mine; looked for /one/*, /two/*"
    assert caught.value.hint == "not empty: train (2)"


def test_a_set_that_is_empty_throughout_says_so() -> None:
    with pytest.raises(DataError, match="all splits are empty"):
        make_dataset(train=[]).split("train")


def test_an_unknown_split_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(DataError, match=r"no split 'tset'(.|\n)*did you mean 'test'\?"):
        make_dataset(train=[(0, "")]).split("tset")


def test_class_counts_name_empty_classes_and_pass_over_unlabelled_clips() -> None:
    dataset = make_dataset(train=[(0, ""), (0, ""), (None, "")], test=[(2, "")])
    assert dataset.class_counts("train") == {"a": 2, "b": 0, "c": 0}
    assert dataset.class_counts() == {"a": 2, "b": 0, "c": 1}
    assert dataset.class_counts("validation") == {"a": 0, "b": 0, "c": 0}


def test_a_labelled_set_lacks_unlabelled_clips_alone() -> None:
    dataset = make_dataset(train=[(0, "ann"), (None, "ben"), (2, "")], test=[(None, "")])
    labelled = dataset.labelled()
    assert [recording.label for recording in labelled.recordings["train"]] == [0, 2]
    assert labelled.recordings["test"] == ()
    assert labelled.card == dataset.card


def make_stream() -> Dataset:
    """A set of one clip, and one stream in which b, c and b again are seen."""
    stream = Recording(
        path=Path("s.mp4"), subject="ann", segments=(Segment(1, 0.5, 1.0), Segment(2, 1.0, 3.0), Segment(1, 4.0, 4.5))
    )
    plain = make_dataset(train=[(0, "")])
    return dataclasses.replace(plain, recordings={"train": (*plain.recordings["train"], stream)})


def test_segments_of_streams_are_counted_and_kept_as_labelled() -> None:
    dataset = make_stream()
    assert dataset.has_streams
    assert not make_dataset(train=[(0, "")]).has_streams
    assert dataset.class_counts() == {"a": 1, "b": 2, "c": 1}
    assert len(dataset.labelled().recordings["train"]) == 2
    assert dataset.with_classes(["c", "b", "a"]).recordings["train"][1].segments == (
        Segment(1, 0.5, 1.0),
        Segment(0, 1.0, 3.0),
        Segment(1, 4.0, 4.5),
    )


def test_a_stream_is_cut_into_a_clip_for_each_segment() -> None:
    clips = make_stream().cut_segments().recordings["train"]
    assert [(clip.label, clip.start_s, clip.end_s, clip.segments) for clip in clips] == [
        (0, None, None, None),
        (1, 0.5, 1.0, None),
        (2, 1.0, 3.0, None),
        (1, 4.0, 4.5, None),
    ]
    assert {clip.subject for clip in clips[1:]} == {"ann"}


def test_leaking_subjects_leave_out_the_unknown_one() -> None:
    dataset = make_dataset(train=[(0, "ann"), (0, "ben"), (0, "")], test=[(0, "ann"), (0, "")])
    assert dataset.leaking_subjects() == {"ann": ("test", "train")}


def test_a_card_that_promises_new_people_is_held_to_it() -> None:
    dataset = make_dataset(train=[(0, "ann"), (1, "ben"), (0, "")], test=[(0, "ann"), (0, "")])
    dataset.refuse_leaking_subjects()
    promised = dataclasses.replace(dataset, card=dataset.card.model_copy(update={"subjects_disjoint": True}))
    with pytest.raises(
        DataError, match=r"no person is in two splits, and 1 are: ann \(test and train\)\n  hint: keep all "
    ):
        promised.refuse_leaking_subjects()
    dataclasses.replace(promised, recordings={"train": promised.split("train")}).refuse_leaking_subjects()


def test_other_classes_relabel_by_name() -> None:
    dataset = make_dataset(train=[(0, ""), (1, ""), (2, ""), (None, "")]).with_classes(["c", "x", "b", "a"])
    assert [recording.label for recording in dataset.split("train")] == [3, 2, 0, None]
    assert dataset.card.classes == ("c", "x", "b", "a")
    assert dataset.card.mirror == {"c": "c", "x": None, "b": "a", "a": "b"}


def test_classes_that_do_not_match_are_refused_with_the_nearest() -> None:
    with pytest.raises(DataError, match=r"mine has 1 of 3 classes that the 3 wanted ones lack: c(.|\n)*known: a, b, d"):
        make_dataset(train=[(0, "")]).with_classes(["a", "b", "d"])


def test_the_class_between_segments_may_be_lacking_if_none_shows_it() -> None:
    streams = make_stream()
    streams = dataclasses.replace(streams, card=streams.card.model_copy(update={"idle_class": "a"}))
    with pytest.raises(DataError, match="has 1 of 3 classes that the 2 wanted ones lack: a"):
        streams.with_classes(["c", "b"])  # a clip is labelled with it
    only_streams = dataclasses.replace(streams, recordings={"train": streams.recordings["train"][1:]})
    relabelled = only_streams.with_classes(["c", "b"])
    assert [segment.label for segment in relabelled.recordings["train"][0].segments or ()] == [1, 0, 1]
    assert (relabelled.card.classes, relabelled.card.idle_class) == (("c", "b"), None)
    assert only_streams.with_classes(["c", "b", "a"]).card.idle_class == "a"
    with pytest.raises(DataError, match="has 1 of 3 classes that the 2 wanted ones lack: c"):
        only_streams.with_classes(["a", "b"])


def test_classes_stand_in_natural_order() -> None:
    assert order_classes(["sign10", "sign2", "sign2", "sign1"], None, where="x") == ("sign1", "sign2", "sign10")


def test_names_that_differ_in_case_alone_have_a_fixed_order() -> None:
    names = ["".join(letters) for letters in itertools.product("Aa", "Bb", "Cc")]
    assert order_classes(reversed(names), None, where="x") == tuple(sorted(names))


def test_given_classes_keep_their_order_and_may_be_more() -> None:
    assert order_classes(["a"], ["b", "a"], where="x") == ("b", "a")


def test_a_class_that_was_not_given_is_refused() -> None:
    with pytest.raises(DataError, match=r"x: 1 classes are not among the 1 that(.|\n)*did you mean 'wave'\?"):
        order_classes(["wavee"], ["wave"], where="x")


def test_held_out_subjects_leave_training_and_become_validation() -> None:
    train = tuple(Recording(path=Path(f"{who}.mp4"), label=0, subject=who) for who in ("1", "2", "3"))
    validation = (Recording(path=Path("4.mp4"), label=0, split="validation", subject="4"),)
    dataset = Dataset(
        card=DatasetCard(name="set", classes=("a",)), recordings={"train": train, "validation": validation}
    )
    held = dataset.hold_out(["2"])
    assert [recording.subject for recording in held.split("train")] == ["1", "3"]
    assert [(recording.subject, recording.split) for recording in held.split("validation")] == [("2", "validation")]
    assert dataset.hold_out([]) is dataset
    with pytest.raises(DataError, match="no training clip of subject '4'"):
        dataset.hold_out(["4"])
