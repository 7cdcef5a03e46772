"""Legends around a grid of pictures: texts above the columns and left of the rows (generation.md §9.4 of the reference)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageChops, ImageDraw, ImageFont

ROBOTO = Path(__file__).parent / "fonts" / "Roboto-Regular.ttf"
STRIKE_WIDTH = 4
AS_HIGH = str.maketrans({"i": "I", "j": "Iy"})
"""Letters as high and deep as others, measured in their place: FreeType's versions round only the dots differently in small sizes."""
DOTLESS = str.maketrans("ij", "ı\u0237")
LINE_SPACING = 4


@dataclass
class GridAnnotation:
    """One text of a legend; an inactive one is struck through."""

    text: str = ""
    is_active: bool = True
    lines: list[str] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    """Width and height in pixels, once laid out."""


@dataclass(frozen=True)
class LegendStyle:
    """Colours, and the font's file (empty: Roboto)."""

    background: str = "#ffffff"
    active: str = "#000000"
    inactive: str = "#999999"
    font: str = ""


@lru_cache(maxsize=32)
def get_font(size: int, file: str = "") -> ImageFont.FreeTypeFont:
    """A font of a size in pixels; a file that cannot be read gives Roboto."""
    try:
        return ImageFont.truetype(file or str(ROBOTO), size)
    except OSError:
        return ImageFont.truetype(str(ROBOTO), size)


def draw_grid_annotations(
    image: Image.Image,
    width: int,
    height: int,
    hor_texts: Sequence[Sequence[GridAnnotation]],
    ver_texts: Sequence[Sequence[GridAnnotation]],
    margin: int = 0,
    style: LegendStyle | None = None,
) -> Image.Image:
    """The grid with its cells `margin` pixels apart and a legend around them.

    `width`, `height`: a cell's size. `hor_texts` has the texts above each column, `ver_texts` those beside each row.
    """
    columns, rows = image.width // width, image.height // height
    if (columns, rows) != (len(hor_texts), len(ver_texts)):
        raise ValueError(f"a grid of {columns}x{rows} needs a text for each column and row, not {len(hor_texts)} and {len(ver_texts)}")
    legend = _Legend(width, height, style or LegendStyle())
    left = 0 if all(not text.text for texts in ver_texts for text in texts) else width * 3 // 4
    for texts in hor_texts:
        legend.lay_out(texts, width)
    for texts in ver_texts:
        legend.lay_out(texts, left)
    top = 0 if all(not text.text for texts in hor_texts for text in texts) else max(map(legend.height, hor_texts)) + legend.spacing * 2
    size = (image.width + left + margin * (columns - 1), image.height + top + margin * (rows - 1))
    result = Image.new("RGB", size, legend.style.background)
    for row in range(rows):
        for column in range(columns):
            cell = image.crop((width * column, height * row, width * (column + 1), height * (row + 1)))
            result.paste(cell, (left + (width + margin) * column, top + (height + margin) * row))
    draw = ImageDraw.Draw(result)
    for column, texts in enumerate(hor_texts):
        legend.draw(draw, texts, left + (width + margin) * column + width / 2, top / 2 - legend.height(texts) / 2)
    for row, texts in enumerate(ver_texts):
        middle = top + (height + margin) * row + height / 2
        legend.draw(draw, texts, left / 2, middle - legend.height(texts) / 2)
    return result


