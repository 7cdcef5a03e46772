"""Settings that a picture depends on: models, sampling, guidance, compatibility."""

from __future__ import annotations

from .option import Option, checkboxes, color, dropdown, note, radio, section, slider, whole

STABLE_DIFFUSION = section(
    "sd", "Stable Diffusion", "sd",
    Option(
        "sd_model_checkpoint", None,
        "Stable Diffusion checkpoint",
        dropdown(source="checkpoints"),
        infotext="Model hash",
    ),
    Option("sd_checkpoints_limit", 1, "Maximum number of checkpoints loaded at the same time", slider(1, 10, 1)),
    Option("sd_checkpoints_keep_in_cpu", True, "Only keep one model on device"),
    Option("sd_checkpoint_cache", 0, "Checkpoints to cache in RAM", slider(0, 10, 1)),
    Option("sd_unet", "Automatic", "SD Unet", dropdown(source="unets")),
    Option(
        "enable_quantization", False,
        "Enable quantization in K samplers for sharper and cleaner results. This may change existing seeds",
        reload_ui=True,
    ),
    Option(
        "emphasis", "Original",
        "Emphasis mode",
        radio("None", "Ignore", "Original", "No norm"),
        infotext="Emphasis",
    ),
    Option(
        "enable_batch_seeds", True,
        "Make K-diffusion samplers produce same images in a batch as when making a single image",
    ),
    Option("comma_padding_backtrack", 20, "Prompt word wrap length limit", slider(0, 74, 1)),
    Option("sdxl_clip_l_skip", False, "Clip skip SDXL"),
    Option("CLIP_stop_at_last_layers", 1, "Clip skip", slider(1, 12, 1), infotext="Clip skip"),
    Option("upcast_attn", False, "Upcast cross attention layer to float32"),
    Option("randn_source", "GPU", "Random number generator source.", radio("GPU", "CPU", "NV"), infotext="RNG"),
    Option("tiling", False, "Tiling", infotext="Tiling"),
    Option(
        "hires_fix_refiner_pass", "second pass",
        "Hires fix: which pass to enable refiner for",
        radio("first pass", "second pass", "both passes"),
        infotext="Hires refiner",
    ),
)

STABLE_DIFFUSION_XL = section(
    "sdxl", "Stable Diffusion XL", "sd",
    Option("sdxl_crop_top", 0, "crop top coordinate"),
    Option("sdxl_crop_left", 0, "crop left coordinate"),
    Option("sdxl_refiner_low_aesthetic_score", 2.5, "SDXL low aesthetic score"),
    Option("sdxl_refiner_high_aesthetic_score", 6.0, "SDXL high aesthetic score"),
)

STABLE_DIFFUSION_3 = section(
    "sd3", "Stable Diffusion 3", "sd",
    Option("sd3_enable_t5", False, "Enable T5"),
)

VAE = section(
    "vae", "VAE", "sd",
    note("sd_vae_explanation", "The VAE turns pixels into the latent picture that is sampled, and the result back into pixels."),
    Option("sd_vae_checkpoint_cache", 0, "VAE Checkpoints to cache in RAM", slider(0, 10, 1)),
    Option("sd_vae", "Automatic", "SD VAE", dropdown(source="vaes"), infotext="VAE"),
    Option("sd_vae_overrides_per_model_preferences", True, "Selected VAE overrides per-model preferences"),
    Option("auto_vae_precision_bfloat16", False, "Automatically convert VAE to bfloat16"),
    Option("auto_vae_precision", True, "Automatically revert VAE to 32-bit floats"),
    Option("sd_vae_encode_method", "Full", "VAE type for encode", radio("Full", "TAESD"), infotext="VAE Encoder"),
    Option("sd_vae_decode_method", "Full", "VAE type for decode", radio("Full", "TAESD"), infotext="VAE Decoder"),
)

