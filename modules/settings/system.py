"""Settings of upscaling, face restoration, training, the process and the API."""

from __future__ import annotations

from .option import Option, checkboxes, dropdown, hidden, multiselect, note, radio, section, slider, whole

UPSCALING = section(
    "upscaling", "Upscaling", "postprocessing",
    Option("ESRGAN_tile", 192, "Tile size for ESRGAN upscalers.", slider(0, 512, 16)),
    Option("ESRGAN_tile_overlap", 8, "Tile overlap for ESRGAN upscalers.", slider(0, 48, 1)),
    Option(
        "realesrgan_enabled_models", ['R-ESRGAN 4x+', 'R-ESRGAN 4x+ Anime6B'],
        "Select which Real-ESRGAN models to show in the web UI.",
        checkboxes(source="realesrgan_models"),
    ),
    Option(
        "dat_enabled_models", ['DAT x2', 'DAT x3', 'DAT x4'],
        "Select which DAT models to show in the web UI.",
        checkboxes(source="dat_models"),
    ),
    Option("DAT_tile", 192, "Tile size for DAT upscalers.", slider(0, 512, 16)),
    Option("DAT_tile_overlap", 8, "Tile overlap for DAT upscalers.", slider(0, 48, 1)),
    Option("upscaler_for_img2img", None, "Upscaler for img2img", dropdown(source="upscalers")),
    Option(
        "set_scale_by_when_changing_upscaler", False,
        "Automatically set the Scale by factor based on the name of the selected Upscaler.",
    ),
)

FACE_RESTORATION = section(
    "face-restoration", "Face restoration", "postprocessing",
    Option("face_restoration", False, "Restore faces", infotext="Face restoration"),
    Option("face_restoration_model", "CodeFormer", "Face restoration model", radio(source="face_restorers")),
    Option("code_former_weight", 0.5, "CodeFormer weight", slider(0, 1, 0.01)),
    Option("face_restoration_unload", False, "Move face restoration model from VRAM into RAM after processing"),
)

SYSTEM = section(
    "system", "System", "system",
    Option(
        "auto_launch_browser", "Local",
        "Automatically open webui in browser on startup",
        radio("Disable", "Local", "Remote"),
    ),
    Option("enable_console_prompts", False, "Print prompts to console when generating with txt2img and img2img."),
    Option("show_warnings", False, "Show warnings in console.", reload_ui=True),
    Option("show_gradio_deprecation_warnings", True, "Show gradio deprecation warnings in console.", reload_ui=True),
    Option("memmon_poll_rate", 8, "VRAM usage polls per second during generation.", slider(0, 40, 1)),
    Option("samples_log_stdout", False, "Always print all generation info to standard output"),
    Option("multiple_tqdm", True, "Add a second progress bar to the console that shows progress for an entire job."),
    Option("enable_upscale_progressbar", True, "Show a progress bar in the console for tiled upscaling."),
    Option("print_hypernet_extra", False, "Print extra hypernetwork information to console."),
    Option("list_hidden_files", True, "Load models/files in hidden directories"),
    Option("disable_mmap_load_safetensors", False, "Disable memmapping for loading .safetensors files."),
    Option("hide_ldm_prints", True, "Prevent Stability-AI's ldm/sgm modules from printing noise to console."),
    Option("dump_stacks_on_signal", False, "Print stack traces before exiting the program with ctrl+c."),
)

PROFILER = section(
    "profiler", "Profiler", "system",
    note(
        "profiling_explanation",
        "Measures with the torch profiler where the time of a generation goes. "
        "Each run replaces the file; it can be large and slow to write.",
    ),
    Option("profiling_enable", False, "Enable profiling"),
    Option("profiling_activities", ['CPU'], "Activities", checkboxes("CPU", "CUDA")),
    Option("profiling_record_shapes", True, "Record shapes"),
    Option("profiling_profile_memory", True, "Profile memory"),
    Option("profiling_with_stack", True, "Include python stack"),
    Option("profiling_filename", "trace.json", "Profile filename"),
)

API = section(
    "API", "API", "system",
    Option("api_enable_requests", True, "Allow http:// and https:// URLs for input images in API", restrict_api=True),
    Option("api_forbid_local_requests", True, "Forbid URLs to local resources", restrict_api=True),
    Option("api_useragent", "", "User agent for requests", restrict_api=True),
)

