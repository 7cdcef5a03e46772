// Token counters: the server counts, some time after typing pauses; typing never waits.

var promptTokenCountUpdateFunctions = {};
var tokenCounters = {
    txt2img_token_counter: ["txt2img_prompt", "txt2img_steps"],
    txt2img_negative_token_counter: ["txt2img_neg_prompt", "txt2img_steps"],
    img2img_token_counter: ["img2img_prompt", "img2img_steps"],
    img2img_negative_token_counter: ["img2img_neg_prompt", "img2img_steps"],
};
var tokenQuestions = {};

function countTokens(counterId) {
    const [promptId, stepsId] = tokenCounters[counterId];
    const counter = gradioApp().querySelector(`#${counterId} span`);
    const textarea = gradioApp().querySelector(`#${promptId} textarea`);
    if (!counter || !textarea) return;
    const steps = Number(gradioApp().querySelector(`#${stepsId} input[type=number]`)?.value) || 20;
    const number = tokenQuestions[counterId] = (tokenQuestions[counterId] || 0) + 1;
    const question = {texts: [textarea.value], steps, is_positive: !counterId.includes("negative")};
    request("./internal/token-counts", question, ([answer]) => {
        if (number !== tokenQuestions[counterId]) return; // a newer question is on its way
        counter.textContent = `${answer.count}/${answer.max}`;
        gradioApp().getElementById(counterId).dataset.counted = "true";
    }, (error) => console.warn("tokens could not be counted", error));
}

function update_token_counter(counterOrButtonId) {
    countTokens(counterOrButtonId.replace("token_button", "token_counter"));
}

function recalculatePromptTokens(promptId) {
    for (const [counterId, [prompt]] of Object.entries(tokenCounters)) {
        if (prompt === promptId) countTokens(counterId);
    }
}

function recalculate_prompts_txt2img(...args) {
    recalculatePromptTokens("txt2img_prompt");
    recalculatePromptTokens("txt2img_neg_prompt");
    return args;
}

function recalculate_prompts_img2img(...args) {
    recalculatePromptTokens("img2img_prompt");
    recalculatePromptTokens("img2img_neg_prompt");
    return args;
}

function update_txt2img_tokens(...args) {
    recalculate_prompts_txt2img();
    return args.length === 2 ? args[0] : args;
}

function update_img2img_tokens(...args) {
    recalculate_prompts_img2img();
    return args.length === 2 ? args[0] : args;
}

function toggleTokenCountingVisibility() {
    document.documentElement.classList.toggle("no-token-counters", Boolean(opts.disable_token_counters));
}

// Unbalanced brackets change what a prompt means; say which ones they are.
function checkBrackets(textarea, counter) {
    const text = textarea.value.replace(/\\[()[\]{}]/g, "");
    const wrong = ["()", "[]", "{}"].filter(([open, close]) => text.split(open).length !== text.split(close).length);
    counter.classList.toggle("error", wrong.length > 0);
    // Gradio writes the class anew when it redraws; the attribute stays.
    counter.toggleAttribute("data-error", wrong.length > 0);
    counter.title = wrong.length ? `Different number of opening and closing brackets: ${wrong.join(" ")}` : "Tokens / tokens that fit";
}

function setupTokenCounting(counterId) {
    const [promptId, stepsId] = tokenCounters[counterId];
    const textarea = gradioApp().querySelector(`#${promptId} textarea`);
    const counter = gradioApp().getElementById(counterId);
    if (!textarea || !counter || textarea.dataset.counted) return;
    textarea.dataset.counted = "true";
    counter.setAttribute("aria-label", "Token count");
    const recount = () => { if (!opts.disable_token_counters) countTokens(counterId); };
    promptTokenCountUpdateFunctions[promptId] = onEdit(promptId, textarea, 500, recount);
    textarea.addEventListener("input", () => checkBrackets(textarea, counter));
    const steps = gradioApp().querySelector(`#${stepsId}`);
    if (steps) onEdit(stepsId, steps, 500, recount);
    checkBrackets(textarea, counter);
    recount();
}

onUiLoaded(() => Object.keys(tokenCounters).forEach(setupTokenCounting));
onAfterUiUpdate(() => Object.keys(tokenCounters).forEach(setupTokenCounting)); // tabs opened later
onOptionsChanged(toggleTokenCountingVisibility);
