"""What recurrent layers are measured against, and with: the floor, a plain ConvLSTM, and a count of live bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from mudra.cells import Cell, unroll


class Call(NamedTuple):
    """One call of a convolution or matrix product: its module, an input and a gradient of the recorded kind."""

    module: nn.Module
    x: Tensor
    grad: Tensor


class Floor:
    """Every convolution and matrix product of one `unroll`, recorded, to be run again with nothing between them.

    Args:
        cell: Any cell.
        x_BTCHW: Maps of the clip.
    """

    def __init__(self, cell: Cell, x_BTCHW: Tensor) -> None:
        self.calls: list[Call] = []
        modules = [module for module in cell.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
        handles = [module.register_forward_hook(self._record) for module in modules]
        unroll(cell, x_BTCHW)
        for handle in handles:
            handle.remove()

    def _record(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        x = torch.randn_like(inputs[0]).requires_grad_(inputs[0].requires_grad)
        self.calls.append(Call(module, x, torch.randn_like(output)))

    def forward(self) -> None:
        for call in self.calls:
            call.module(call.x)

    def backward(self) -> None:
        """Run forward and backward."""
        outputs = [call.module(call.x) for call in self.calls]
        for call, output in zip(reversed(self.calls), reversed(outputs), strict=True):
            wanted = [*call.module.parameters(), *([call.x] if call.x.requires_grad else [])]
            torch.autograd.grad(output, wanted, call.grad)


class Together(nn.Module):
    """A ConvLSTM as it is commonly written: at every step one convolution of input and hidden map laid side by side.

    Args:
        in_channels: Channels of each frame's feature map.
        hidden_channels: Channels of the hidden and memory maps.
        kernel_size: Side of the kernels.
    """

    def __init__(self, in_channels: int, hidden_channels: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.hidden_channels = hidden_channels
        self.conv = nn.Conv2d(in_channels + hidden_channels, 4 * hidden_channels, kernel_size, padding=kernel_size // 2)

    def forward(self, x_BTCHW: Tensor) -> Tensor:
        """Return every hidden map."""
        shape = (x_BTCHW.shape[0], self.hidden_channels, *x_BTCHW.shape[-2:])
        hidden_BDHW = memory_BDHW = x_BTCHW.new_zeros(shape)
        outputs = []
        for x_BCHW in x_BTCHW.unbind(1):
            i, f, o, g = self.conv(torch.cat([x_BCHW, hidden_BDHW], dim=1)).chunk(4, dim=1)
            memory_BDHW = f.sigmoid() * memory_BDHW + i.sigmoid() * g.tanh()
            hidden_BDHW = o.sigmoid() * memory_BDHW.tanh()
            outputs.append(hidden_BDHW)
        return torch.stack(outputs, dim=1)


class LiveBytes(TorchDispatchMode):
    """Counts, operation by operation, the bytes of the tensors made inside it that are still held.

    Afterwards `peak` is the most that there were at once and `now` what there is left.
    """

    def __init__(self) -> None:
        super().__init__()
        self._held: dict[int, tuple[StorageWeakRef, int]] = {}
        self.peak = 0

    @property
    def now(self) -> int:
        self._held = {key: held for key, held in self._held.items() if not held[0].expired()}
        return sum(num_bytes for _, num_bytes in self._held.values())

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        known = {tensor.untyped_storage()._cdata for tensor in _tensors((args, kwargs or {}))}
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            # What an operation was given, or a view of it, is not its making.
            if storage._cdata not in known:
                self._held[storage._cdata] = (StorageWeakRef(storage), storage.nbytes())
        self.peak = max(self.peak, self.now)
        return result


def _tensors(values: Any) -> list[Tensor]:
    return [leaf for leaf in torch.utils._pytree.tree_leaves(values) if isinstance(leaf, Tensor)]
