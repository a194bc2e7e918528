"""The temporal modules' equations once more, number by number in float64, for comparison."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Array = npt.NDArray[np.float64]


def array(tensor: Tensor) -> Array:
    return tensor.detach().double().numpy()


def randomise(module: nn.Module, seed: int = 5) -> nn.Module:
    """Give every weight and every statistic of normalisation a number of its own, in double precision."""
    generator = torch.Generator().manual_seed(seed)
    module.double()
    for parameter in module.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    for name, buffer in module.named_buffers():
        if buffer.is_floating_point():
            low = 0.5 if name.endswith("var") else -0.5
            buffer.copy_(torch.rand(buffer.shape, generator=generator, dtype=torch.float64) + low)
    return module


def sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def at(x_TCHW: Array, t: int) -> Array:
    """One frame, or zeros beyond the clip's ends."""
    return x_TCHW[t] if 0 <= t < len(x_TCHW) else np.zeros_like(x_TCHW[0])


def convolve3x3(picture_HW: Array, kernel: Array) -> Array:
    height, width = picture_HW.shape
    out = np.zeros_like(picture_HW)
    for y in range(height):
        for x in range(width):
            for i in range(3):
                for j in range(3):
                    if 0 <= y + i - 1 < height and 0 <= x + j - 1 < width:
                        out[y, x] += kernel[i, j] * picture_HW[y + i - 1, x + j - 1]
    return out


def shift_learned(x_TCHW: Array, weight_C3: Array) -> Array:
    out = np.zeros_like(x_TCHW)
    for t in range(len(x_TCHW)):
        for c in range(x_TCHW.shape[1]):
            out[t, c] = sum(weight_C3[c, k] * at(x_TCHW, t + k - 1)[c] for k in range(3))
    return out


def shift_fixed(x_TCHW: Array, fold: int) -> Array:
    out = x_TCHW.copy()
    for t in range(len(x_TCHW)):
        out[t, :fold] = at(x_TCHW, t + 1)[:fold]
        out[t, fold : 2 * fold] = at(x_TCHW, t - 1)[fold : 2 * fold]
    return out


def excite_spatio_temporal(s_TCHW: Array, kernel_333: Array) -> Array:
    """m_STE, shape (T, H, W)."""
    means = s_TCHW.mean(axis=1)
    out = np.zeros_like(means)
    for t in range(len(means)):
        for k in range(3):
            if 0 <= t + k - 1 < len(means):
                out[t] += convolve3x3(means[t + k - 1], kernel_333[k])
    return sigmoid(out)


def excite_channels(s_TCHW: Array, squeeze_RC: Array, mix_RR3: Array, expand_CR: Array) -> Array:
    """m_CE, shape (T, C)."""
    squeezed = [squeeze_RC @ frame.mean(axis=(1, 2)) for frame in s_TCHW]
    out = []
    for t in range(len(s_TCHW)):
        mixed = np.zeros(len(squeeze_RC))
        for k in range(3):
            if 0 <= t + k - 1 < len(squeezed):
                mixed += mix_RR3[:, :, k] @ squeezed[t + k - 1]
        out.append(sigmoid(expand_CR @ np.maximum(mixed, 0.0)))
    return np.stack(out)


def normalise(x: Array, norm: nn.Module, c: int) -> Array:
    """Batch normalisation of one channel, in evaluation."""
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, var = norm.running_mean[c].item(), norm.running_var[c].item()
    return (x - mean) / np.sqrt(var + norm.eps) * norm.weight[c].item() + norm.bias[c].item()


def motion(x_TCHW: Array, squeeze_RC: Array, norm: nn.Module, kernels_R33: Array) -> Array:
    """Means over places of K * F[t + 1] - F[t], zero for the last frame, shape (T, R)."""
    squeezed = np.einsum("rc,tchw->trhw", squeeze_RC, x_TCHW)
    out = np.zeros(squeezed.shape[:2])
    for r in range(squeezed.shape[1]):
        frames = [normalise(frame[r], norm, r) for frame in squeezed]
        for t in range(len(frames) - 1):
            out[t, r] = (convolve3x3(frames[t + 1], kernels_R33[r]) - frames[t]).mean()
    return out
