// Ctrl+Up / Ctrl+Down in a prompt change the weight of the selection, of the brackets or of the word at the
// caret; Alt+Left / Alt+Right move the comma-separated items under the selection.

var whitespaceNames = {"Tab": "\t", "Carriage Return": "\r", "Line Feed": "\n"};

function isPromptTextarea(target) {
    return target instanceof HTMLTextAreaElement && (target.closest('[id$="_toprow"] [id*="_prompt"]') || target.closest(".prompt"));
}

// The innermost pair around the caret that holds no further pair of its kind up to the caret; its inside
// without a trailing ":number", or null.
function bracketsAround(text, caret, open, close) {
    const start = text.lastIndexOf(open, caret - 1);
    const end = text.indexOf(close, caret);
    if (start < 0 || end < 0) return null;
    if (text.slice(start + 1, caret).includes(close) || text.slice(caret, end).includes(open)) return null;
    const inside = text.slice(start + 1, end);
    const colon = inside.lastIndexOf(":");
    const hasNumber = colon >= 0 && /^:\s*[+-]?[\d.]+\s*$/.test(inside.slice(colon));
    return [start + 1, start + 1 + (hasNumber ? colon : inside.length)];
}

function wordAround(text, caret) {
    const spaces = (opts.keyedit_delimiters_whitespace || Object.keys(whitespaceNames)).map((name) => whitespaceNames[name] || "");
    const delimiters = (opts.keyedit_delimiters ?? ".,\\/!?%^*;:{}=`~() ") + spaces.join("");
    let [start, end] = [caret, caret];
    while (start > 0 && !delimiters.includes(text[start - 1])) start--;
    while (end < text.length && !delimiters.includes(text[end])) end++;
    while (start < end && text[start] === " ") start++;
    while (end > start && text[end - 1] === " ") end--;
    return [start, end];
}

function selectForWeight(text, start, end) {
    if (start !== end) return [start, end];
    return bracketsAround(text, start, "<", ">") || bracketsAround(text, start, "(", ")") ||
        bracketsAround(text, start, "[", "]") || wordAround(text, start);
}

function formatWeight(weight) {
    const number = Number(weight.toPrecision(12));
    return Number.isInteger(number) ? `${number}.0` : String(number);
}

// Bare brackets ((a)) or [a] become one (a:w) with the weight they stand for.
function replaceBareBrackets(edit, open, close, factor, precision) {
    let pairs = 0;
    while (edit.text[edit.start - 1 - pairs] === open && edit.text[edit.end + pairs] === close) pairs++;
    if (!pairs) return;
    const weight = Math.round(factor ** pairs / precision) * precision;
    const inside = edit.text.slice(edit.start, edit.end);
    const before = edit.text.slice(0, edit.start - pairs);
    edit.text = `${before}(${inside}:${formatWeight(weight)})${edit.text.slice(edit.end + pairs)}`;
    edit.start = before.length + 1;
    edit.end = edit.start + inside.length;
}

function wrapSelection(edit) {
    while (edit.end > edit.start && edit.text[edit.end - 1] === " ") edit.end--;
    if (edit.start === edit.end) return false;
    const inside = edit.text.slice(edit.start, edit.end);
    edit.text = `${edit.text.slice(0, edit.start)}(${inside}:1.0)${edit.text.slice(edit.end)}`;
    edit.start += 1;
    edit.end += 1;
    return true;
}

// The text and selection after a weight change by one step, or null where there is nothing to weigh.
function changeWeight(text, selectionStart, selectionEnd, isIncrease) {
    const [start, end] = selectForWeight(text, selectionStart, selectionEnd);
    const edit = {text, start, end};
    const isNetwork = text[start - 1] === "<";
    const precision = Number(opts.keyedit_precision_attention) || 0.1;
    const step = isNetwork ? Number(opts.keyedit_precision_extra) || 0.05 : precision;
    if (!isNetwork) {
        replaceBareBrackets(edit, "(", ")", 1.1, precision);
        replaceBareBrackets(edit, "[", "]", 1 / 1.1, precision);
        if (edit.text[edit.start - 1] !== "(" && !wrapSelection(edit)) return null;
    }
    const found = edit.text.slice(edit.end).match(/^:\s*([+-]?[\d.]+)/);
    if (!found) return null;
    const weight = Number(found[1]) + (isIncrease ? step : -step);
    if (!Number.isFinite(weight)) return null;
    const rest = edit.text.slice(edit.end + found[0].length);
    const written = formatWeight(weight);
    if (!isNetwork && Number(written) === 1 && rest.startsWith(")")) {
        edit.text = edit.text.slice(0, edit.start - 1) + edit.text.slice(edit.start, edit.end) + rest.slice(1);
        edit.start -= 1;
        edit.end -= 1;
    } else {
        edit.text = `${edit.text.slice(0, edit.end)}:${written}${rest}`;
    }
    return edit;
}

// The text after the items under the selection changed places with their neighbour, or null at an end.
function moveItems(text, selectionStart, selectionEnd, isLeft) {
    const items = text.split(",");
    const starts = [];
    items.reduce((at, item) => { starts.push(at); return at + item.length + 1; }, 0);
    const indexAt = (position) => starts.filter((start) => start <= position).length - 1;
    const [first, last] = [indexAt(selectionStart), indexAt(Math.max(selectionStart, selectionEnd - 1))];
    const [from, to] = isLeft ? [first - 1, last] : [last + 1, first];
    if (from < 0 || from >= items.length) return null;
    const trimmed = items.map((item) => item.trim());
    const [moved] = trimmed.splice(from, 1);
    trimmed.splice(to, 0, moved);
    const shift = isLeft ? -1 : 1;
    const spaced = trimmed.map((item, index) => items[index].match(/^\s*/)[0] + item + items[index].trimStart().slice(items[index].trim().length));
    const start = spaced.slice(0, first + shift).reduce((at, item) => at + item.length + 1, 0);
    const end = spaced.slice(0, last + shift + 1).reduce((at, item) => at + item.length + 1, 0) - 1;
    const lead = spaced[first + shift].length - spaced[first + shift].trimStart().length;
    return {text: spaced.join(","), start: start + lead, end};
}

function applyEdit(textarea, edit) {
    textarea.value = edit.text;
    textarea.setSelectionRange(edit.start, edit.end);
    updateInput(textarea);
    // The page may write the same text again; the selection stays where it belongs.
    requestAnimationFrame(() => {
        if (textarea.value === edit.text) textarea.setSelectionRange(edit.start, edit.end);
    });
}

function keyupEditAttention(event) {
    if (!(event.ctrlKey || event.metaKey) || !["ArrowUp", "ArrowDown"].includes(event.key)) return;
    const textarea = event.target;
    if (!isPromptTextarea(textarea)) return;
    const edit = changeWeight(textarea.value, textarea.selectionStart, textarea.selectionEnd, event.key === "ArrowUp");
    event.preventDefault();
    if (edit) applyEdit(textarea, edit);
}

function keyupEditOrder(event) {
    if (opts.keyedit_move === false || !event.altKey || !["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    const textarea = event.target;
    if (!isPromptTextarea(textarea)) return;
    const edit = moveItems(textarea.value, textarea.selectionStart, textarea.selectionEnd, event.key === "ArrowLeft");
    event.preventDefault();
    if (edit) applyEdit(textarea, edit);
}

window.addEventListener("keydown", (event) => keyupEditAttention(event));
window.addEventListener("keydown", (event) => keyupEditOrder(event));
