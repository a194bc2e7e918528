"""RunConfig: everything that a training run is made of, in one frozen value that a YAML file can hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from mudra.clips import ClipSpec
from mudra.config import Config
from mudra.datasets import AnyDatasetConfig
from mudra.models import AnyModelConfig, GestureNetConfig
from mudra.scoring import MaskLossConfig
from mudra.training.feature_manifest import frozen_backbone

Share = Annotated[float, Field(ge=0.0, lt=1.0)]


class AdamWConfig(Config):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019, arXiv:1711.05101)."""

    kind: Literal["adamw"] = "adamw"
    lr: PositiveFloat = 3e-3
    """Highest learning rate."""
    weight_decay: NonNegativeFloat = 0.02
    """Decay of kernels; never of biases and normalisation."""


class SgdConfig(Config):
    """Stochastic gradient descent with momentum."""

    kind: Literal["sgd"] = "sgd"
    lr: PositiveFloat = 1e-3
    """Highest learning rate."""
    momentum: Share = 0.9
    """Share of the last step that goes on."""
    weight_decay: NonNegativeFloat = 1e-4
    """Decay of kernels; never of biases and normalisation. Keras' L2 of 5e-5 is 1e-4 here."""
    groups: Literal["kernels", "tsn"] = "kernels"
    """Whether all parameters learn at one rate (`kernels`: they alone decay), or as in the code of TSN (Wang et al.
    2016): weights of dense layers five times as fast, their biases ten times, other biases twice."""


class RmspropConfig(Config):
    """Steps divided by the running root mean square of the gradients (Tieleman and Hinton 2012, lecture 6.5)."""

    kind: Literal["rmsprop"] = "rmsprop"
    lr: PositiveFloat = 1e-3
    """Highest learning rate."""
    decay: Share = 0.9
    """Share of the last mean square that stays."""
    weight_decay: NonNegativeFloat = 5e-4
    """Decay of kernels, added to their gradients; never of biases and normalisation."""


class OneCycleConfig(Config):
    """Up and down along half cosines, batch by batch (Smith and Topin 2018, arXiv:1708.07120)."""

    kind: Literal["one_cycle"] = "one_cycle"
    warmup_fraction: Share = 0.2
    """Share of all batches in which the rate rises."""
    start_fraction: PositiveFloat = 0.04
    """The first rate, as a fraction of the highest."""
    end_fraction: PositiveFloat = 1e-3
    """The last rate, as a fraction of the highest."""


class PolynomialConfig(Config):
    """lr = (first - last)(1 - batch / batches)^power + last (Zhang et al. 2018's code)."""

    kind: Literal["polynomial"] = "polynomial"
    power: PositiveFloat = 0.9
    """Exponent of the remaining share."""
    last_lr: NonNegativeFloat = 1e-6
    """The rate after the last batch."""


class StepsConfig(Config):
    """Constant, but for drops at given shares of the training (Fan et al. 2021, section IV-B)."""

    kind: Literal["steps"] = "steps"
    drops: tuple[Share, ...] = (0.4, 0.6, 0.8)
    """When the rate drops: shares of all batches; epochs 10, 15 and 20 of 25 are 0.4, 0.6 and 0.8."""
    factor: PositiveFloat = 0.1
    """What the rate is multiplied with at every drop."""


class InverseConfig(Config):
    """lr (1 + gamma batch)^-power, however long the training (the `inv` policy of Agethen and Hsu 2019's example)."""

    kind: Literal["inverse"] = "inverse"
    gamma: NonNegativeFloat = 1e-4
    """What each batch adds to the divisor."""
    power: PositiveFloat = 0.75
    """Exponent of the divisor."""


class DecayConfig(Config):
    """A little less with every update, however long the training (the released code of Pigou et al. 2015)."""

    kind: Literal["decay"] = "decay"
    decay: Share = 1e-4
    """What every update takes from the rate, as a share of it."""
    warmup_steps: NonNegativeInt = 0
    """Updates in which the rate rises in a straight line before; 0 for none."""
    start_lr: NonNegativeFloat = 1e-4
    """The rate at the first of these updates."""


class ConstantConfig(Config):
    """The same rate throughout."""

    kind: Literal["constant"] = "constant"


