"""What can be wrong with a sampling request; each message names the thing and the way out."""

from __future__ import annotations


class SamplingError(ValueError):
    """Base of every refusal of this package."""


class InvalidSteps(SamplingError):
    """The number of sampling steps cannot be walked at all (zero, negative, or beyond the training schedule)."""


class TooFewSteps(SamplingError):
    """The sampler's method does not exist for so short a schedule."""


class UnknownChoice(SamplingError):
    """A setting of a sampler holds a value that names nothing."""


class SizeMismatch(SamplingError):
    """Noise, latent and seeds do not belong together."""
