// Keys that work anywhere on the page: Ctrl+Enter generates, Alt+Enter skips, Esc interrupts.

function currentTabButton(suffix) {
    return get_uiCurrentTabContent()?.querySelector(`button[id$="_${suffix}"]`) || null;
}

function isGenerating() {
    const box = get_uiCurrentTabContent()?.querySelector(".generate-box");
    return Boolean(box) && (box.classList.contains("running") || box.classList.contains("interrupting"));
}

function generateNow() {
    const generate = currentTabButton("generate");
    if (!generate) return;
    if (!isGenerating()) {
        generate.click();
        return;
    }
    // A new request replaces the running one: stop that, then begin.
    const box = generate.closest(".generate-box");
    currentTabButton("interrupt").click();
    const observer = new MutationObserver(() => {
        if (isGenerating()) return;
        observer.disconnect();
        generate.click();
    });
    observer.observe(box, {attributes: true, attributeFilter: ["class"]});
}

document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        generateNow();
    } else if (event.key === "Enter" && event.altKey) {
        event.preventDefault();
        if (isGenerating()) currentTabButton("skip")?.click();
    } else if (event.key === "Escape" && !event.defaultPrevented && isGenerating()) {
        if (document.querySelector('[role="listbox"], ul.options')) return; // Esc closes the open menu
        event.preventDefault();
        currentTabButton("interrupt")?.click();
    }
}, true);
