"""Bytes become frames with times: a video file, a folder of pictures, a depth recording or a camera yields `Frames`.

To add a reader: write its file with a subclass of `VideoReader` (`info`, `times_s`, `_frames_at`, `close`), and a
function `open_<source>` that builds it; export both below.
"""

from mudra.video.camera import CameraReader as CameraReader
from mudra.video.camera import open_camera as open_camera
from mudra.video.damage import Damage as Damage
from mudra.video.damage import find_damage as find_damage
from mudra.video.file import FileReader as FileReader
from mudra.video.file import open_video as open_video
from mudra.video.folder import FolderReader as FolderReader
from mudra.video.folder import open_frames as open_frames
from mudra.video.listing import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from mudra.video.listing import VIDEO_SUFFIXES as VIDEO_SUFFIXES
from mudra.video.listing import is_image as is_image
from mudra.video.listing import is_video as is_video
from mudra.video.listing import list_frame_folders as list_frame_folders
from mudra.video.listing import list_recordings as list_recordings
from mudra.video.listing import list_videos as list_videos
from mudra.video.listing import natural_key as natural_key
from mudra.video.reader import Frame as Frame
from mudra.video.reader import VideoInfo as VideoInfo
from mudra.video.reader import VideoReader as VideoReader
from mudra.video.recording import open_recording as open_recording
from mudra.video.writer import write_depth as write_depth
from mudra.video.writer import write_video as write_video