TRAINING = section(
    "training", "Training", "training",
    Option("unload_models_when_training", False, "Move VAE and CLIP to RAM when training if possible. Saves VRAM."),
    Option(
        "pin_memory", False,
        "Turn on pin_memory for DataLoader. Makes training slightly faster but can increase memory usage.",
    ),
    Option(
        "save_optimizer_state", False,
        "Saves Optimizer state as separate *.optim file. Training of embedding or HN can be resumed"
        " with the matching optim file.",
    ),
    Option(
        "save_training_settings_to_txt", True,
        "Save textual inversion and hypernet settings to a text file whenever training starts.",
    ),
    Option("dataset_filename_word_regex", "", "Filename word regex"),
    Option("dataset_filename_join_string", " ", "Filename join string"),
    Option(
        "training_image_repeats_per_epoch", 1,
        "Number of repeats for a single input image per epoch; used only for displaying epoch number",
        whole(),
    ),
    Option(
        "training_write_csv_every", 500,
        "Save an csv containing the loss to log directory every N steps, 0 to disable",
    ),
    Option("training_xattention_optimizations", False, "Use cross attention optimizations while training"),
    Option("training_enable_tensorboard", False, "Enable tensorboard logging."),
    Option("training_tensorboard_save_images", False, "Save generated images within tensorboard."),
    Option(
        "training_tensorboard_flush_every", 120,
        "How often, in seconds, to flush the pending tensorboard events and summaries to disk.",
    ),
)

INTERROGATE = section(
    "interrogate", "Interrogate", "",
    Option("interrogate_keep_models_in_memory", False, "Keep models in VRAM"),
    Option("interrogate_return_ranks", False, "Include ranks of model tags matches in results."),
    Option("interrogate_clip_num_beams", 1, "BLIP: num_beams", slider(1, 16, 1)),
    Option("interrogate_clip_min_length", 24, "BLIP: minimum description length", slider(1, 128, 1)),
    Option("interrogate_clip_max_length", 48, "BLIP: maximum description length", slider(1, 256, 1)),
    Option("interrogate_clip_dict_limit", 1500, "CLIP: maximum number of lines in text file"),
    Option(
        "interrogate_clip_skip_categories", [],
        "CLIP: skip inquire categories",
        checkboxes(source="interrogate_categories"),
    ),
    Option("interrogate_deepbooru_score_threshold", 0.5, "deepbooru: score threshold", slider(0, 1, 0.01)),
    Option("deepbooru_sort_alpha", True, "deepbooru: sort tags alphabetically"),
    Option("deepbooru_use_spaces", True, "deepbooru: use spaces in tags"),
    Option("deepbooru_escape", True, "deepbooru: escape (\\) brackets"),
    Option("deepbooru_filter_tags", "", "deepbooru: filter out those tags"),
)

POSTPROCESSING = section(
    "postprocessing", "Postprocessing", "postprocessing",
    Option(
        "postprocessing_enable_in_main_ui", [],
        "Enable postprocessing operations in txt2img and img2img tabs",
        multiselect(source="postprocessing"),
    ),
    Option(
        "postprocessing_disable_in_extras", [],
        "Disable postprocessing operations in extras tab",
        multiselect(source="postprocessing"),
    ),
    Option(
        "postprocessing_operation_order", [],
        "Postprocessing operation order",
        multiselect(source="postprocessing"),
    ),
    Option("upscaling_max_images_in_cache", 5, "Maximum number of images in upscaling cache", slider(0, 10, 1)),
    Option(
        "postprocessing_existing_caption_action", "Ignore",
        "Action for existing captions",
        radio("Ignore", "Keep", "Prepend", "Append"),
    ),
)

HIDDEN_OPTIONS = section(
    None, "Hidden options", "",
    Option("disabled_extensions", [], "Disable these extensions", hidden()),
    Option(
        "disable_all_extensions", "none",
        "Disable all extensions (preserves the list of disabled extensions)",
        radio("none", "extra", "all"),
    ),
    Option("restore_config_state_file", "", "Config state file to restore from, under 'config-states/' folder"),
    Option("sd_checkpoint_hash", "", "SHA256 hash of the current checkpoint"),
)