AnyOptimiserConfig = Annotated[AdamWConfig | SgdConfig | RmspropConfig, Field(discriminator="kind")]
AnyScheduleConfig = Annotated[
    OneCycleConfig | PolynomialConfig | StepsConfig | InverseConfig | DecayConfig | ConstantConfig,
    Field(discriminator="kind"),
]


class LoaderConfig(Config):
    """How recordings come into the training loop."""

    batch_size: PositiveInt = 16
    """Clips per training step; with `fitting.accumulate`, per share of a step."""
    fragments_per_epoch: PositiveInt | None = None
    """For networks that label frames: fragments of streams in a training epoch, at random places; None for as many as
    would cover every stream once."""
    num_workers: NonNegativeInt | Literal["auto"] = "auto"
    """Processes that make clips; auto: none when windows are kept in memory, else one less than
    the cores, at most 8."""
    cache: Literal["auto", "none", "memory", "disk"] = "auto"
    """Where decoded, cut and scaled windows are kept: `memory`, `disk` (with their flow), or nowhere; auto: memory when
    they fit into a quarter of what is free, else disk when flow is computed, else nowhere."""
    cache_dir: str | None = None
    """Folder of the disk cache; None for the user's cache folder."""
    features: Path | None = None
    """Folder of a frozen backbone's maps (`mudra data features`), which training then reads instead of recordings; None
    computes them in every step."""
    drop_last: bool = True
    """Leave out the last, smaller batch of a training epoch. Tests never leave out anything."""


class FittingConfig(Config):
    """How long and how the network is fitted."""

    epochs: PositiveInt = 30
    """Passes over the training split."""
    accumulate: PositiveInt = 1
    """Batches whose gradients are averaged for one step."""
    dropout_ramp_steps: NonNegativeInt = 0
    """Steps in which dropout rises from none to what the model says; 0 for all of it from the beginning."""
    label_smoothing: Share = 0.0
    """Share of every target that is spread over all classes."""
    ema_decay: Share = 0.0
    """Decay per batch of an average of the weights, which is then what is kept; 0 for none."""
    gradient_clip_norm: NonNegativeFloat = 0.0
    """Largest norm of all gradients together; 0 for no limit."""
    precision: Literal["auto", "float32", "bf16"] = "auto"
    """Arithmetic of the network; auto: bf16 where the processor or GPU computes it, else float32."""
    accelerator: str = "auto"
    """Lightning's accelerator: auto, cpu, gpu, ...; one device of it is used."""
    keep: Literal["last", "best"] = "last"
    """Which weights the run folder offers: the last epoch's, or those of the best validation score."""
    keep_decoder: bool = False
    """Whether the run's weights keep a decoder of depth, which predictions do not need; checkpoints always do."""
    num_threads: NonNegativeInt = 0
    """CPU threads of the network; 0 leaves PyTorch's choice."""
    hold_memory: bool = True
    """Whether memory that a step lets go of is kept for the next one and not given back to the system, for as long as
    the program runs: faster on processors, under Linux; nothing elsewhere."""


def _dataset_by_name(value: Any) -> Any:
    # `data=synthetic` names a kind, wherever the data was left open.
    return {"kind": value} if isinstance(value, str) else value


class RunConfig(Config):
    """A whole training run."""

    model: AnyModelConfig = GestureNetConfig()
    """The network."""
    data: Annotated[AnyDatasetConfig | None, BeforeValidator(_dataset_by_name)] = None
    """The data set; None must be filled in before training."""
    clip: ClipSpec = ClipSpec()
    """How frames become clips, in training and ever after."""
    loader: LoaderConfig = LoaderConfig()
    """How recordings come into the loop."""
    optimiser: AnyOptimiserConfig = AdamWConfig()
    """How gradients become steps."""
    schedule: AnyScheduleConfig = OneCycleConfig()
    """How the learning rate changes."""
    fitting: FittingConfig = FittingConfig()
    """How long and how."""
    init_from: Path | None = None
    """Run folder or file of weights that the network starts from, as far as they fit by name and shape; None starts
    from fresh weights. A resumed run goes on from its own state."""
    mask_loss: MaskLossConfig = MaskLossConfig()
    """Weights of the losses of classes and of depth, where the model has a decoder."""
    seed: NonNegativeInt = 0
    """Seed of everything that chance decides."""
    recipe: str = ""
    """The recipe that this run was made from."""

    @model_validator(mode="after")
    def _check_features(self) -> RunConfig:
        if self.loader.features is not None:
            frozen_backbone(self.model)
        return self
