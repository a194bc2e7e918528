from __future__ import annotations

import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from mudra.datasets.archive import unpack
from mudra.errors import DataError

ENDINGS = ("_color.mp4", "_labels.csv")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MUDRA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def write_zip(path: Path, members: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_wanted_members_are_unpacked_without_their_folders(tmp_path: Path, cache: Path) -> None:
    members = {
        "a/b/x_color.mp4": b"colour",
        "x_labels.csv": b"1,2,3",
        "x_user.mp4": b"not wanted",
        "._x_labels.csv": b"",
    }
    archive = write_zip(tmp_path / "Sample0001.zip", members)
    folder = unpack(archive, ENDINGS)
    assert folder.is_relative_to(cache)
    assert folder.name.startswith("Sample0001-")
    assert contents(folder) == {"x_color.mp4": b"colour", "x_labels.csv": b"1,2,3"}
    assert unpack(archive, ENDINGS, into=tmp_path / "here").parent == tmp_path / "here"


def test_nothing_is_written_outside_of_its_folder(tmp_path: Path) -> None:
    names = ["../../up_color.mp4", f"{tmp_path}/there_labels.csv", "..\\..\\back_labels.csv"]
    folder = unpack(
        write_zip(tmp_path / "evil.zip", dict.fromkeys(names, b"!")), ENDINGS, into=tmp_path / "in" / "side"
    )
    assert sorted(contents(folder)) == ["back_labels.csv", "there_labels.csv", "up_color.mp4"]
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(written) == sorted([tmp_path / "evil.zip", *folder.iterdir()])


def test_what_is_unpacked_is_kept_and_what_is_broken_off_is_unpacked_again(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"x_color.mp4": b"colour", "x_labels.csv": b"1,2,3"})
    folder = unpack(archive, ENDINGS)
    (folder / "x_color.mp4").write_bytes(b"COLOUR")
    (folder / "x_labels.csv").write_bytes(b"1,")
    assert unpack(archive, ENDINGS) == folder
    assert contents(folder) == {"x_color.mp4": b"COLOUR", "x_labels.csv": b"1,2,3"}


def test_a_new_version_of_an_archive_is_another(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"x_labels.csv": b"1,2,3"})
    first = unpack(archive, ENDINGS)
    write_zip(archive, {"x_labels.csv": b"4,5,6"})
    os.utime(archive, (1, 1))
    second = unpack(archive, ENDINGS)
    assert second != first
    assert contents(second) == {"x_labels.csv": b"4,5,6"}


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"a/x_labels.csv": b"1", "b/x_labels.csv": b"2"})
    with pytest.raises(DataError, match=r"a\.zip: holds x_labels\.csv twice, as a/x_labels\.csv and b/x_labels\.csv"):
        unpack(archive, ENDINGS)


def no_zip(path: Path) -> None:
    path.write_bytes(b"this is no archive")


def broken_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-30])


def bit_flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b"colour")] ^= 1
    path.write_bytes(bytes(content))


def encrypted(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + offset] |= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("harm", [no_zip, broken_off, bit_flipped, encrypted])
def test_a_damaged_archive_is_named(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    archive = write_zip(tmp_path / "a.zip", {"x_color.mp4": b"colour"}, method=zipfile.ZIP_STORED)
    harm(archive)
    with pytest.raises(DataError, match=r"a\.zip: cannot be unpacked \(.+\)\n  hint: copy or download it again"):
        unpack(archive, ENDINGS, into=tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [], "no part is left behind"


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    archive = write_zip(tmp_path / "a.zip", {"x_labels.csv": b"1"})
    (tmp_path / "file").touch()
    with pytest.raises(
        DataError, match=rf"a\.zip: cannot be unpacked \(.+\)\n  hint: is there room .* {tmp_path}/file"
    ):
        unpack(archive, ENDINGS, into=tmp_path / "file")
