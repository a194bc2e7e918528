"""Which recordings exist and what they show: a folder, a CSV or a seed becomes a card and lists of `Recording`.

To add one: write its file (a `DatasetCard`, a reader that returns a `Dataset`, a config with `build()`), add the config
to `AnyDatasetConfig` below, and put a fake tree of it into tests/fixtures.
"""

from typing import Annotated

from pydantic import Field

from mudra.datasets.base import DatasetConfig as DatasetConfig
from mudra.datasets.card import DatasetCard as DatasetCard
from mudra.datasets.check import cache_folder as cache_folder
from mudra.datasets.check import check_recordings as check_recordings
from mudra.datasets.check import fingerprint as fingerprint
from mudra.datasets.congd import CongdConfig as CongdConfig
from mudra.datasets.congd import read_congd as read_congd
from mudra.datasets.dataset import SPLITS as SPLITS
from mudra.datasets.dataset import Dataset as Dataset
from mudra.datasets.dataset import FrameSource as FrameSource
from mudra.datasets.detect import detect as detect
from mudra.datasets.digit_images import DigitImages as DigitImages
from mudra.datasets.digit_images import read_bundled_digits as read_bundled_digits
from mudra.datasets.digit_images import read_mnist as read_mnist
from mudra.datasets.drawn_clips import ClipDrawer as ClipDrawer
from mudra.datasets.drawn_clips import DrawnClips as DrawnClips
from mudra.datasets.drawn_clips import DrawnConfig as DrawnConfig
from mudra.datasets.egogesture import EgogestureConfig as EgogestureConfig
from mudra.datasets.egogesture import read_egogesture as read_egogesture
from mudra.datasets.examples import draw_examples as draw_examples
from mudra.datasets.fir import FirConfig as FirConfig
from mudra.datasets.fir import read_fir as read_fir
from mudra.datasets.folder import FolderConfig as FolderConfig
from mudra.datasets.folder import read_folder as read_folder
from mudra.datasets.frame_labels import UNLABELLED as UNLABELLED
from mudra.datasets.frame_labels import label_frames as label_frames
from mudra.datasets.inspect import DatasetFacts as DatasetFacts
from mudra.datasets.inspect import SplitFacts as SplitFacts
from mudra.datasets.inspect import Spread as Spread
from mudra.datasets.inspect import StreamFacts as StreamFacts
from mudra.datasets.inspect import describe as describe
from mudra.datasets.isogd import IsogdConfig as IsogdConfig
from mudra.datasets.isogd import read_isogd as read_isogd
from mudra.datasets.jester import JesterConfig as JesterConfig
from mudra.datasets.jester import read_jester as read_jester
from mudra.datasets.jhmdb import JhmdbConfig as JhmdbConfig
from mudra.datasets.jhmdb import read_jhmdb as read_jhmdb
from mudra.datasets.jhmdb import read_joints as read_joints
from mudra.datasets.jhmdb_skeletons import JhmdbSkeletonsConfig as JhmdbSkeletonsConfig
from mudra.datasets.mirror import guess_mirror_pairs as guess_mirror_pairs
from mudra.datasets.montalbano import MontalbanoConfig as MontalbanoConfig
from mudra.datasets.montalbano import read_montalbano as read_montalbano
from mudra.datasets.moving_digits import DigitClips as DigitClips
from mudra.datasets.moving_digits import MovingDigits as MovingDigits
from mudra.datasets.moving_digits_config import MovingDigitsConfig as MovingDigitsConfig
from mudra.datasets.nvgesture import NvgestureConfig as NvgestureConfig
from mudra.datasets.nvgesture import read_nvgesture as read_nvgesture
from mudra.datasets.segments_table import SegmentsConfig as SegmentsConfig
from mudra.datasets.segments_table import read_segments as read_segments
from mudra.datasets.shrec2017 import Shrec2017Config as Shrec2017Config
from mudra.datasets.shrec2017 import read_shrec2017 as read_shrec2017
from mudra.datasets.sports1m import Sports1mConfig as Sports1mConfig
from mudra.datasets.sports1m import read_sports1m as read_sports1m
from mudra.datasets.synthetic.config import SyntheticConfig as SyntheticConfig
from mudra.datasets.table import TableConfig as TableConfig
from mudra.datasets.table import read_table as read_table
from mudra.datasets.ucf101 import Ucf101Config as Ucf101Config
from mudra.datasets.ucf101 import read_ucf101 as read_ucf101

AnyDatasetConfig = Annotated[
    FolderConfig
    | TableConfig
    | SegmentsConfig
    | Shrec2017Config
    | JesterConfig
    | IsogdConfig
    | NvgestureConfig
    | EgogestureConfig
    | Ucf101Config
    | Sports1mConfig
    | JhmdbConfig
    | CongdConfig
    | MontalbanoConfig
    | FirConfig
    | SyntheticConfig
    | MovingDigitsConfig
    | JhmdbSkeletonsConfig,
    Field(discriminator="kind"),
]
"""Every data set that can be trained on, told apart by its `kind`."""
