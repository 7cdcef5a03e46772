"""Settings of the page: prompt editing, gallery, layout, infotext, previews."""

from __future__ import annotations

from .option import Option, checkboxes, combobox, dropdown, multiselect, note, radio, section, slider

PROMPT_EDITING = section(
    "ui_prompt_editing", "Prompt editing", "ui",
    Option(
        "keyedit_precision_attention", 0.1,
        "Precision for (attention:1.1) when editing the prompt with Ctrl+up/down",
        slider(0.01, 0.2, 0.001),
    ),
    Option(
        "keyedit_precision_extra", 0.05,
        "Precision for <extra networks:0.9> when editing the prompt with Ctrl+up/down",
        slider(0.01, 0.2, 0.001),
    ),
    Option("keyedit_delimiters", ".,\\/!?%^*;:{}=`~() ", "Word delimiters when editing the prompt with Ctrl+up/down"),
    Option(
        "keyedit_delimiters_whitespace", ['Tab', 'Carriage Return', 'Line Feed'],
        "Ctrl+up/down whitespace delimiters",
        checkboxes("Tab", "Carriage Return", "Line Feed"),
    ),
    Option("keyedit_move", True, "Alt+left/right moves prompt elements"),
    Option("disable_token_counters", False, "Disable prompt token counters"),
    Option("include_styles_into_token_counters", True, "Count tokens of enabled styles"),
)

GALLERY = section(
    "ui_gallery", "Gallery", "ui",
    Option("return_grid", True, "Show grid in gallery"),
    Option("do_not_show_images", False, "Do not show any images in gallery"),
    Option("js_modal_lightbox", True, "Full page image viewer: enable"),
    Option("js_modal_lightbox_initially_zoomed", True, "Full page image viewer: show images zoomed in by default"),
    Option("js_modal_lightbox_gamepad", False, "Full page image viewer: navigate with gamepad"),
    Option("js_modal_lightbox_gamepad_repeat", 250, "Full page image viewer: gamepad repeat period"),
    Option(
        "sd_webui_modal_lightbox_icon_opacity", 1,
        "Full page image viewer: control icon unfocused opacity",
        slider(0.0, 1, 0.01),
        reload_ui=True,
    ),
    Option(
        "sd_webui_modal_lightbox_toolbar_opacity", 0.9,
        "Full page image viewer: tool bar opacity",
        slider(0.0, 1, 0.01),
        reload_ui=True,
    ),
    Option("gallery_height", "", "Gallery height", reload_ui=True),
    Option(
        "open_dir_button_choice", "Subdirectory",
        "What directory the [📂] button opens",
        radio("Output Root", "Subdirectory", "Subdirectory (even temp dir)"),
    ),
)

UI_ALTERNATIVES = section(
    "ui_alternatives", "UI alternatives", "ui",
    Option("compact_prompt_box", False, "Compact prompt layout", reload_ui=True),
    Option("samplers_in_dropdown", True, "Use dropdown for sampler selection instead of radio group", reload_ui=True),
    Option("dimensions_and_batch_together", True, "Show Width/Height and Batch sliders in same row", reload_ui=True),
    Option("sd_checkpoint_dropdown_use_short", False, "Checkpoint dropdown: use filenames without paths"),
    Option("hires_fix_show_sampler", False, "Hires fix: show hires checkpoint and sampler selection", reload_ui=True),
    Option("hires_fix_show_prompts", False, "Hires fix: show hires prompt and negative prompt", reload_ui=True),
    Option("txt2img_settings_accordion", False, "Settings in txt2img hidden under Accordion", reload_ui=True),
    Option("img2img_settings_accordion", False, "Settings in img2img hidden under Accordion", reload_ui=True),
    Option("interrupt_after_current", True, "Don't Interrupt in the middle"),
)

USER_INTERFACE = section(
    "ui", "User interface", "ui",
    Option("localization", "None", "Localization", dropdown(source="localizations"), reload_ui=True),
    Option(
        "quicksettings_list", ['sd_model_checkpoint'],
        "Quicksettings list",
        multiselect(source="settings"),
        reload_ui=True,
    ),
    Option("ui_tab_order", [], "UI tab order", multiselect(source="tabs"), reload_ui=True),
    Option("hidden_tabs", [], "Hidden UI tabs", multiselect(source="tabs"), reload_ui=True),
    Option(
        "ui_reorder_list", [],
        "UI item order for txt2img/img2img tabs",
        multiselect(source="interface_items"),
        reload_ui=True,
    ),
    Option("gradio_theme", "Default", "Gradio theme", combobox(source="themes"), reload_ui=True),
    Option("gradio_themes_cache", True, "Cache gradio themes locally"),
    Option("show_progress_in_title", True, "Show generation progress in window title."),
    Option("send_seed", True, "Send seed when sending prompt or image to other interface"),
    Option("send_size", True, "Send size when sending prompt or image to another interface"),
    Option("enable_reloading_ui_scripts", False, "Reload UI scripts when using Reload UI option"),
)

INFOTEXT = section(
    "infotext", "Infotext", "ui",
    note("infotext_explanation", "Infotext is the text of parameters stored inside a picture; it makes the picture again."),
    Option("enable_pnginfo", True, "Write infotext to metadata of the generated image"),
    Option("save_txt", False, "Create a text file with infotext next to every generated image"),
    Option("add_model_name_to_info", True, "Add model name to infotext"),
    Option("add_model_hash_to_info", True, "Add model hash to infotext"),
    Option("add_vae_name_to_info", True, "Add VAE name to infotext"),
    Option("add_vae_hash_to_info", True, "Add VAE hash to infotext"),
    Option("add_user_name_to_info", False, "Add user name to infotext when authenticated"),
    Option("add_version_to_infotext", True, "Add program version to infotext"),
    Option("disable_weights_auto_swap", True, "Disregard checkpoint information from pasted infotext"),
    Option(
        "infotext_skip_pasting", [],
        "Disregard fields from pasted infotext",
        multiselect(source="infotext_fields"),
    ),
    Option(
        "infotext_styles", "Apply if any",
        "Infer styles from prompts of pasted infotext",
        radio("Ignore", "Apply", "Discard", "Apply if any"),
    ),
)

LIVE_PREVIEWS = section(
    "ui", "Live previews", "ui",
    Option("show_progressbar", True, "Show progressbar"),
    Option("live_previews_enable", True, "Show live previews of the created image"),
    Option("live_previews_image_format", "png", "Live preview file format", radio("jpeg", "png", "webp")),
    Option("show_progress_grid", True, "Show previews of all images generated in a batch as a grid"),
    Option("show_progress_every_n_steps", 10, "Live preview display period", slider(-1, 32, 1)),
    Option(
        "show_progress_type", "Approx NN",
        "Live preview method",
        radio("Full", "Approx NN", "Approx cheap", "TAESD"),
    ),
    Option("live_preview_allow_lowvram_full", False, "Allow Full live preview method with lowvram/medvram"),
    Option("live_preview_content", "Prompt", "Live preview subject", radio("Combined", "Prompt", "Negative prompt")),
    Option("live_preview_refresh_period", 1000, "Progressbar and preview update period"),
    Option("live_preview_fast_interrupt", False, "Return image with chosen live preview method on interrupt"),
    Option("js_live_preview_in_modal_lightbox", False, "Show Live preview in full page image viewer"),
    Option("prevent_screen_sleep_during_generation", True, "Prevent screen sleep during generation"),
)
