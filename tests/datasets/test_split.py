from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from mudra.datasets.split import Clip, assign_splits, check_fractions, divide
from mudra.errors import ConfigError
from mudra.types import Recording

FRACTIONS = {"train": 0.7, "validation": 0.15, "test": 0.15}
ROOT = Path("/data")


def make_clips(num_subjects: int, *, num_takes: int = 5) -> list[Clip]:
    return [
        Clip(f"{label}/s{subject}_{take}", label, f"s{subject}")
        for label in ("a", "b")
        for subject in range(num_subjects)
        for take in range(num_takes)
    ]


def drawn(clips: list[Clip], **settings: object) -> dict[str, str]:
    assigned = assign_splits(clips, fractions=FRACTIONS, **settings)  # type: ignore[arg-type]
    return dict(zip((clip.key for clip in clips), assigned.splits, strict=True))


def test_subjects_stay_whole_and_splits_get_their_share() -> None:
    clips = make_clips(20)
    assigned = assign_splits(clips, fractions=FRACTIONS)
    splits = {clip.subject: split for clip, split in zip(clips, assigned.splits, strict=True)}
    assert Counter(splits.values()) == {"train": 14, "validation": 3, "test": 3}
    pairs = {(clip.subject, split) for clip, split in zip(clips, assigned.splits, strict=True)}
    assert len(pairs) == 20
    assert assigned.notes == ()


@pytest.mark.parametrize("num_subjects", [3, 4, 5])
def test_with_few_subjects_each_split_has_one(num_subjects: int) -> None:
    assert set(drawn(make_clips(num_subjects)).values()) == set(FRACTIONS)


@pytest.mark.parametrize("split_by", ["subject", "chance"])
def test_the_order_of_the_clips_does_not_matter(split_by: str) -> None:
    clips = make_clips(6)
    shuffled = clips.copy()
    random.Random(1).shuffle(shuffled)
    assert drawn(clips, split_by=split_by) == drawn(shuffled, split_by=split_by)


@pytest.mark.parametrize("split_by", ["subject", "chance"])
def test_the_seed_matters(split_by: str) -> None:
    clips = make_clips(6)
    assert drawn(clips, split_by=split_by, seed=0) != drawn(clips, split_by=split_by, seed=1)


def test_more_clips_of_known_subjects_move_none() -> None:
    before, after = drawn(make_clips(6)), drawn(make_clips(6, num_takes=9))
    assert before.items() <= after.items()


def test_by_chance_more_clips_move_none() -> None:
    before = drawn(make_clips(6, num_takes=9), split_by="chance")
    after = drawn(make_clips(6, num_takes=20), split_by="chance")
    assert before.items() <= after.items()


def test_by_chance_the_shares_are_near_the_wanted_ones() -> None:
    counts = Counter(drawn(make_clips(20, num_takes=50), split_by="chance").values())
    assert counts["train"] == pytest.approx(1400, abs=60)
    assert counts["validation"] == pytest.approx(300, abs=50)


def test_by_chance_every_class_is_in_every_split_if_it_can_be() -> None:
    for seed in range(30):
        clips = [Clip(f"a/{i}", "a") for i in range(3)]
        assert sorted(drawn(clips, split_by="chance", seed=seed).values()) == ["test", "train", "validation"]


def test_no_clip_is_favoured_where_clips_are_lent() -> None:
    clips = [Clip(f"a/{i}", "a") for i in range(3)]
    trained = Counter(
        key
        for seed in range(400)
        for key, split in drawn(clips, split_by="chance", seed=seed).items()
        if split == "train"
    )
    assert all(0.25 < trained[clip.key] / 400 < 0.42 for clip in clips)


def test_a_class_with_too_few_clips_is_for_training() -> None:
    assert set(drawn([Clip("a/1", "a"), Clip("a/2", "a")], split_by="chance").values()) == {"train"}


@pytest.mark.parametrize(
    ("num_subjects", "note"), [(1, "1 subject cannot fill 3 splits"), (2, "2 subjects cannot fill 3 splits")]
)
def test_too_few_subjects_are_split_by_chance_with_a_note(num_subjects: int, note: str) -> None:
    assigned = assign_splits(make_clips(num_subjects, num_takes=30), fractions=FRACTIONS)
    assert set(assigned.splits) == set(FRACTIONS)
    assert len(assigned.notes) == 1
    assert note in assigned.notes[0]


def test_no_subject_known_is_split_by_chance_with_a_note() -> None:
    assigned = assign_splits([Clip(f"a/{i}", "a") for i in range(9)], fractions=FRACTIONS)
    assert "no clip's subject is known" in assigned.notes[0]


def test_chance_asked_for_needs_no_note() -> None:
    assert assign_splits(make_clips(1), fractions=FRACTIONS, split_by="chance").notes == ()