IMG2IMG = section(
    "img2img", "img2img", "sd",
    Option(
        "inpainting_mask_weight", 1.0,
        "Inpainting conditioning mask strength",
        slider(0.0, 1.0, 0.01),
        infotext="Conditional mask weight",
    ),
    Option(
        "initial_noise_multiplier", 1.0,
        "Noise multiplier for img2img",
        slider(0.0, 1.5, 0.001),
        infotext="Noise multiplier",
    ),
    Option(
        "img2img_extra_noise", 0.0,
        "Extra noise multiplier for img2img and hires fix",
        slider(0.0, 1.0, 0.01),
        infotext="Extra noise",
    ),
    Option("img2img_color_correction", False, "Apply color correction to img2img results to match original colors."),
    Option("img2img_fix_steps", False, "With img2img, do exactly the amount of steps the slider specifies."),
    Option(
        "img2img_background_color", "#ffffff",
        "With img2img, fill transparent parts of the input image with this color.",
        color(),
    ),
    Option("img2img_editor_height", 720, "Height of the image editor", slider(80, 1600, 1), reload_ui=True),
    Option("img2img_sketch_default_brush_color", "#ffffff", "Sketch initial brush color", color(), reload_ui=True),
    Option("img2img_inpaint_mask_brush_color", "#ffffff", "Inpaint mask brush color", color(), reload_ui=True),
    Option(
        "img2img_inpaint_sketch_default_brush_color", "#ffffff",
        "Inpaint sketch initial brush color",
        color(),
        reload_ui=True,
    ),
    Option("return_mask", False, "For inpainting, include the greyscale mask in results for web"),
    Option("return_mask_composite", False, "For inpainting, include masked composite in results for web"),
    Option(
        "img2img_batch_show_results_limit", 32,
        "Show the first N batch img2img results in UI",
        slider(-1, 1000, 1),
    ),
    Option("overlay_inpaint", True, "Overlay original for inpaint"),
)

OPTIMIZATIONS = section(
    "optimizations", "Optimizations", "sd",
    Option("cross_attention_optimization", "Automatic", "Cross attention optimization", dropdown(source="attention")),
    Option("s_min_uncond", 0.0, "Negative Guidance minimum sigma", slider(0.0, 15.0, 0.01), infotext="NGMS"),
    Option("s_min_uncond_all", False, "Negative Guidance minimum sigma all steps", infotext="NGMS all steps"),
    Option("token_merging_ratio", 0.0, "Token merging ratio", slider(0.0, 0.9, 0.1), infotext="Token merging ratio"),
    Option("token_merging_ratio_img2img", 0.0, "Token merging ratio for img2img", slider(0.0, 0.9, 0.1)),
    Option(
        "token_merging_ratio_hr", 0.0,
        "Token merging ratio for high-res pass",
        slider(0.0, 0.9, 0.1),
        infotext="Token merging ratio hr",
    ),
    Option("pad_cond_uncond", False, "Pad prompt/negative prompt", infotext="Pad conds"),
    Option("pad_cond_uncond_v0", False, "Pad prompt/negative prompt (v0)", infotext="Pad conds v0"),
    Option("persistent_cond_cache", True, "Persistent cond cache"),
    Option("batch_cond_uncond", True, "Batch cond/uncond"),
    Option("fp8_storage", "Disable", "FP8 weight", radio("Disable", "Enable for SDXL", "Enable")),
    Option("cache_fp16_weight", False, "Cache FP16 weight for LoRA"),
)

COMPATIBILITY = section(
    "compatibility", "Compatibility", "sd",
    Option("auto_backcompat", True, "Automatic backward compatibility"),
    Option(
        "use_old_emphasis_implementation", False,
        "Use old emphasis implementation. Can be useful to reproduce old seeds.",
    ),
    Option("use_old_karras_scheduler_sigmas", False, "Use old karras scheduler sigmas (0.1 to 10)."),
    Option(
        "no_dpmpp_sde_batch_determinism", False,
        "Do not make DPM++ SDE deterministic across different batch sizes.",
    ),
    Option(
        "use_old_hires_fix_width_height", False,
        "For hires fix, use width/height sliders to set final resolution rather than first pass "
        "(disables Upscale by, Resize width/height to).",
    ),
    Option(
        "hires_fix_use_firstpass_conds", False,
        "For hires fix, calculate conds of second pass using extra networks of first pass.",
    ),
    Option("use_old_scheduling", False, "Use old prompt editing timelines.", infotext="Old prompt editing timelines"),
    Option(
        "use_downcasted_alpha_bar", False,
        "Downcast model alphas_cumprod to fp16 before sampling. For reproducing old seeds.",
        infotext="Downcast alphas_cumprod",
    ),
    Option(
        "refiner_switch_by_sample_steps", False,
        "Switch to refiner by sampling steps instead of model timesteps. Old behavior for refiner.",
        infotext="Refiner switch by sampling steps",
    ),
)

