"""Members of a zip archive become files of the cache folder, once."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from mudra.datasets.check import cache_folder, fingerprint
from mudra.errors import DataError

FOLDER_NAME = "unpacked"


def unpack(archive: Path, endings: Sequence[str], *, into: Path | None = None) -> Path:
    """Unpack the members whose names end in one of `endings`, and return the folder in which they lie.

    Members keep their own name and lose their folders, so that none is written anywhere else, whatever its path says.
    What was unpacked before is kept; a member of which a part was written when the power failed is written again.

    Args:
        archive: The archive.
        endings: For example `_color.mp4`.
        into: Folder of the folders of all archives; None for one in the user's cache folder.

    Raises:
        DataError: If the archive or a member cannot be read, two members have one name, or they cannot be written.
    """
    # The same name in another place, or a new version of the file, is another archive.
    about = f"{archive.resolve()} {fingerprint(archive)}"
    mark = hashlib.blake2b(about.encode(), digest_size=4).hexdigest()
    folder = (into or cache_folder() / FOLDER_NAME) / f"{archive.stem}-{mark}"
    try:
        with zipfile.ZipFile(archive) as opened:
            for name, member in _wanted(archive, opened, endings).items():
                target = folder / name
                if not target.is_file() or target.stat().st_size != member.file_size:
                    _write(opened, member, target)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        # RuntimeError is what an encrypted member raises.
        raise DataError(f"{archive}: cannot be unpacked ({error})", hint="copy or download it again") from None
    except OSError as error:
        hint = f"is there room for it in {folder.parent}?"
        raise DataError(f"{archive}: cannot be unpacked ({error})", hint=hint) from None
    return folder


def _wanted(archive: Path, opened: zipfile.ZipFile, endings: Sequence[str]) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for member in opened.infolist():
        # Some programs write backslashes, which are part of a name elsewhere than on Windows.
        name = PurePosixPath(member.filename.replace("\\", "/")).name
        if member.is_dir() or not name.endswith(tuple(endings)) or name.startswith("."):
            continue
        if name in members:
            raise DataError(f"{archive}: holds {name} twice, as {members[name].filename} and {member.filename}")
        members[name] = member
    return members


def _write(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    """Write a member under another name, which becomes its own once it is whole."""
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with opened.open(member) as source, draft.open("wb") as sink:
            shutil.copyfileobj(source, sink, length=1 << 20)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
