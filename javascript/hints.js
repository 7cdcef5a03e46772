// Tooltips, and spoken names for buttons that show only a symbol. Keys are element ids, then visible texts.

var hintsById = {
    refresh_sd_model_checkpoint: "Look for checkpoints again",
    txt2img_clear_prompt: "Clear prompt",
    txt2img_res_switch_btn: "Switch width and height",
    txt2img_random_seed: "Set seed to -1, which uses a new random number every time",
    txt2img_reuse_seed: "Reuse seed from the shown picture",
    txt2img_random_subseed: "Set variation seed to -1, which uses a new random number every time",
    txt2img_reuse_subseed: "Reuse variation seed from the shown picture",
};

var titles = {
    "Sampling steps": "How many times the picture is improved; more takes longer, very low values give poor pictures",
    "Sampling method": "Which algorithm improves the picture",
    "Schedule type": "How noise is spread over the steps; Automatic takes what suits the sampler",
    "Batch count": "How many batches are made one after the other; takes no more memory",
    "Batch size": "How many pictures are made at once; takes more memory",
    "CFG Scale": "How strongly the picture follows the prompt; lower values are freer",
    "Seed": "The number the noise starts from; the same seed and settings give the same picture",
    "Variation seed": "Seed of another picture that is mixed into this one",
    "Variation strength": "0: no effect; 1: the picture of the variation seed",
    "Resize seed from width": "Width of the picture this seed came from, to get a similar one at another size",
    "Resize seed from height": "Height of the picture this seed came from, to get a similar one at another size",
    "Skip": "Stop this batch and go on with the next",
    "Interrupt": "Stop, and keep what there is",
};

function updateTooltip(element) {
    const hint = titles[element.textContent.trim()];
    if (hint && !element.title) element.title = hint;
}

function applyHints() {
    for (const [id, hint] of Object.entries(hintsById)) {
        const element = document.getElementById(id);
        if (!element || element.getAttribute("aria-label") === hint) continue;
        element.setAttribute("aria-label", hint);
        element.title = hint;
    }
    gradioApp().querySelectorAll('[data-testid="block-info"], .generate-box button').forEach(updateTooltip);
}

onUiLoaded(applyHints);
onAfterUiUpdate(applyHints);
