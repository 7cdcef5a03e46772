"""Colours, type and spacing of the page, for both themes; fonts are the system's own, nothing is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr

SANS = (
    "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "Noto Sans CJK KR",
    "Apple SD Gothic Neo", "Malgun Gothic", "sans-serif",
)  # fmt: skip
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "Noto Sans Mono", "monospace")


def easel_theme() -> gr.themes.Base:
    """A quiet grey page with one accent; text contrast is at least 4.5:1 in both themes."""
    import gradio as gr

    theme = gr.themes.Base(
        primary_hue=gr.themes.colors.indigo,
        neutral_hue=gr.themes.colors.slate,
        font=SANS,
        font_mono=MONO,
        text_size=gr.themes.sizes.text_sm,
        spacing_size=gr.themes.sizes.spacing_sm,
        radius_size=gr.themes.sizes.radius_sm,
    )
    return theme.set(
        body_background_fill="#f6f7f9",
        body_background_fill_dark="#14161b",
        body_text_color="#1f2430",
        body_text_color_dark="#e6e8ee",
        body_text_color_subdued="#596174",
        body_text_color_subdued_dark="#a3abba",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="#1b1e25",
        background_fill_secondary="#f0f2f5",
        background_fill_secondary_dark="#22262f",
        border_color_primary="#dde1e8",
        border_color_primary_dark="#303644",
        block_background_fill="#ffffff",
        block_background_fill_dark="#1b1e25",
        block_border_width="1px",
        block_border_width_dark="1px",
        block_border_color="#dde1e8",
        block_border_color_dark="#303644",
        block_label_text_color="#3d4558",
        block_label_text_color_dark="#c3c9d6",
        block_title_text_color="#3d4558",
        block_title_text_color_dark="#c3c9d6",
        block_title_text_weight="500",
        block_shadow="none",
        input_background_fill="#ffffff",
        input_background_fill_dark="#14161b",
        input_border_color="#ccd2dc",
        input_border_color_dark="#3a4150",
        input_placeholder_color="#6a7285",
        input_placeholder_color_dark="#8b94a6",
        input_shadow="none",
        input_border_width="1px",
        input_border_width_dark="1px",
        input_border_color_focus="#4f5bd5",
        input_border_color_focus_dark="#8e98ff",
        input_padding="*spacing_md",
        button_primary_background_fill="#4f5bd5",
        button_primary_background_fill_dark="#5a66e0",
        button_primary_background_fill_hover="#424dbe",
        button_primary_background_fill_hover_dark="#6b76ea",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
        button_secondary_background_fill="#eef0f4",
        button_secondary_background_fill_dark="#262b35",
        button_secondary_background_fill_hover="#e2e6ec",
        button_secondary_background_fill_hover_dark="#323845",
        button_secondary_border_color="#d3d8e1",
        button_secondary_border_color_dark="#3a4150",
        slider_color="#4f5bd5",
        slider_color_dark="#7d88f5",
        color_accent="#4f5bd5",
        checkbox_background_color_selected="#4f5bd5",
        checkbox_background_color_selected_dark="#5a66e0",
        checkbox_border_color_selected="#4f5bd5",
        checkbox_border_color_selected_dark="#5a66e0",
    )
