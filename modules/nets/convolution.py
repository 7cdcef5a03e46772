"""Convolutions as matrix products, where a processor is faster that way."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


def preferred_format(x: Tensor) -> torch.memory_format:
    """The memory format in which feature maps on x's device are best kept.

    channels_last makes tokens of a map without a copy and is what the kernels of processors and CUDA like; other devices have
    a history of faults with it.
    """
    return torch.channels_last if x.device.type in ("cpu", "cuda", "meta") else torch.contiguous_format


def quick_convolutions(x: Tensor) -> AbstractContextManager[object]:
    """A context in which convolutions of tensors like `x` take the quicker of two routes; results differ by rounding only.

    It does something on a processor without gradients: there oneDNN brings a convolution's weights into its own order on
    every call, which on the UNet's coarse levels takes as long as the arithmetic or longer. The layers themselves stay
    plain `nn.Conv2d`, so that whoever looks for them (tiling, LoRA, hooks) finds them.
    """
    wanted = x.device.type == "cpu" and not torch.is_grad_enabled() and not torch.compiler.is_compiling()
    return MatrixConvolutions() if wanted else nullcontext()


class MatrixConvolutions(TorchFunctionMode):
    """Turns those calls of `conv2d` into matrix products that gain by it."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is torch.conv2d and not kwargs and len(args) == 7 and gains(*args):
            x, weight, bias, stride, padding, _, _ = args
            return matrix_conv2d(x, weight, bias, stride, padding)
        return func(*args, **(kwargs or {}))


def gains(
    x: Tensor,
    weight: Tensor,
    _bias: Tensor | None,
    stride: Sequence[int],
    padding: Any,
    dilation: Sequence[int],
    groups: int,
) -> bool:
    """Whether this convolution is quicker as a matrix product.

    So are 1x1 kernels, and results of no more cells than channels: such maps cost less to lay out as rows of patches than
    the weights cost to reorder.
    """
    if groups != 1 or tuple(dilation) != (1, 1) or isinstance(padding, str) or x.ndim != 4:
        return False
    if weight.shape[2:] == (1, 1):
        return tuple(stride) == (1, 1) and tuple(padding) == (0, 0)
    height, width = ((x.shape[2 + i] + 2 * padding[i] - weight.shape[2 + i]) // stride[i] + 1 for i in (0, 1))
    return x.shape[0] * height * width <= weight.shape[0]


def matrix_conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None, stride: Sequence[int], padding: Sequence[int]
) -> Tensor:
    """`conv2d` without dilation and groups, as one product of the matrix of patches with that of the weights.

    x [B, C, h, w], weight [D, C, kh, kw] -> [B, D, h', w'] in channels_last format.
    """
    if weight.shape[2:] == (1, 1):
        rows = x.permute(0, 2, 3, 1)
    else:
        if any(padding):
            x = functional.pad(x, (padding[1], padding[1], padding[0], padding[0]))
        patches = x.unfold(2, weight.shape[2], stride[0]).unfold(3, weight.shape[3], stride[1])
        # Copied in two steps, channels innermost first: three times as fast as in one.
        rows = patches.permute(0, 2, 3, 4, 5, 1).flatten(3, 4).contiguous().transpose(3, 4).flatten(3)
    return functional.linear(rows, weight.flatten(1), bias).permute(0, 3, 1, 2)
