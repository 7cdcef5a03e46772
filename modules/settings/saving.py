"""Settings of saved pictures: formats, names, folders."""

from __future__ import annotations

from .option import Option, color, radio, section, slider

SAVING_IMAGES_GRIDS = section(
    "saving-images", "Saving images/grids", "saving",
    Option("samples_save", True, "Always save all generated images"),
    Option("samples_format", "png", "File format for images"),
    Option("samples_filename_pattern", "", "Images filename pattern", directory=True),
    Option("save_images_add_number", True, "Add number to filename when saving", directory=True),
    Option(
        "save_images_replace_action", "Replace",
        "Saving the image to an existing file",
        radio("Replace", "Add number suffix"),
        directory=True,
    ),
    Option("grid_save", True, "Always save all generated image grids"),
    Option("grid_format", "png", "File format for grids"),
    Option("grid_extended_filename", False, "Add extended info (seed, prompt) to filename when saving grid"),
    Option("grid_only_if_multiple", True, "Do not save grids consisting of one picture"),
    Option("grid_prevent_empty_spots", False, "Prevent empty spots in grid (when set to autodetect)"),
    Option("grid_zip_filename_pattern", "", "Archive filename pattern", directory=True),
    Option(
        "n_rows", -1,
        "Grid row count; use -1 for autodetect and 0 for it to be same as batch size",
        slider(-1, 16, 1),
    ),
    Option("font", "", "Font for image grids that have text"),
    Option("grid_text_active_color", "#000000", "Text color for image grids", color()),
    Option("grid_text_inactive_color", "#999999", "Inactive text color for image grids", color()),
    Option("grid_background_color", "#ffffff", "Background color for image grids", color()),
    Option("save_images_before_face_restoration", False, "Save a copy of image before doing face restoration."),
    Option("save_images_before_highres_fix", False, "Save a copy of image before applying highres fix."),
    Option(
        "save_images_before_color_correction", False,
        "Save a copy of image before applying color correction to img2img results",
    ),
    Option("save_mask", False, "For inpainting, save a copy of the greyscale mask"),
    Option("save_mask_composite", False, "For inpainting, save a masked composite"),
    Option("jpeg_quality", 80, "Quality for saved jpeg and avif images", slider(1, 100, 1)),
    Option("webp_lossless", False, "Use lossless compression for webp images"),
    Option("export_for_4chan", True, "Save copy of large images as JPG"),
    Option("img_downscale_threshold", 4.0, "File size limit for the above option, MB"),
    Option("target_side_length", 4000, "Width/height limit for the above option, in pixels"),
    Option("img_max_size_mp", 200, "Maximum image size"),
    Option(
        "use_original_name_batch", True,
        "Use original name for output filename during batch process in extras tab",
    ),
    Option("use_upscaler_name_as_suffix", False, "Use upscaler name as filename suffix in the extras tab"),
    Option("save_selected_only", True, "When using 'Save' button, only save a single selected image"),
    Option("save_write_log_csv", True, "Write log.csv when saving images using 'Save' button"),
    Option("save_init_img", False, "Save init images when using img2img"),
    Option("temp_dir", "", "Directory for temporary images; leave empty for default"),
    Option("clean_temp_dir_at_start", False, "Cleanup non-default temporary directory when starting webui"),
    Option("save_incomplete_images", False, "Save incomplete images"),
    Option("notification_audio", True, "Play notification sound after image generation", reload_ui=True),
    Option("notification_volume", 100, "Notification sound volume", slider(0, 100, 1)),
)

PATHS_FOR_SAVING = section(
    "saving-paths", "Paths for saving", "saving",
    Option(
        "outdir_samples", "",
        "Output directory for images; if empty, defaults to three directories below",
        directory=True,
    ),
    Option("outdir_txt2img_samples", "outputs/txt2img-images", "Output directory for txt2img images", directory=True),
    Option("outdir_img2img_samples", "outputs/img2img-images", "Output directory for img2img images", directory=True),
    Option(
        "outdir_extras_samples", "outputs/extras-images",
        "Output directory for images from extras tab",
        directory=True,
    ),
    Option(
        "outdir_grids", "",
        "Output directory for grids; if empty, defaults to two directories below",
        directory=True,
    ),
    Option("outdir_txt2img_grids", "outputs/txt2img-grids", "Output directory for txt2img grids", directory=True),
    Option("outdir_img2img_grids", "outputs/img2img-grids", "Output directory for img2img grids", directory=True),
    Option("outdir_save", "log/images", "Directory for saving images using the Save button", directory=True),
    Option(
        "outdir_init_images", "outputs/init-images",
        "Directory for saving init images when using img2img",
        directory=True,
    ),
)

SAVING_TO_A_DIRECTORY = section(
    "saving-to-dirs", "Saving to a directory", "saving",
    Option("save_to_dirs", True, "Save images to a subdirectory"),
    Option("grid_save_to_dirs", True, "Save grids to a subdirectory"),
    Option("use_save_to_dirs_for_ui", False, "When using \"Save\" button, save images to a subdirectory"),
    Option("directories_filename_pattern", "[date]", "Directory name pattern", directory=True),
    Option(
        "directories_max_prompt_words", 8,
        "Max prompt words for [prompt_words] pattern",
        slider(1, 20, 1),
        directory=True,
    ),
)
