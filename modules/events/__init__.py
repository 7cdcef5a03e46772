"""What extensions are told while things happen: callbacks by category, and the objects handed to them (platform.md §4.3, §4.4).

The lowest room: it knows no other, and every other may fire.
"""

from modules.events.params import (
    AfterCFGCallbackParams,
    BeforeTokenCounterParams,
    CFGDenoisedParams,
    CFGDenoiserParams,
    ExtraNoiseParams,
    ImageGridLoopParams,
    ImageSaveParams,
    UiTrainTabParams,
)
from modules.events.registry import CATEGORIES, Callbacks, ScriptCallback, add, callbacks, fire, has
from modules.events.script_args import (
    MaskBlendArgs,
    OnComponent,
    PostprocessBatchListArgs,
    PostprocessImageArgs,
    PostProcessMaskOverlayArgs,
    PostSampleArgs,
)

__all__ = [
    "CATEGORIES",
    "AfterCFGCallbackParams",
    "BeforeTokenCounterParams",
    "CFGDenoisedParams",
    "CFGDenoiserParams",
    "Callbacks",
    "ExtraNoiseParams",
    "ImageGridLoopParams",
    "ImageSaveParams",
    "MaskBlendArgs",
    "OnComponent",
    "PostProcessMaskOverlayArgs",
    "PostSampleArgs",
    "PostprocessBatchListArgs",
    "PostprocessImageArgs",
    "ScriptCallback",
    "UiTrainTabParams",
    "add",
    "callbacks",
    "fire",
    "has",
]
