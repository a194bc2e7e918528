"""Open what a Recording points at."""

from __future__ import annotations

from mudra.errors import VideoError
from mudra.types import Recording, Stream
from mudra.video.file import open_video
from mudra.video.folder import open_frames
from mudra.video.reader import VideoReader

FOLDER_FPS = 30.0  # of a folder of pictures whose recording does not tell its rate


def open_recording(recording: Recording, stream: Stream, *, num_threads: int = 1) -> VideoReader:
    """Open the file or folder that holds `stream`; for flow, the stream that it is computed from.

    The whole file is opened, also where the recording is a span of it.

    Args:
        recording: What to open.
        stream: The stream wanted of it.
        num_threads: Decoding threads; leave 1 in a loader's worker.

    Raises:
        VideoError: If the recording lacks that stream, or its file cannot be read.
    """
    path = recording.path_of(stream)
    if path is None:
        raise VideoError(
            recording.path,
            f"this recording has no {stream.value}, only {recording.stream.value}",
            hint=f"leave {stream.value} out of the streams, or name its file in the recording's depth_path",
        )
    stored = recording.stream if stream is Stream.FLOW else stream
    if path.is_dir():
        return open_frames(path, fps=recording.fps or FOLDER_FPS, stream=stored, depth=recording.depth)
    return open_video(path, stream=stored, depth=recording.depth, num_threads=num_threads)
