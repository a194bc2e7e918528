from __future__ import annotations

from pathlib import Path

import pytest

from mudra.datasets.release import Line, Listed, Present, keep_present, read_lines
from mudra.errors import DataError
from mudra.types import Recording
from tests.fixtures.trees import touch_all, write_lines

URL = "https://example.org/hands"


def test_lines_are_words_with_their_place(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "list.txt", ["a.avi b.avi 3", "", "  c.avi\td.avi  "])
    lines = read_lines(path, form="colour.avi depth.avi [label]")
    assert lines == [
        Line(f"{path}, line 1", ("a.avi", "b.avi", "3")),
        Line(f"{path}, line 3", ("c.avi", "d.avi")),
    ]


def test_words_between_separators_may_hold_blanks(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"\xef\xbb\xbf12;Thumb Up\r\n13 ; Thumb Down\r\n")
    words = [line.words for line in read_lines(path, form="id;label", separator=";")]
    assert words == [("12", "Thumb Up"), ("13", "Thumb Down")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"list\.csv: names no recordings; wanted lines such as id;label"),
        (b"\n\n", "names no recordings"),
        (b"1;a\n2\n", r"list\.csv, line 2: holds '2'; wanted id;label"),
        (b"1;a;b\n", "line 1: holds '1;a;b'; wanted id;label"),
        (b"1;\n", "line 1: holds '1;'; wanted id;label"),
        (b"1;a\n2;b\n1;c\n", r"line 3: names 1 again, which .*list\.csv, line 1 names"),
        (b"1;\xff\n", "cannot be read as a list"),
    ],
)
def test_a_list_of_another_form_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_lines(path, form="id;label", separator=";")


def test_a_list_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv: cannot be read as a list"):
        read_lines(tmp_path / "gone.csv", form="id")


def test_a_line_is_refused_by_its_place() -> None:
    with pytest.raises(DataError, match=r"^x, line 2: is wrong\n  hint: mend it$"):
        Line("x, line 2", ()).refuse("is wrong", hint="mend it")


def listed(root: Path, split: str, names: str, *, depth: bool = False) -> Listed:
    recordings = tuple(
        Recording(path=root / f"{name}.avi", depth_path=root / f"{name}.mkv" if depth else None, split=split)
        for name in names
    )
    return Listed(root / f"{split}.txt", split, recordings)


def keep(*lists: Listed, on_missing: str = "refuse") -> Present:
    return keep_present(lists, on_missing="skip" if on_missing == "skip" else "refuse", url=URL)


def names_of(present: Present) -> dict[str, str]:
    return {split: "".join(r.path.stem for r in found) for split, found in present.recordings.items()}


def test_all_that_is_listed_and_there_is_kept_in_order(tmp_path: Path) -> None:
    touch_all(tmp_path, ["b.avi", "a.avi", "c.avi"])
    present = keep(listed(tmp_path, "train", "ba"), listed(tmp_path, "validation", "c"))
    assert names_of(present) == {"train": "ba", "validation": "c", "test": ""}
    assert present.left_out == ()


def test_a_recording_of_two_lists_counts_once(tmp_path: Path) -> None:
    touch_all(tmp_path, ["a.avi", "b.avi"])
    present = keep(listed(tmp_path, "train", "ab"), listed(tmp_path, "train", "b"))
    assert names_of(present)["train"] == "ab"


def test_a_split_of_which_nothing_is_there_is_left_out(tmp_path: Path) -> None:
    touch_all(tmp_path, ["a.avi"])
    present = keep(listed(tmp_path, "train", "a"), listed(tmp_path, "test", "vwxyz"))
    assert names_of(present) == {"train": "a", "validation": "", "test": ""}
    (left_out,) = present.left_out
    assert left_out.startswith(f"{tmp_path}/test.txt: 5 of 5 test recordings are not there; looked for ")
    assert left_out.endswith(f"{tmp_path}/v.avi, {tmp_path}/w.avi, {tmp_path}/x.avi, ... (5 in all)")


def test_a_part_of_a_split_is_refused_or_skipped(tmp_path: Path) -> None:
    touch_all(tmp_path, ["a.avi", "c.avi"])
    lists = listed(tmp_path, "train", "abcd")
    message = (
        rf"train\.txt: 2 of 4 train recordings are not there; looked for {tmp_path}/b\.avi, {tmp_path}/d\.avi\n"
        rf"  hint: get the rest from {URL}, or go on with the other 2: data\.on_missing=skip"
    )
    with pytest.raises(DataError, match=message):
        keep(lists)
    present = keep(lists, on_missing="skip")
    assert names_of(present)["train"] == "ac"
    assert present.left_out[0].startswith(f"{tmp_path}/train.txt: 2 of 4 train recordings are not there")


def test_the_file_that_is_missing_is_the_one_that_is_named(tmp_path: Path) -> None:
    touch_all(tmp_path, ["a.avi", "a.mkv", "b.avi"])
    with pytest.raises(DataError, match=rf"1 of 2 train recordings are not there; looked for {tmp_path}/b\.mkv"):
        keep(listed(tmp_path, "train", "ab", depth=True))


@pytest.mark.parametrize("on_missing", ["refuse", "skip"])
def test_nothing_at_all_is_refused(tmp_path: Path, on_missing: str) -> None:
    message = (
        rf"train\.txt and .*test\.txt: none of 3 recordings is there; looked for {tmp_path}/a\.avi, .*\n"
        rf"  hint: where to get them: {URL}"
    )
    with pytest.raises(DataError, match=message):
        keep(listed(tmp_path, "train", "ab"), listed(tmp_path, "test", "c"), on_missing=on_missing)


def test_places_that_are_not_absolute_are_told_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=rf"looked for {tmp_path}/here/a\.avi"):
        keep(listed(Path("here"), "train", "a"))
