// Going to another tab from a button; A1111's names, so that extension scripts find them.

function openTab(id) {
    gradioApp().getElementById(`${id}-button`)?.click();
}

// A tab inside a tab is there only once the outer one has been drawn.
function openInnerTab(outer, inner) {
    openTab(outer);
    const wait = new MutationObserver(() => {
        if (!gradioApp().getElementById(`${inner}-button`)) return;
        wait.disconnect();
        openTab(inner);
    });
    if (gradioApp().getElementById(`${inner}-button`)) openTab(inner);
    else wait.observe(document.body, {childList: true, subtree: true});
}

function switch_to_txt2img(...args) { openTab("tab_txt2img"); return args; }
function switch_to_img2img(...args) { openInnerTab("tab_img2img", "img2img_img2img_tab"); return args; }
function switch_to_inpaint(...args) { openInnerTab("tab_img2img", "img2img_inpaint_tab"); return args; }
function switch_to_extras(...args) { openTab("tab_extras"); return args; }
