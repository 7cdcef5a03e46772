// Sending the form: task ids, the Generate / Interrupt / Skip box, and small helpers the form's buttons call.

function args_to_array(args) {
    return Array.from(args);
}

// The box shows Generate, or Interrupt and Skip, or "Interrupting..."; style.css maps the class to buttons.
function setSubmitButtonsVisibility(tab, showInterrupt, showSkip, showInterrupting) {
    const box = gradioApp().getElementById(`${tab}_generate_box`);
    if (!box) return;
    box.classList.toggle("running", Boolean(showInterrupt || showSkip));
    box.classList.toggle("interrupting", Boolean(showInterrupting));
}

function showSubmitButtons(tab, isIdle) {
    setSubmitButtonsVisibility(tab, !isIdle, !isIdle, false);
}

function showSubmitInterruptingPlaceholder(tab) {
    setSubmitButtonsVisibility(tab, false, true, true);
}

function followTask(tab, id) {
    const root = gradioApp();
    showSubmitButtons(tab, false);
    root.getElementById(`${tab}_gallery_container`).dataset.task = id;
    requestProgress(id, root.getElementById(`${tab}_gallery_container`), root.getElementById(`${tab}_gallery`), () => {
        const container = root.getElementById(`${tab}_gallery_container`);
        if (container.dataset.task !== id) return;
        delete container.dataset.task;
        localRemove(`${tab}_task_id`);
        showSubmitButtons(tab, true);
    });
}

// The task whose progress the tab shows, "" while there is none.
function followedTask(tab) {
    return gradioApp().getElementById(`${tab}_gallery_container`)?.dataset.task || "";
}

function create_submit_args(args) {
    return Array.from(args);
}

function submitTab(tab, args) {
    const values = create_submit_args(args);
    const id = randomId();
    const error = gradioApp().querySelector(`#${tab}_error .generate-error`);
    if (error) error.remove();
    localSet(`${tab}_task_id`, id);
    followTask(tab, id);
    values[0] = id;
    return values;
}

function submit(...args) { return submitTab("txt2img", args); }
function submit_img2img(...args) { return submitTab("img2img", args); }

function restoreProgress(tab) {
    const id = localGet(`${tab}_task_id`, null);
    if (id) followTask(tab, id);
    return id || "";
}

function restoreProgressTxt2img() { return restoreProgress("txt2img"); }
function restoreProgressImg2img() { return restoreProgress("img2img"); }

function showRestoreProgressButton(tab, show) {
    const button = gradioApp().getElementById(`${tab}_restore_progress`);
    if (button && show) button.click();
}

function confirm_clear_prompt(prompt, negativePrompt) {
    return confirm("Delete prompt?") ? ["", ""] : [prompt, negativePrompt];
}

function setRandomSeed(id) {
    const input = gradioApp().querySelector(`#${id} input`);
    if (!input) return [];
    input.value = "-1";
    updateInput(input);
    return [];
}

function switchWidthHeight(tab) {
    const width = gradioApp().querySelector(`#${tab}_width input[type=number]`);
    const height = gradioApp().querySelector(`#${tab}_height input[type=number]`);
    if (!width || !height) return [];
    [width.value, height.value] = [height.value, width.value];
    updateInput(width);
    updateInput(height);
    return [];
}

// A picture size pasted into a number box ("832 x 1216") fills both boxes.
function setupResolutionPasting(tab) {
    const width = gradioApp().querySelector(`#${tab}_width input[type=number]`);
    const height = gradioApp().querySelector(`#${tab}_height input[type=number]`);
    for (const input of [width, height]) {
        if (!input) continue;
        input.addEventListener("paste", (event) => {
            const found = event.clipboardData.getData("text/plain").trim().match(/^(\d+)\s*\D+\s*(\d+)$/);
            if (!found) return;
            event.preventDefault();
            [width.value, height.value] = [found[1], found[2]];
            updateInput(width);
            updateInput(height);
        });
    }
}

document.addEventListener("click", (event) => {
    if (event.target.closest(".generate-error .close")) event.target.closest(".generate-error").remove();
});

onUiLoaded(() => {
    for (const tab of ["txt2img", "img2img"]) {
        const root = gradioApp();
        const interrupt = root.getElementById(`${tab}_interrupt`);
        if (!interrupt) continue;
        interrupt.addEventListener("click", () => showSubmitInterruptingPlaceholder(tab));
        setupResolutionPasting(tab);
        // A job that this browser started before the page was closed: fetch it.
        if (localGet(`${tab}_task_id`, null)) setTimeout(() => showRestoreProgressButton(tab, true), 500);
    }
});
