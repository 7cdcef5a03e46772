"""What makes sampling quicker at some cost in likeness: token merging and HyperTile, for one pass of a job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from random import Random
from typing import TYPE_CHECKING, Any

from modules.nets.hypertile import Tiles, tiled_unet, tiled_vae
from modules.nets.token_merging import token_merging

if TYPE_CHECKING:
    from modules.pipeline.model import DiffusionModel
    from modules.pipeline.run import Run


class CountedRandom(Random):
    """A random stream that knows how far it has come, so that a job taken up again can go on where it was."""

    drawn = 0

    def getrandbits(self, k: int, /) -> int:
        self.drawn += 1
        return super().getrandbits(k)

    def skip_to(self, drawn: int) -> None:
        """Draw until so many words were drawn."""
        while self.drawn < drawn:
            self.getrandbits(1)


class HyperTile:
    """HyperTile's part in one job: its random stream, begun anew before the second pass, and its infotext keys."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.random = CountedRandom()
        self.begin()
        settings = run.settings
        if settings.hypertile_enable_unet:
            run.keep({"Hypertile U-Net": True, **self._details("unet", "U-Net")})
        if settings.hypertile_enable_vae:
            run.keep({"Hypertile VAE": True, **self._details("vae", "VAE")})

    @classmethod
    def of(cls, run: Run) -> HyperTile | None:
        """HyperTile for a job, if any of its settings asks for it."""
        settings = run.settings
        wanted = settings.hypertile_enable_unet or settings.hypertile_enable_unet_secondpass or settings.hypertile_enable_vae
        return cls(run) if wanted else None

    def begin(self) -> None:
        """Start the stream with the job's first seed."""
        self.random = CountedRandom(int(self.run.p.all_seeds[0]))

    def begin_second_pass(self) -> None:
        """Start again, and say so where only the second pass is tiled."""
        self.begin()
        settings = self.run.settings
        if settings.hypertile_enable_unet_secondpass and not settings.hypertile_enable_unet:
            self.run.keep({"Hypertile U-Net second pass": True, **self._details("unet", "U-Net")})

    def settle(self, key: str) -> None:
        """After an evaluation: note how far the stream has come, or go to where it was when the answer was recorded."""
        journal = self.run.runtime.journal
        drawn = journal.noted(f"{key}/tiles")
        if drawn is None and self.random.drawn:
            journal.note(f"{key}/tiles", self.random.drawn)
        elif drawn is not None:
            self.random.skip_to(int(drawn))

    @property
    def on_unet(self) -> bool:
        """Whether the current pass's denoising network is tiled."""
        settings = self.run.settings
        second = self.run.p.is_hr_pass and settings.hypertile_enable_unet_secondpass
        return bool(settings.hypertile_enable_unet or second)

    def tiles(self, part: str) -> Tiles:
        """Tiles for the "unet" or the "vae" of the current pass."""
        p: Any = self.run.p
        size = (p.hr_upscale_to_x, p.hr_upscale_to_y) if p.is_hr_pass else (p.width, p.height)
        settings = self.run.settings
        largest, swap = (int(getattr(settings, f"hypertile_{name}_{part}")) for name in ("max_tile", "swap_size"))
        return Tiles.of_picture(*size, largest, swap, self.random)

    def _details(self, part: str, name: str) -> dict[str, Any]:
        """Numbers that are not the defaults."""
        keys = {"max depth": "max_depth", "max tile size": "max_tile", "swap size": "swap_size"}
        found = {f"Hypertile {name} {label}": f"hypertile_{key}_{part}" for label, key in keys.items()}
        schema, settings = self.run.runtime.options.schema, self.run.settings
        return {label: None if getattr(settings, key) == schema[key].default else getattr(settings, key) for label, key in found.items()}


class ModelPatches:
    """Changes to whichever models a job or a pass uses, one after the other, all undone at its end."""

    def __init__(self, contexts: Callable[[DiffusionModel], list[AbstractContextManager[None]]]) -> None:
        self._contexts = contexts
        self._on = ExitStack()
        self._models: list[DiffusionModel] = []

    def follow(self, model: DiffusionModel) -> None:
        """Patch a model that has come into use, unless it is patched already."""
        if any(known is model for known in self._models):
            return
        self._models.append(model)
        for context in self._contexts(model):
            self._on.enter_context(context)

    def close(self) -> None:
        self._on.close()


@contextmanager
def patched(run: Run, contexts: Callable[[DiffusionModel], list[AbstractContextManager[None]]]) -> Iterator[None]:
    """While it is open, the model in use, and each that the job changes to, is in these contexts."""
    patches = ModelPatches(contexts)
    run.patches.append(patches)
    try:
        patches.follow(run.model)
        yield
    finally:
        run.patches.remove(patches)
        patches.close()


def quicker_pass(run: Run) -> AbstractContextManager[None]:
    """A context for one pass: token merging and HyperTile as its settings want them."""

    def contexts(model: DiffusionModel) -> list[AbstractContextManager[None]]:
        unet = model.checkpoint.unet
        found: list[AbstractContextManager[None]] = [token_merging(unet, run.p.get_token_merging_ratio(for_hr=run.p.is_hr_pass))]
        if run.hypertile is not None and run.hypertile.on_unet:
            found.append(tiled_unet(unet, run.hypertile.tiles("unet"), int(run.settings.hypertile_max_depth_unet)))
        return found

    return patched(run, contexts)


@contextmanager
def decode_patches(run: Run) -> Iterator[None]:
    """While it is open, the VAE is tiled where the settings want it."""
    if run.hypertile is None or not run.settings.hypertile_enable_vae:
        yield
        return
    with tiled_vae(run.model.checkpoint.vae, run.hypertile.tiles("vae")):
        yield
