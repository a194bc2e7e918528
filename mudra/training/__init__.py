"""Recordings into a run folder: weights, and the card that says how to use them.

To add an optimiser or a schedule: write its config in config.py, add it to the union there, and say in optimisation.py
what it does.
"""

from mudra.training.config import AdamWConfig as AdamWConfig
from mudra.training.config import ConstantConfig as ConstantConfig
from mudra.training.config import DecayConfig as DecayConfig
from mudra.training.config import FittingConfig as FittingConfig
from mudra.training.config import InverseConfig as InverseConfig
from mudra.training.config import LoaderConfig as LoaderConfig
from mudra.training.config import OneCycleConfig as OneCycleConfig
from mudra.training.config import PolynomialConfig as PolynomialConfig
from mudra.training.config import RmspropConfig as RmspropConfig
from mudra.training.config import RunConfig as RunConfig
from mudra.training.config import SgdConfig as SgdConfig
from mudra.training.config import StepsConfig as StepsConfig
from mudra.training.made_with import versions as versions
from mudra.training.train import DryRun as DryRun
from mudra.training.train import dry_run as dry_run
from mudra.training.train import train as train
