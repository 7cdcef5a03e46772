"""The settings and request fields that sampling depends on, as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class SamplingOptions:
    """A1111's settings of the same names, with A1111's defaults.

    Numbers keep the type they were given in, because the infotext prints them (10 and 10.0 differ).
    """

    eta_ancestral: float = 1.0
    eta_ddim: float = 0.0
    s_churn: float = 0.0
    s_tmin: float = 0.0
    s_tmax: float = 0.0
    s_noise: float = 1.0
    sigma_min: float = 0.0
    sigma_max: float = 0.0
    rho: float = 0.0
    use_old_karras_scheduler_sigmas: bool = False
    always_discard_next_to_last_sigma: bool = False
    beta_dist_alpha: float = 0.6
    beta_dist_beta: float = 0.6
    uni_pc_variant: str = "bh1"
    uni_pc_skip_type: str = "time_uniform"
    uni_pc_order: int = 3
    uni_pc_lower_order_final: bool = True
    sgm_noise_multiplier: bool = False
    img2img_extra_noise: float = 0.0
    initial_noise_multiplier: float = 1.0
    eta_noise_seed_delta: int = 0
    no_dpmpp_sde_batch_determinism: bool = False
    enable_quantization: bool = False
    use_downcasted_alpha_bar: bool = False
    sd_noise_schedule: str = "Default"
    img2img_fix_steps: bool = False
    skip_early_cond: float = 0.0
    s_min_uncond: float = 0.0
    s_min_uncond_all: bool = False
    randn_source: str = "GPU"

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> SamplingOptions:
        """Takes the keys it knows from `settings`; a missing key or None means the default."""
        known = {field.name: settings.get(field.name) for field in fields(cls)}
        return cls(**{name: value for name, value in known.items() if value is not None})


@dataclass(frozen=True)
class RequestFields:
    """Fields of a request that steer the sampler; None means: not given, take the setting."""

    eta: float | None = None
    s_churn: float | None = None
    s_tmin: float | None = None
    s_tmax: float | None = None
    s_noise: float | None = None
