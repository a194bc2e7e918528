"""The built-in data set: hands in motion, drawn from a seed into colour, depth, true flow and masks.

To add a gesture: name it in `config.py` (with what it becomes in a mirror) and perform it in `gesture.py`.
"""

from mudra.datasets.synthetic.config import MIRROR_PAIRS as MIRROR_PAIRS
from mudra.datasets.synthetic.config import SPLITS as SPLITS
from mudra.datasets.synthetic.config import SYNTHETIC_CLASSES as SYNTHETIC_CLASSES
from mudra.datasets.synthetic.config import SyntheticConfig as SyntheticConfig
from mudra.datasets.synthetic.generator import SyntheticClip as SyntheticClip
from mudra.datasets.synthetic.generator import SyntheticItem as SyntheticItem
from mudra.datasets.synthetic.generator import draw_clip as draw_clip
from mudra.datasets.synthetic.generator import draw_stream as draw_stream
from mudra.datasets.synthetic.generator import iter_items as iter_items
from mudra.datasets.synthetic.subject import Subject as Subject
from mudra.datasets.synthetic.subject import subject_of as subject_of
from mudra.datasets.synthetic.writer import write_synthetic as write_synthetic
