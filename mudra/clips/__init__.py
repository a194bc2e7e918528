"""Frames into a clip tensor: which frames, which place, which chance, which channels; one ClipSpec says it all.

To add a sampling or a depth encoding: write its config beside its siblings and add it to their union.
"""

from mudra.clips.augmentation import Augmentation as Augmentation
from mudra.clips.channels import FlowChannels as FlowChannels
from mudra.clips.channels import LevelDepthChannels as LevelDepthChannels
from mudra.clips.channels import RelativeDepthChannels as RelativeDepthChannels
from mudra.clips.channels import RgbChannels as RgbChannels
from mudra.clips.flow import compute_flow as compute_flow
from mudra.clips.maker import Clip as Clip
from mudra.clips.maker import ClipMaker as ClipMaker
from mudra.clips.region import Box as Box
from mudra.clips.region import find_motion_box as find_motion_box
from mudra.clips.run_card import RunCard as RunCard
from mudra.clips.sampling import DenseSampling as DenseSampling
from mudra.clips.sampling import SegmentSampling as SegmentSampling
from mudra.clips.sampling import UniformSampling as UniformSampling
from mudra.clips.sampling import sample_frames as sample_frames
from mudra.clips.sampling import sample_whole as sample_whole
from mudra.clips.source import ArraySource as ArraySource
from mudra.clips.source import BoxedSource as BoxedSource
from mudra.clips.source import FrameSource as FrameSource
from mudra.clips.spec import ClipSpec as ClipSpec
from mudra.clips.spec import View as View
from mudra.clips.target import DepthTarget as DepthTarget
from mudra.clips.target import TargetMaps as TargetMaps
from mudra.clips.window import Window as Window