class _Legend:
    """Measures and draws texts in one font size."""

    def __init__(self, width: int, height: int, style: LegendStyle) -> None:
        self.style = style
        self.font_size = (width + height) // 25
        self.spacing = self.font_size // 2
        self._canvas = ImageDraw.Draw(Image.new("RGB", (1, 1)))

    def lay_out(self, texts: Sequence[GridAnnotation], width: int) -> None:
        """Break the texts into lines of a width, and measure them."""
        for text in texts:
            font = self._font(self.font_size)
            text.lines = self._wrapped(text.text, font, width)
            joined = "\n".join(text.lines)
            gap = self._gap(font)
            left, _, right, _ = self._canvas.multiline_textbbox((0, 0), joined, font=font, spacing=gap)
            _, top, _, bottom = self._canvas.multiline_textbbox((0, 0), joined.translate(AS_HIGH), font=font, spacing=gap)
            text.size = (int(right - left), int(bottom - top))

    def height(self, texts: Sequence[GridAnnotation]) -> int:
        """Height of texts below each other."""
        return sum(text.size[1] + self.spacing for text in texts) - self.spacing

    def draw(self, draw: ImageDraw.ImageDraw, texts: Sequence[GridAnnotation], x: float, y: float) -> None:
        """Draw texts below each other around the middle `x`, from `y` down."""
        for text in texts:
            joined = "\n".join(text.lines)
            colour = self.style.active if text.is_active else self.style.inactive
            font = self._fitting(joined, text.size[0])
            self._write(draw, joined, font, colour, (x, y + text.size[1] / 2))
            if not text.is_active:
                level = y + text.size[1] // 2
                ends = (x - text.size[0] // 2, level, x + text.size[0] // 2, level)
                draw.line(ends, fill=self.style.inactive, width=STRIKE_WIDTH)
            y += text.size[1] + self.spacing

    def _write(self, draw: ImageDraw.ImageDraw, text: str, font: ImageFont.FreeTypeFont, colour: str, middle: tuple[float, float]) -> None:
        """Write lines around a middle, the dots of letters no higher than capitals."""
        how: dict[str, Any] = {"font": font, "anchor": "mm", "align": "center", "spacing": self._gap(font)}
        lower = int(font.getbbox("I")[1] - font.getbbox("i")[1])
        if lower <= 0 or not set(text) & {"i", "j"}:
            draw.multiline_text(middle, text, fill=colour, **how)
            return
        left, top, right, bottom = (int(edge) for edge in draw.multiline_textbbox(middle, text, **how))
        canvas = Image.new("L", (right - left + 4, bottom - top + 4 + lower))
        at = middle[0] - left + 2, middle[1] - top + 2
        whole, dotless = canvas.copy(), canvas
        ImageDraw.Draw(whole).multiline_text(at, text, fill=255, **how)
        ImageDraw.Draw(dotless).multiline_text(at, text.translate(DOTLESS), fill=255, **how)
        dots = ImageChops.multiply(whole, dotless.point(lambda ink: 0 if ink else 255))
        letters = ImageChops.subtract(whole, dots)
        draw.bitmap((left - 2, top - 2), ImageChops.lighter(letters, ImageChops.offset(dots, 0, lower)), fill=colour)

    def _font(self, size: int) -> ImageFont.FreeTypeFont:
        return get_font(max(size, 1), self.style.font)

    def _gap(self, font: ImageFont.FreeTypeFont) -> float:
        """Space between lines, which Pillow adds to where a capital ends."""
        # A1111: its Pillow added it to a capital's height
        return LINE_SPACING - self._canvas.textbbox((0, 0), "A", font=font)[1]

    def _fitting(self, text: str, width: int) -> ImageFont.FreeTypeFont:
        """The font, as much smaller as the text needs."""
        size = self.font_size
        while size > 1 and self._canvas.multiline_textbbox((0, 0), text, font=self._font(size))[2] > width:
            size -= 1
        return self._font(size)

    def _wrapped(self, text: str, font: ImageFont.FreeTypeFont, width: int) -> list[str]:
        lines = [""]
        for word in text.split():
            line = f"{lines[-1]} {word}".strip()
            if font.getlength(line) <= width:
                lines[-1] = line
            else:
                lines.append(word)
        return lines


def matrix_legend(options: Sequence[str]) -> tuple[list[list[GridAnnotation]], list[list[GridAnnotation]]]:
    """Texts of a prompt matrix: the first half of the options, rounded up, across; each column and row says which are in."""
    half = math.ceil(len(options) / 2)

    def texts(some: Sequence[str]) -> list[list[GridAnnotation]]:
        positions = range(1 << len(some))
        return [[GridAnnotation(text, bool(position & (1 << bit))) for bit, text in enumerate(some)] for position in positions]

    return texts(options[:half]), texts(options[half:])
