"""HyperTile: the pipeline does it by its settings; this names the script and gives plots its axes."""

from __future__ import annotations

from modules import script_callbacks, scripts


class ScriptHypertile(scripts.Script):
    """Present in lists of scripts; its settings are on a page of their own."""

    name = "Hypertile"

    def title(self):
        return self.name

    def show(self, is_img2img):
        return scripts.AlwaysVisible


AXES = (
    ("Unet First pass Enabled", "hypertile_enable_unet", None),
    ("Unet Second pass Enabled", "hypertile_enable_unet_secondpass", None),
    ("Unet Max Depth", "hypertile_max_depth_unet", 3),
    ("Unet Max Tile Size", "hypertile_max_tile_unet", 512),
    ("Unet Swap Size", "hypertile_swap_size_unet", 64),
    ("VAE Enabled", "hypertile_enable_vae", None),
    ("VAE Max Depth", "hypertile_max_depth_vae", 3),
    ("VAE Max Tile Size", "hypertile_max_tile_vae", 512),
    ("VAE Swap Size", "hypertile_swap_size_vae", 64),
)
"""Label, setting, and the largest number where it is one."""


def add_axis_options():
    """The axes of the X/Y/Z plot, if it is there."""
    plots = [data.module for data in scripts.scripts_data if data.script_class.__module__ == "xyz_grid.py"]
    for plot in plots[:1]:
        known = {option.label for option in plot.axis_options}
        plot.axis_options += [option for axis in AXES if (option := axis_option(plot, *axis)).label not in known]


def axis_option(plot, label, setting, largest):
    """An axis of a setting: yes or no, or a number from 0."""
    label = f"[Hypertile] {label}"
    if largest is None:
        return plot.AxisOption(label, str, plot.apply_override(setting, True), choices=plot.boolean_choice(reverse=True))
    return plot.AxisOption(label, int, plot.apply_override(setting), confirm=plot.confirm_range(0, largest, label))


script_callbacks.on_before_ui(add_axis_options)