EXTRA_NETWORKS = section(
    "extra_networks", "Extra Networks", "sd",
    Option("extra_networks_show_hidden_directories", True, "Show hidden directories"),
    Option("extra_networks_dir_button_function", False, "Add a '/' to the beginning of directory buttons"),
    Option(
        "extra_networks_hidden_models", "When searched",
        "Show cards for models in hidden directories",
        radio("Always", "When searched", "Never"),
    ),
    Option("extra_networks_default_multiplier", 1.0, "Default multiplier for extra networks", slider(0.0, 2.0, 0.01)),
    Option("extra_networks_card_width", 0, "Card width for Extra Networks"),
    Option("extra_networks_card_height", 0, "Card height for Extra Networks"),
    Option("extra_networks_card_text_scale", 1.0, "Card text scale", slider(0.0, 2.0, 0.01)),
    Option("extra_networks_card_show_desc", True, "Show description on card"),
    Option("extra_networks_card_description_is_html", False, "Treat card description as HTML"),
    Option(
        "extra_networks_card_order_field", "Path",
        "Default order field for Extra Networks cards",
        dropdown("Path", "Name", "Date Created", "Date Modified"),
        reload_ui=True,
    ),
    Option(
        "extra_networks_card_order", "Ascending",
        "Default order for Extra Networks cards",
        dropdown("Ascending", "Descending"),
        reload_ui=True,
    ),
    Option(
        "extra_networks_tree_view_style", "Dirs",
        "Extra Networks directory view style",
        radio("Tree", "Dirs"),
        reload_ui=True,
    ),
    Option(
        "extra_networks_tree_view_default_enabled", True,
        "Show the Extra Networks directory view by default",
        reload_ui=True,
    ),
    Option(
        "extra_networks_tree_view_default_width", 180,
        "Default width for the Extra Networks directory tree view",
        reload_ui=True,
    ),
    Option("extra_networks_add_text_separator", " ", "Extra networks separator"),
    Option("ui_extra_networks_tab_reorder", "", "Extra networks tab order", reload_ui=True),
    Option(
        "textual_inversion_print_at_load", False,
        "Print a list of Textual Inversion embeddings when loading model",
    ),
    Option("textual_inversion_add_hashes_to_infotext", True, "Add Textual Inversion hashes to infotext"),
    Option("sd_hypernetwork", "None", "Add hypernetwork to prompt", dropdown(source="hypernetworks")),
)

SAMPLER_PARAMETERS = section(
    "sampler-params", "Sampler parameters", "sd",
    Option("hide_samplers", [], "Hide samplers in user interface", checkboxes(source="samplers"), reload_ui=True),
    Option("eta_ddim", 0.0, "Eta for DDIM", slider(0.0, 1.0, 0.01), infotext="Eta DDIM"),
    Option("eta_ancestral", 1.0, "Eta for k-diffusion samplers", slider(0.0, 1.0, 0.01), infotext="Eta"),
    Option("ddim_discretize", "uniform", "img2img DDIM discretize", radio("uniform", "quad")),
    Option("s_churn", 0.0, "sigma churn", slider(0.0, 100.0, 0.01), infotext="Sigma churn"),
    Option("s_tmin", 0.0, "sigma tmin", slider(0.0, 10.0, 0.01), infotext="Sigma tmin"),
    Option("s_tmax", 0.0, "sigma tmax", slider(0.0, 999.0, 0.01), infotext="Sigma tmax"),
    Option("s_noise", 1.0, "sigma noise", slider(0.0, 1.1, 0.001), infotext="Sigma noise"),
    Option("sigma_min", 0.0, "sigma min", infotext="Schedule min sigma"),
    Option("sigma_max", 0.0, "sigma max", infotext="Schedule max sigma"),
    Option("rho", 0.0, "rho", infotext="Schedule rho"),
    Option("eta_noise_seed_delta", 0, "Eta noise seed delta", whole(), infotext="ENSD"),
    Option(
        "always_discard_next_to_last_sigma", False,
        "Always discard next-to-last sigma",
        infotext="Discard penultimate sigma",
    ),
    Option("sgm_noise_multiplier", False, "SGM noise multiplier", infotext="SGM noise multiplier"),
    Option("uni_pc_variant", "bh1", "UniPC variant", radio("bh1", "bh2", "vary_coeff"), infotext="UniPC variant"),
    Option(
        "uni_pc_skip_type", "time_uniform",
        "UniPC skip type",
        radio("time_uniform", "time_quadratic", "logSNR"),
        infotext="UniPC skip type",
    ),
    Option("uni_pc_order", 3, "UniPC order", slider(1, 50, 1), infotext="UniPC order"),
    Option("uni_pc_lower_order_final", True, "UniPC lower order final", infotext="UniPC lower order final"),
    Option(
        "sd_noise_schedule", "Default",
        "Noise schedule for sampling",
        radio("Default", "Zero Terminal SNR"),
        infotext="Noise Schedule",
    ),
    Option(
        "skip_early_cond", 0.0,
        "Ignore negative prompt during early sampling",
        slider(0.0, 1.0, 0.01),
        infotext="Skip Early CFG",
    ),
    Option(
        "beta_dist_alpha", 0.6,
        "Beta scheduler - alpha",
        slider(0.01, 1.0, 0.01),
        infotext="Beta scheduler alpha",
    ),
    Option("beta_dist_beta", 0.6, "Beta scheduler - beta", slider(0.01, 1.0, 0.01), infotext="Beta scheduler beta"),
)
