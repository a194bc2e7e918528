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
from mudra.datasets.dataset import SPLITS as SPLITS
from mudra.datasets.dataset import Dataset as Dataset
from mudra.datasets.dataset import FrameSource as FrameSource
from mudra.datasets.detect import detect as detect
from mudra.datasets.digit_images import DigitImages as DigitImages
from mudra.datasets.digit_images import read_bundled_digits as read_bundled_digits
from mudra.datasets.digit_images import read_mnist as read_mnist
from mudra.datasets.examples import draw_examples as draw_examples
from mudra.datasets.folder import FolderConfig as FolderConfig
from mudra.datasets.folder import read_folder as read_folder
from mudra.datasets.inspect import DatasetFacts as DatasetFacts
from mudra.datasets.inspect import SplitFacts as SplitFacts
from mudra.datasets.inspect import Spread as Spread
from mudra.datasets.inspect import describe as describe
from mudra.datasets.isogd import IsogdConfig as IsogdConfig
from mudra.datasets.isogd import read_isogd as read_isogd
from mudra.datasets.jester import JesterConfig as JesterConfig
from mudra.datasets.jester import read_jester as read_jester
from mudra.datasets.mirror import guess_mirror_pairs as guess_mirror_pairs
from mudra.datasets.moving_digits import DigitClips as DigitClips
from mudra.datasets.moving_digits import MovingDigits as MovingDigits
from mudra.datasets.shrec2017 import Shrec2017Config as Shrec2017Config
from mudra.datasets.shrec2017 import read_shrec2017 as read_shrec2017
from mudra.datasets.synthetic.config import SyntheticConfig as SyntheticConfig
from mudra.datasets.table import TableConfig as TableConfig
from mudra.datasets.table import read_table as read_table

AnyDatasetConfig = Annotated[
    FolderConfig | TableConfig | Shrec2017Config | JesterConfig | IsogdConfig | SyntheticConfig,
    Field(discriminator="kind"),
]
"""Every data set that can be trained on, told apart by its `kind`."""
