"""The contract of backbones that may start from published weights, and may be kept as those weights left them.

A program's checkpoint is read by name; what it put around the names is taken off, and its dense layer is the head's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from torch import Tensor, nn

from mudra.backbones.backbone import Backbone
from mudra.backbones.published import bare_names, check_fit, read_published
from mudra.backbones.taken_weights import TakenWeights, compare_weights
from mudra.errors import ModelError

TORCHVISION_NAMES = "torchvision's names, conv1.weight, layer1.0.conv1.weight, ..."


class PublishedBackbone(Backbone):
    """A backbone whose weights may come from a file or from torchvision.

    Args:
        in_channels: Channels of the clip (C).
        out_channels: Channels of its last maps.
        time_stride: Frames that become one.
        pretrained: What `load_pretrained` loads: `imagenet`, a file, or None.
        torchvision_weights: What torchvision calls the weights that `imagenet` stands for; None if it has none.
    """

    first_conv = "conv1.weight"
    """Name of the weights that see the clip's channels."""
    dense_layer = "fc."
    """What the names of the published network's dense layer begin with; that layer is the head's."""
    published_names = TORCHVISION_NAMES
    """How the names look that are wanted, for messages."""

    def __init__(
        self,
        *,
        in_channels: int,
        out_channels: int,
        time_stride: int,
        pretrained: str | None,
        torchvision_weights: str | None,
    ) -> None:
        super().__init__(in_channels=in_channels, out_channels=out_channels, time_stride=time_stride)
        self.pretrained, self.torchvision_weights = pretrained, torchvision_weights
        self.holds_weights = pretrained is None
        self.taken: TakenWeights | None = None  # what `load_pretrained` found
        self.frozen = False
        self.is_asked_to_train = True  # as every module is, until it is told
        self.register_load_state_dict_post_hook(_mark_filled)  # type: ignore[no-untyped-call]

    def freeze(self) -> None:
        """Keep the weights and running statistics as they are, whatever training does to the rest of a network.

        Weights of chance that never learn are nobody's wish: training then wants some to have been loaded.
        """
        self.frozen, self.holds_weights = True, False
        self.requires_grad_(False)
        self.train(self.is_asked_to_train)

    def train(self, mode: bool = True) -> Self:
        """Set training or evaluation mode; what is frozen stays in evaluation mode."""
        self.is_asked_to_train = mode
        super().train(mode and not self.frozen)
        return self

    def check_filled(self) -> None:
        """Refuse to train on weights that nobody wanted.

        Raises:
            ModelError: In training, if `pretrained` names weights or the backbone is frozen, and none were ever loaded.
        """
        if self.holds_weights or not self.is_asked_to_train:
            return
        if self.pretrained is None:
            raise ModelError(
                f"{type(self).__name__} is frozen, and its weights are those of chance",
                hint="name weights (model.backbone.pretrained), start from a run (init_from), or set "
                "model.backbone.frozen=false",
            )
        raise ModelError(
            f"training is to start from pretrained={self.pretrained!r}, which was not loaded",
            hint="call load_pretrained() first, or load the state of another training",
        )

    def load_pretrained(self) -> None:
        """Load what `pretrained` names; nothing without it.

        Clips of other than three channels get the mean of the first kernels' three, in every channel (Wang et al. 2016,
        arXiv:1608.00859, section 3.2, cross modality). The dense layer in the file is left out; temporal modules that
        the file does not know keep their first values. `taken` then names what was taken and what was not.

        Raises:
            ModelError: If the file is missing, is damaged, or holds another network's weights; its notes name them all.
        """
        if self.pretrained is None:
            return
        found = self.name_as_ours(read_published(self.pretrained, self.torchvision_weights))
        weights = {name: value for name, value in found.items() if not _is_dense(name, self.dense_layer)}
        first = weights.get(self.first_conv)
        if first is not None and first.ndim >= 4 and first.shape[1] != self.in_channels:
            mean = first.mean(dim=1, keepdim=True)
            weights[self.first_conv] = mean.repeat(1, self.in_channels, *[1] * (first.ndim - 2))
        wanted = self.state_dict()
        # All of the temporal modules' weights, or none: half of them would be another network's.
        fresh = set() if any(map(self.is_temporal, weights)) else {name for name in wanted if self.is_temporal(name)}
        complaint = f"{self.pretrained}: not the weights of {self.describe()}"
        check_fit(weights, wanted, complaint, fresh=fresh, names=self.published_names)
        self.taken = compare_weights(f"pretrained {self.pretrained}", tuple(weights), wanted, found)
        self.load_state_dict(weights, strict=not fresh)

    def describe(self) -> str:
        """Return the network's name for messages."""
        return f"{type(self).__name__} of this width"

    def name_as_ours(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return weights under our names: without wrapping programs' prefixes, temporal modules as ours."""
        return {self.rename(name): value for name, value in bare_names(weights, self.is_known).items()}

    def rename(self, name: str) -> str:
        """Return the name of ours for the name that an official checkpoint has."""
        return name

    def is_known(self, name: str) -> bool:
        """Whether a name, in an official checkpoint's form, is one of the network's without any prefix."""
        return name.startswith((self.dense_layer, *(f"{child}." for child, _ in self.named_children())))

    def is_temporal(self, name: str) -> bool:
        """Whether weights of this name belong to a temporal module, which published 2-D networks lack."""
        return False


def _is_dense(name: str, dense_layer: str) -> bool:
    # The dense layer of two-stage fine-tuning programs stands outside the network.
    return name.startswith((dense_layer, "fc.", "new_fc.", "module.new_fc."))


def _mark_filled(network: nn.Module, incompatible: object) -> None:
    assert isinstance(network, PublishedBackbone)
    network.holds_weights = True