def test_clips_of_one_file_stay_together() -> None:
    clips = [Clip(f"{f}@{i}", "ab"[i % 2], file=f"{f}") for f in range(10) for i in range(6)]
    splits = drawn(clips, split_by="chance")
    for file in range(10):
        assert len({splits[f"{file}@{i}"] for i in range(6)}) == 1
    assert Counter(splits.values()) == {"train": 42, "validation": 12, "test": 6}


def test_clips_of_too_few_files_are_drawn_one_by_one_with_a_note() -> None:
    clips = [Clip(f"{f}@{i}", "a", file=f"{f}") for f in range(2) for i in range(30)]
    assigned = assign_splits(clips, fractions=FRACTIONS, split_by="chance")
    assert set(assigned.splits) == set(FRACTIONS)
    assert assigned.notes == ("2 files cannot fill 3 splits: clips of the same file are in several",)


def test_spans_of_recordings_stay_with_their_file() -> None:
    recordings = [
        Recording(path=ROOT / f"{f}.mp4", label=0, split="", start_s=float(i), end_s=i + 1.0)
        for f in range(4)
        for i in range(5)
    ]
    divided = divide(recordings, classes=["a"], root=ROOT, split_by="chance")
    assert [len({r.path for r in found}) for found in divided.recordings.values()] == [2, 1, 1]


def test_clips_without_a_subject_are_for_training_with_a_note() -> None:
    clips = [*make_clips(5), Clip("a/unnamed", "a")]
    assigned = assign_splits(clips, fractions=FRACTIONS)
    assert assigned.splits[-1] == "train"
    assert "1 of 51 clips name no subject" in assigned.notes[0]


def test_a_share_of_zero_leaves_the_split_empty() -> None:
    fractions = {"train": 0.8, "validation": 0.2, "test": 0.0}
    for split_by in ("subject", "chance"):
        assigned = assign_splits(make_clips(5), fractions=fractions, split_by=split_by)
        assert set(assigned.splits) == {"train", "validation"}


def test_no_clips_are_no_splits() -> None:
    assert assign_splits([], fractions=FRACTIONS) == ((), ())


@pytest.mark.parametrize("shares", [(0.7, 0.2, 0.2), (1.1, 0.0, -0.1), ()])
def test_fractions_that_are_no_division_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="a sum of 1"):
        check_fractions({str(i): share for i, share in enumerate(shares)})


def make_recordings(*splits: str, subject: str = "s{}", root: Path = ROOT) -> list[Recording]:
    return [
        Recording(path=root / f"a/{i}.mp4", label=0, split=split, subject=subject.format(i))
        for i, split in enumerate(splits)
    ]


def test_found_splits_are_kept() -> None:
    divided = divide(make_recordings("train", "test", "validation", "train"), classes=["a"], root=ROOT)
    assert {split: [r.path.name for r in found] for split, found in divided.recordings.items()} == {
        "train": ["0.mp4", "3.mp4"],
        "validation": ["2.mp4"],
        "test": ["1.mp4"],
    }
    assert divided.notes == ()


def test_a_missing_validation_is_drawn_from_train_alone() -> None:
    divided = divide(make_recordings(*["train"] * 10, "test", "test"), classes=["a"], root=ROOT)
    assert [len(found) for found in divided.recordings.values()] == [8, 2, 2]
    assert {recording.split for recording in divided.recordings["validation"]} == {"validation"}
    assert divided.notes == ("no validation split was found: it is drawn from train",)


def test_no_validation_is_drawn_where_its_share_is_zero() -> None:
    divided = divide(make_recordings("train", "test"), classes=["a"], root=ROOT, fractions=(0.8, 0.0, 0.2))
    assert [len(found) for found in divided.recordings.values()] == [1, 0, 1]


def test_a_draw_does_not_depend_on_where_the_set_lies() -> None:
    here = divide(make_recordings(*[""] * 20, subject=""), classes=["a"], root=ROOT)
    there = divide(make_recordings(*[""] * 20, subject="", root=Path("/mnt/x")), classes=["a"], root=Path("/mnt/x"))
    names = [{split: [r.path.name for r in found] for split, found in d.recordings.items()} for d in (here, there)]
    assert names[0] == names[1]


@pytest.mark.parametrize(
    ("subjects", "disjoint"), [(("x", "y"), True), (("x", "x"), False), (("x", ""), False), (("", ""), False)]
)
def test_disjoint_means_that_every_subject_is_known_and_in_one_split(subjects: tuple[str, str], disjoint: bool) -> None:
    recordings = [
        Recording(path=ROOT / f"{i}", label=0, split=split, subject=subjects[i % 2])
        for i, split in enumerate(("train", "validation", "train"))
    ]
    assert divide(recordings, classes=["a"], root=ROOT).subjects_disjoint is disjoint


def test_bad_fractions_are_refused_before_anything_is_drawn() -> None:
    with pytest.raises(ConfigError, match="sum of 1"):
        divide(make_recordings("train"), classes=["a"], root=ROOT, fractions=(0.5, 0.1, 0.1))
