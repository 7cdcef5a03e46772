"""Which errors are a sentence for the user, and which are defects that deserve their traceback."""

from __future__ import annotations

USER_ERRORS = {
    "WeightsError",
    "CheckpointNotFound",
    "RequestError",
    "PromptError",
    "SettingError",
    "SettingsFileError",
    "SamplingError",
    "SaveError",
    "ListenError",
    "AuthFlagError",
    "JobCancelled",
    "EnhanceError",
}
"""By name, so that telling them apart imports none of the rooms they come from."""


def is_for_the_user(error: BaseException) -> bool:
    """True for an error whose message says what is wrong and what to do."""
    return any(kind.__name__ in USER_ERRORS for kind in type(error).__mro__)
