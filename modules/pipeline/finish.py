"""From the decoded tensors of a batch to finished pictures: faces, colours, overlay, infotext, files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image
from torch import Tensor

from modules import events
from modules.imaging.color_correction import apply_color_correction
from modules.imaging.overlay import apply_overlay, mask_composite
from modules.pipeline.pixels import unit_to_image
from modules.pipeline.recipe import create_infotext
from modules.pipeline.save import save_sample

if TYPE_CHECKING:
    from modules.pipeline.run import Run


class Finisher:
    """Collects a job's pictures, their infotexts and files, batch by batch."""

    def __init__(self, run: Run) -> None:
        self.run, self.p = run, run.p
        self.images: list[Image.Image] = []
        self.infotexts: list[str] = []
        self.paths: list[str] = []

    def batch(self, pictures: Tensor) -> None:
        """Finish the current batch, pictures [B, 3, H, W] in 0..1; every file is written as soon as its picture is ready."""
        p = self.p
        p.hook("postprocess_batch", pictures, batch_number=p.iteration)
        rows = list(pictures)
        if p.scripts is not None:
            args = events.PostprocessBatchListArgs(rows)
            p.hook("postprocess_batch_list", args, batch_number=p.iteration)
            rows = args.images
        for index, picture in enumerate(rows):
            p.batch_index = index
            self._picture(index, picture)

    def _picture(self, index: int, picture: Tensor) -> None:
        p, settings = self.p, self.run.settings
        image = self._hooked("postprocess_image", self._with_faces(index, unit_to_image(picture)))
        mask, overlay = self._overlay(index)
        image = self._corrected(index, image, overlay)
        drawn = image
        if settings.overlay_inpaint:
            image, drawn = apply_overlay(image, p.paste_to, overlay, self.run.upscaler(settings.upscaler_for_img2img))
        image = self._hooked("postprocess_image_after_composite", image)
        self._keep(index, image)
        if mask is not None:
            self._keep_masks(index, mask, drawn)

    def _with_faces(self, index: int, image: Image.Image) -> Image.Image:
        restorers = self.run.runtime.face_restorers
        if not self.p.restore_faces or restorers is None:
            return image
        if self.run.settings.save_images_before_face_restoration and self.run.saves_samples:
            self._save(index, image, "-before-face-restoration")
        restored: Image.Image = restorers.restore(image, self.run.settings.face_restoration_model, self.run.settings)
        return restored

    def _hooked(self, name: str, image: Image.Image) -> Image.Image:
        if self.p.scripts is None:
            return image
        args = events.PostprocessImageArgs(image)
        self.p.hook(name, args)
        result: Image.Image = args.image
        return result

    def _overlay(self, index: int) -> tuple[Image.Image | None, Image.Image | None]:
        """The mask and the picture to lay over picture `index` of the batch, as scripts leave them."""
        p = self.p
        overlay = p.overlay_images[index] if p.overlay_images and index < len(p.overlay_images) else None
        if p.scripts is None:
            return p.mask_for_overlay, overlay
        args = events.PostProcessMaskOverlayArgs(index, p.mask_for_overlay, overlay)
        p.hook("postprocess_maskoverlay", args)
        return args.mask_for_overlay, args.overlay_image

    def _corrected(self, index: int, image: Image.Image, overlay: Image.Image | None) -> Image.Image:
        p = self.p
        if not p.color_corrections or index >= len(p.color_corrections):
            return image
        if self.run.settings.save_images_before_color_correction and self.run.saves_samples:
            before, _ = apply_overlay(image, p.paste_to, overlay, self.run.upscaler(self.run.settings.upscaler_for_img2img))
            self._save(index, before, "-before-color-correction")
        return apply_color_correction(p.color_corrections[index], image)

    def _keep(self, index: int, image: Image.Image) -> None:
        infotext = create_infotext(self.run, self._number(index))
        image.info["parameters"] = infotext
        if self.run.saves_samples and (path := save_sample(self.run, image, self._number(index), infotext)):
            self.paths.append(path)
        self._add(image, infotext)

    def _keep_masks(self, index: int, mask: Image.Image, drawn: Image.Image) -> None:
        """The mask, and the drawn part alone, where the settings want them saved or returned."""
        settings = self.run.settings
        wanted = (
            (settings.save_mask, settings.return_mask, "-mask", lambda: mask.convert("RGB")),
            (settings.save_mask_composite, settings.return_mask_composite, "-mask-composite", lambda: mask_composite(drawn, mask)),
        )
        for save, give, suffix, make in wanted:
            if not (save or give):
                continue
            image = make()
            if save and self.run.saves_samples:
                self._save(index, image, suffix)
            if give:
                # A1111: a mask has no place of its own among the infotexts
                self.images.append(image)

    def _add(self, image: Image.Image, infotext: str) -> None:
        self.images.append(image)
        self.infotexts.append(infotext)

    def _save(self, index: int, image: Image.Image, suffix: str) -> None:
        number = self._number(index)
        save_sample(self.run, image, number, create_infotext(self.run, number), suffix=suffix)

    def _number(self, index: int) -> int:
        return min(self.p.iteration * self.p.batch_size + index, len(self.p.all_prompts) - 1)
