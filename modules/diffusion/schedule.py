"""The noise levels a model was trained on: ᾱ, σ and the mapping between σ and timestep.

Sources: Ho et al. 2020 (DDPM), Karras et al. 2022 (σ parametrisation), Lin et al. 2023 (zero terminal SNR), Esser et al. 2024 (SD3).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from modules.diffusion.options import SamplingOptions

TIMESTEPS = 1000
BETA_START, BETA_END = 0.00085, 0.0120
TERMINAL_ALPHA_BAR = 4.8973451890853435e-08
LCM_TIMESTEPS = 50


def alphas_cumprod(timesteps: int = TIMESTEPS, start: float = BETA_START, end: float = BETA_END) -> Tensor:
    """ᾱ of Stable Diffusion's "scaled linear" schedule, float32 [timesteps], computed in float64."""
    betas = torch.linspace(start**0.5, end**0.5, timesteps, dtype=torch.float64) ** 2
    return torch.cumprod(1.0 - betas, dim=0).to(torch.float32)


def zero_terminal_snr(alphas_bar: Tensor) -> Tensor:
    """ᾱ shifted and scaled so that the last step is (nearly) pure noise; the first stays as it is."""
    roots = alphas_bar.sqrt()
    first, last = roots[0].clone(), roots[-1].clone()
    rescaled = ((roots - last) * (first / (first - last))) ** 2
    # A1111: a last value of exactly 0 would make σ infinite; this one gives σ = 4518.8.
    rescaled[-1] = TERMINAL_ALPHA_BAR
    return rescaled


def apply_overrides(alphas_bar: Tensor, options: SamplingOptions) -> tuple[Tensor, dict[str, Any]]:
    """ᾱ after the settings `use_downcasted_alpha_bar` and `sd_noise_schedule`, with the infotext keys they cause."""
    infotext: dict[str, Any] = {}
    if options.use_downcasted_alpha_bar:
        infotext["Downcast alphas_cumprod"] = options.use_downcasted_alpha_bar
        alphas_bar = alphas_bar.half()
    if options.sd_noise_schedule == "Zero Terminal SNR":
        infotext["Noise Schedule"] = options.sd_noise_schedule
        alphas_bar = zero_terminal_snr(alphas_bar)
    return alphas_bar, infotext


class DiscreteSchedule:
    """A table of σ, ascending, and its two mappings; between entries log σ is linear in the timestep.

    alphas_cumprod: ᾱ [n]; its dtype is the dtype of the table. quantize: `sigma_to_t` gives the nearest entry's index.
    """

    flow = False

    def __init__(self, alphas_cumprod: Tensor, quantize: bool = False) -> None:
        self.alphas_cumprod = alphas_cumprod
        self.quantize = quantize
        self._set_sigmas(((1 - alphas_cumprod) / alphas_cumprod) ** 0.5)

    def _set_sigmas(self, sigmas: Tensor) -> None:
        self.sigmas = sigmas
        self.log_sigmas = sigmas.log()
        self._tables: dict[torch.device, Tensor] = {}

    def _log_sigmas_on(self, device: torch.device) -> Tensor:
        if device not in self._tables:
            self._tables[device] = self.log_sigmas.to(device)
        return self._tables[device]

    @property
    def sigma_min(self) -> float:
        """The smallest σ of the table."""
        return float(self.sigmas[0])

    @property
    def sigma_max(self) -> float:
        """The largest σ of the table."""
        return float(self.sigmas[-1])

    def nearest(self, sigma: Tensor) -> Tensor:
        """Index (int64) of the entry nearest in log σ, shaped like sigma."""
        distance = sigma.log() - self._log_sigmas_on(sigma.device)[:, None]
        return distance.abs().argmin(dim=0).view(sigma.shape)

    def sigma_to_t(self, sigma: Tensor) -> Tensor:
        """Timestep of σ (any shape): fractional, or the nearest index when quantizing."""
        if self.quantize:
            return self.nearest(sigma)
        table = self._log_sigmas_on(sigma.device)
        log_sigma = sigma.log()
        distance = log_sigma - table[:, None]
        low_index = distance.ge(0).cumsum(dim=0).argmax(dim=0).clamp(max=table.shape[0] - 2)
        low, high = table[low_index], table[low_index + 1]
        weight = ((low - log_sigma) / (low - high)).clamp(0, 1)
        return ((1 - weight) * low_index + weight * (low_index + 1)).view(sigma.shape)

    def t_to_sigma(self, t: Tensor) -> Tensor:
        """σ of a timestep, fractional or not, shaped like t."""
        t = t.float()
        table = self._log_sigmas_on(t.device)
        weight = t.frac()
        return ((1 - weight) * table[t.floor().long()] + weight * table[t.ceil().long()]).exp()

    def get_sigmas(self, n: int | None = None) -> Tensor:
        """The model's own schedule: σ at n timesteps evenly from last to first, then 0; without n, the whole table descending."""
        if n is None:
            return _append_zero(self.sigmas.flip(0))
        return _append_zero(self.t_to_sigma(torch.linspace(len(self.sigmas) - 1, 0, n, device=self.sigmas.device)))


class LCMSchedule(DiscreteSchedule):
    """The 50 of 1000 timesteps a latent consistency model was distilled on (Luo et al. 2023): 19, 39, … 999."""

    def __init__(self, alphas_cumprod: Tensor, quantize: bool = False) -> None:
        self.stride = len(alphas_cumprod) // LCM_TIMESTEPS
        super().__init__(alphas_cumprod, quantize)
        self._set_sigmas(self.sigmas[self.stride - 1 :: self.stride])

    def sigma_to_t(self, sigma: Tensor) -> Tensor:
        """Timestep (int64) of the nearest entry."""
        return self.nearest(sigma) * self.stride + (self.stride - 1)

    def t_to_sigma(self, t: Tensor) -> Tensor:
        """σ of a timestep of the full table, interpolated between the entries."""
        return super().t_to_sigma(((t - (self.stride - 1)) / self.stride).float().clamp(min=0))

    def get_sigmas(self, n: int | None = None) -> Tensor:
        """As in the base class, over this table's timesteps."""
        if n is None:
            return super().get_sigmas(None)
        start, end = (self.sigma_to_t(self.sigmas[index]).item() for index in (-1, 0))
        return _append_zero(self.t_to_sigma(torch.linspace(start, end, n, device=self.sigmas.device)))


class FlowSchedule(DiscreteSchedule):
    """The rectified-flow levels of SD3: σ(u) = shift·u / (1 + (shift − 1)·u) at u = 1/1000 … 1."""

    flow = True

    def __init__(self, shift: float = 3.0, quantize: bool = False, timesteps: int = TIMESTEPS) -> None:
        u = torch.arange(1, timesteps + 1, dtype=torch.float32) / timesteps
        self.quantize = quantize
        self._set_sigmas(shift * u / (1 + (shift - 1) * u))
        self.alphas_cumprod = 1 / (self.sigmas**2 + 1)


def _append_zero(sigmas: Tensor) -> Tensor:
    return torch.cat([sigmas, sigmas.new_zeros([1])])
