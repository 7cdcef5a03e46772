// How a running task is going: a bar with the remaining time over the gallery, and the live preview in it.

function randomId() {
    const letters = Array.from(crypto.getRandomValues(new Uint8Array(15)), (byte) => (byte % 36).toString(36));
    return `task(${letters.join("")})`;
}

function pad2(value) {
    return String(value).padStart(2, "0");
}

function formatTime(seconds) {
    const whole = Math.floor(seconds);
    if (whole >= 3600) return `${Math.floor(whole / 3600)}:${pad2(Math.floor(whole / 60) % 60)}:${pad2(whole % 60)}`;
    if (whole >= 60) return `${Math.floor(whole / 60)}:${pad2(whole % 60)}`;
    return `${whole}s`;
}

var originalTitle = null;

function setTitle(progress) {
    if (originalTitle === null) originalTitle = document.title;
    const wanted = progress && opts.show_progress_in_title !== false ? `[${progress.trim()}] ${originalTitle}` : originalTitle;
    if (document.title !== wanted) document.title = wanted;
}

// Follow a task until it is over. `container` gets the bar, `gallery` (may be null) the preview; `atEnd` is
// called once. A task that nobody knows for `inactivityTimeout` seconds counts as over.
function requestProgress(id, container, gallery, atEnd, onProgress, inactivityTimeout = 40) {
    const bar = progressBar(container);
    const preview = gallery ? previewLayer(gallery) : null;
    const started = Date.now();
    let wasActive = false;
    let over = false;
    let previewId = -1;

    const end = () => {
        if (over) return;
        over = true;
        setTitle("");
        bar.remove();
        if (preview) preview.remove();
        atEnd();
    };
    const period = () => Number(opts.live_preview_refresh_period) || 500;
    const ask = () => {
        if (over) return;
        request("./internal/progress", {id_task: id, id_live_preview: previewId, live_preview: Boolean(preview)}, (answer) => {
            if (over) return;
            showProgress(bar, answer);
            if (preview && answer.live_preview) showPreview(preview, answer.live_preview);
            previewId = answer.id_live_preview >= 0 ? answer.id_live_preview : previewId;
            const unknownFor = (Date.now() - started) / 1000;
            const isLost = !answer.active && !answer.queued && (wasActive || unknownFor > inactivityTimeout);
            wasActive = wasActive || answer.active;
            if (onProgress) onProgress(answer);
            if (answer.completed || isLost) end();
            else setTimeout(ask, answer.active ? period() : Math.min(period(), 250));
        }, end);
    };
    ask();
    return end;
}

function progressBar(container) {
    container.querySelectorAll(":scope > .progressDiv").forEach((old) => old.remove());
    const bar = document.createElement("div");
    bar.className = "progressDiv";
    bar.setAttribute("role", "progressbar");
    bar.setAttribute("aria-label", "Generating");
    bar.setAttribute("aria-valuemin", "0");
    bar.setAttribute("aria-valuemax", "100");
    bar.innerHTML = '<div class="progress"></div><span class="progress-text">Waiting…</span>';
    container.prepend(bar);
    return bar;
}

function progressText(answer) {
    if (!answer.active) return answer.textinfo && answer.queued ? answer.textinfo : "Waiting…";
    const percent = answer.progress > 0 ? `${Math.floor(answer.progress * 100)}%` : "";
    const eta = percent && answer.eta > 0.5 ? `ETA: ${formatTime(answer.eta)}` : "";
    const note = (answer.textinfo || "").split("\n")[0];
    return [note, percent, eta].filter(Boolean).join("  ") || "Starting…";
}

function showProgress(bar, answer) {
    const percent = Math.max(0, Math.min(100, (answer.progress || 0) * 100));
    const text = progressText(answer);
    bar.querySelector(".progress").style.width = `${percent}%`;
    bar.querySelector(".progress-text").textContent = text;
    bar.setAttribute("aria-valuenow", String(Math.round(percent)));
    setTitle(answer.active ? text : "");
}

function previewLayer(gallery) {
    gallery.querySelectorAll(":scope > .livePreview").forEach((old) => old.remove());
    const layer = document.createElement("div");
    layer.className = "livePreview";
    gallery.prepend(layer);
    return layer;
}

// The new picture is laid over the old one only when it is decoded, so that nothing flickers.
function showPreview(layer, uri) {
    const image = new Image();
    image.alt = "Live preview";
    image.onload = () => {
        layer.classList.add("shown");
        layer.append(image);
        while (layer.childElementCount > 2) layer.firstElementChild.remove();
    };
    image.src = uri;
}
