// What every other script builds on: the page's root, its life cycle, settings and small storage.
// Classic script: its names are global, and extensions rely on them.

var uiUpdateCallbacks = [];
var uiAfterUpdateCallbacks = [];
var uiLoadedCallbacks = [];
var uiTabChangeCallbacks = [];
var optionsChangedCallbacks = [];
var optionsAvailableCallbacks = [];
var uiCurrentTab = null;
var opts = {};

function gradioApp() {
    const element = document.getElementsByTagName("gradio-app")[0];
    if (!element) return document;
    const root = element.shadowRoot || element;
    if (!root.getElementById) root.getElementById = (id) => document.getElementById(id);
    return root;
}

function get_uiCurrentTab() {
    return gradioApp().querySelector('#tabs > .tab-wrapper button[role="tab"][aria-selected="true"]');
}

function get_uiCurrentTabContent() {
    const panels = gradioApp().querySelectorAll('#tabs > .tabitem[id^="tab_"]');
    return Array.from(panels).find((panel) => uiElementIsVisible(panel)) || null;
}

function executeCallbacks(queue, ...args) {
    for (const callback of queue) {
        try {
            callback(...args);
        } catch (error) {
            console.error("error running callback", callback, error);
        }
    }
}

function onUiUpdate(callback) { uiUpdateCallbacks.push(callback); }
function onAfterUiUpdate(callback) { uiAfterUpdateCallbacks.push(callback); }
function onUiLoaded(callback) { uiLoadedCallbacks.push(callback); }
function onUiTabChange(callback) { uiTabChangeCallbacks.push(callback); }
function onOptionsChanged(callback) { optionsChangedCallbacks.push(callback); }

function onOptionsAvailable(callback) {
    if (Object.keys(opts).length) callback();
    else optionsAvailableCallbacks.push(callback);
}

var uiAfterUpdateTimer = null;

function scheduleAfterUiUpdateCallbacks() {
    clearTimeout(uiAfterUpdateTimer);
    uiAfterUpdateTimer = setTimeout(() => executeCallbacks(uiAfterUpdateCallbacks), 200);
}

function uiElementIsVisible(element) {
    return Boolean(element) && element !== document && element.checkVisibility();
}

function uiElementInSight(element) {
    const box = element.getBoundingClientRect();
    return box.bottom > 0 && box.top < window.innerHeight;
}

// Gradio listens to the event a person's typing makes.
function updateInput(target) {
    target.dispatchEvent(new Event("input", {bubbles: true}));
}

function onEdit(editId, element, afterMs, callback) {
    let timer = null;
    const edited = () => {
        clearTimeout(timer);
        timer = setTimeout(callback, afterMs);
    };
    element.addEventListener("input", edited);
    return edited;
}

function set_theme(theme) {
    const url = new URL(window.location.href);
    if (url.searchParams.get("__theme") === theme) return;
    url.searchParams.set("__theme", theme);
    window.location.replace(url);
}

function localSet(key, value) {
    try { localStorage.setItem(key, value); } catch (error) { console.warn(`not kept: ${key}`, error); }
}

function localGet(key, fallback) {
    try { return localStorage.getItem(key) ?? fallback; } catch { return fallback; }
}

function localRemove(key) {
    try { localStorage.removeItem(key); } catch (error) { console.warn(`not removed: ${key}`, error); }
}

function request(url, data, onSuccess, onError) {
    return sendJson(url, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(data)},
        onSuccess, onError);
}

function requestGet(url, data, onSuccess, onError) {
    const query = new URLSearchParams(data).toString();
    return sendJson(query ? `${url}?${query}` : url, {}, onSuccess, onError);
}

async function sendJson(url, init, onSuccess, onError) {
    let answer;
    try {
        const response = await fetch(url, init);
        if (!response.ok) throw new Error(`${url}: ${response.status}`);
        answer = await response.json();
    } catch (error) {
        if (onError) onError(error);
        return;
    }
    if (onSuccess) onSuccess(answer);
}

function setOptions(values) {
    opts = values;
    executeCallbacks(optionsAvailableCallbacks);
    optionsAvailableCallbacks = [];
    executeCallbacks(optionsChangedCallbacks);
}

// Gradio fetches each kind of component by itself, so they arrive in any order.
function uiIsComplete() {
    const parts = ["prompt textarea", "neg_prompt textarea", "token_counter span", "negative_token_counter span",
        "generate", "interrupt", "gallery", "width input", "seed input"];
    return parts.every((part) => gradioApp().querySelector(`#txt2img_${part}`));
}

document.addEventListener("DOMContentLoaded", () => {
    let loaded = false;
    requestGet("./internal/options", {}, setOptions, (error) => console.warn("settings are unknown", error));
    new MutationObserver((records) => {
        if (!loaded && uiIsComplete()) {
            loaded = true;
            executeCallbacks(uiLoadedCallbacks);
        }
        executeCallbacks(uiUpdateCallbacks, records);
        scheduleAfterUiUpdateCallbacks();
        const tab = get_uiCurrentTab();
        if (tab && tab !== uiCurrentTab) {
            uiCurrentTab = tab;
            executeCallbacks(uiTabChangeCallbacks);
        }
    }).observe(document.body, {childList: true, subtree: true});
});
