"""Settings that A1111's bundled extensions and scripts add."""

from __future__ import annotations

from .option import Option, checkboxes, dropdown, multiselect, note, radio, section, slider, whole

BUILTIN_STABLE_DIFFUSION = section(
    "sd", "Stable Diffusion", "sd",
    Option("enable_prompt_comments", True, "Enable comments"),
)

BUILTIN_EXTRA_NETWORKS = section(
    "extra_networks", "Extra Networks", "sd",
    Option("sd_lora", "None", "Add network to prompt", dropdown(source="loras")),
    Option(
        "lora_preferred_name", "Alias from file",
        "When adding to prompt, refer to Lora by",
        radio("Alias from file", "Filename"),
    ),
    Option("lora_add_hashes_to_infotext", True, "Add Lora hashes to infotext"),
    Option("lora_bundled_ti_to_infotext", True, "Add Lora name as TI hashes for bundled Textual Inversion"),
    Option("lora_show_all", False, "Always show all networks on the Lora page"),
    Option(
        "lora_hide_unknown_for_versions", [],
        "Hide networks of unknown versions for model versions",
        checkboxes("SD1", "SD2", "SDXL"),
    ),
    Option("lora_in_memory_limit", 0, "Number of Lora networks to keep cached in memory", whole()),
    Option("lora_not_found_warning_console", False, "Lora not found warning in console"),
    Option("lora_not_found_gradio_warning", False, "Lora not found warning popup in webui"),
)

BUILTIN_COMPATIBILITY = section(
    "compatibility", "Compatibility", "sd",
    Option(
        "lora_functional", False,
        "Lora/Networks: use old method that takes longer when you have multiple Loras active and "
        "produces same results as kohya-ss/sd-webui-additional-networks extension",
    ),
)

BUILTIN_CANVAS_HOTKEYS = section(
    "canvas_hotkey", "Canvas Hotkeys", "",
    Option("canvas_hotkey_zoom", "Alt", "Zoom canvas", radio("Shift", "Ctrl", "Alt")),
    Option("canvas_hotkey_adjust", "Ctrl", "Adjust brush size", radio("Shift", "Ctrl", "Alt")),
    Option("canvas_hotkey_shrink_brush", "Q", "Shrink the brush size"),
    Option("canvas_hotkey_grow_brush", "W", "Enlarge the brush size"),
    Option("canvas_hotkey_move", "F", "Moving the canvas"),
    Option(
        "canvas_hotkey_fullscreen", "S",
        "Fullscreen Mode, maximizes the picture so that it fits into the screen and stretches it to its full width ",
    ),
    Option("canvas_hotkey_reset", "R", "Reset zoom and canvas position"),
    Option("canvas_hotkey_overlap", "O", "Toggle overlap"),
    Option("canvas_show_tooltip", True, "Enable tooltip on the canvas"),
    Option(
        "canvas_auto_expand", True,
        "Automatically expands an image that does not fit completely in the canvas area, similar to"
        " manually pressing the S and R buttons",
    ),
    Option("canvas_blur_prompt", False, "Take the focus off the prompt when working with a canvas"),
    Option(
        "canvas_disabled_functions", ['Overlap'],
        "Disable function that you don't use",
        checkboxes("Zoom", "Adjust brush size", "Hotkey enlarge brush", "Hotkey shrink brush",
                   "Moving canvas", "Fullscreen", "Reset Zoom", "Overlap"),
    ),
)

BUILTIN_SETTINGS_IN_UI = section(
    "settings_in_ui", "Settings in UI", "ui",
    note("settings_in_ui", "Settings chosen here are shown in the txt2img and img2img tabs."),
    Option("extra_options_txt2img", [], "Settings for txt2img", multiselect(source="settings"), reload_ui=True),
    Option("extra_options_img2img", [], "Settings for img2img", multiselect(source="settings"), reload_ui=True),
    Option("extra_options_cols", 1, "Number of columns for added settings", slider(1, 20, 1), reload_ui=True),
    Option("extra_options_accordion", False, "Place added settings into an accordion", reload_ui=True),
)

BUILTIN_HYPERTILE = section(
    "hypertile", "Hypertile", "",
    note("hypertile_explanation", "Hypertile splits self-attention into tiles: faster at large sizes, with small changes to the picture."),
    Option("hypertile_enable_unet", False, "Enable Hypertile U-Net", infotext="Hypertile U-Net"),
    Option(
        "hypertile_enable_unet_secondpass", False,
        "Enable Hypertile U-Net for hires fix second pass",
        infotext="Hypertile U-Net second pass",
    ),
    Option(
        "hypertile_max_depth_unet", 3,
        "Hypertile U-Net max depth",
        slider(0, 3, 1),
        infotext="Hypertile U-Net max depth",
    ),
    Option(
        "hypertile_max_tile_unet", 256,
        "Hypertile U-Net max tile size",
        slider(0, 512, 16),
        infotext="Hypertile U-Net max tile size",
    ),
    Option(
        "hypertile_swap_size_unet", 3,
        "Hypertile U-Net swap size",
        slider(0, 64, 1),
        infotext="Hypertile U-Net swap size",
    ),
    Option("hypertile_enable_vae", False, "Enable Hypertile VAE", infotext="Hypertile VAE"),
    Option(
        "hypertile_max_depth_vae", 3,
        "Hypertile VAE max depth",
        slider(0, 3, 1),
        infotext="Hypertile VAE max depth",
    ),
    Option(
        "hypertile_max_tile_vae", 128,
        "Hypertile VAE max tile size",
        slider(0, 512, 16),
        infotext="Hypertile VAE max tile size",
    ),
    Option(
        "hypertile_swap_size_vae", 3,
        "Hypertile VAE swap size ",
        slider(0, 64, 1),
        infotext="Hypertile VAE swap size",
    ),
)

BUILTIN_UPSCALING = section(
    "upscaling", "Upscaling", "postprocessing",
    Option("SCUNET_tile", 256, "Tile size for SCUNET upscalers.", slider(0, 512, 16)),
    Option("SCUNET_tile_overlap", 8, "Tile overlap for SCUNET upscalers.", slider(0, 64, 1)),
    Option("SWIN_tile", 192, "Tile size for all SwinIR.", slider(16, 512, 16)),
    Option(
        "SWIN_tile_overlap", 8,
        "Tile overlap, in pixels for SwinIR. Low values = visible seam.",
        slider(0, 48, 1),
    ),
    Option("SWIN_torch_compile", False, "Use torch.compile to accelerate SwinIR."),
    Option("ldsr_steps", 100, "LDSR processing steps. Lower = faster", slider(1, 200, 1)),
    Option("ldsr_cached", False, "Cache LDSR model in memory"),
)
