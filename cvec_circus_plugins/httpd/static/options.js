// The options of a watcher: edited, told what the change needs, applied.

import { page } from "./console.js";
import { put, toast } from "./elements.js";
import { followWatcher, daemon, name } from "./watcher.js";

const form = document.querySelector("#options");
const rows = [...form.querySelectorAll("tr[data-option]")];
const find = document.querySelector("#find");
const onlyChanged = document.querySelector("#changed");
const summary = document.querySelector("#summary");
const apply = document.querySelector("#apply");
const newOption = document.querySelector("#new-option");
const newValue = document.querySelector("#new-value");

const field = (row) => row.querySelector("input, select");
const original = (control) => (control.tagName === "SELECT" ? [...control.options].find((option) => option.defaultSelected)?.value ?? control.value : control.defaultValue);

function changes() {
  const texts = {};
  const needs = new Set();
  for (const row of rows) {
    const control = field(row);
    const isChanged = !control.disabled && control.value !== original(control);
    row.classList.toggle("changed", isChanged);
    if (isChanged) {
      texts[control.name] = control.value;
      needs.add(row.cells[2].textContent);
    }
  }
  if (newOption?.value.trim()) texts[newOption.value.trim()] = newValue.value;
  return { texts, needs };
}

function tell() {
  if (!apply) return;
  const { texts, needs } = changes();
  const count = Object.keys(texts).length;
  put(summary, count ? `${count} ${count === 1 ? "change" : "changes"}${needs.size ? `: ${[...needs].join("; ")}` : ""}` : "Nothing is changed.");
  apply.disabled = count === 0;
}

function filter() {
  const word = find.value.toLowerCase();
  for (const row of rows)
    row.hidden = !row.textContent.toLowerCase().includes(word) || (onlyChanged.checked && "default" in row.dataset);
}

find.addEventListener("input", filter);
onlyChanged.addEventListener("input", filter);
form.addEventListener("input", tell);
form.addEventListener("reset", () => setTimeout(tell));
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { texts } = changes();
  if (!apply || !Object.keys(texts).length) return;
  apply.setAttribute("aria-busy", "true");
  const message = toast(`Setting ${Object.keys(texts).join(", ")} of ${name} …`);
  const response = await fetch(page("watchers", daemon, "options", name), {
    method: "POST",
    headers: { "content-type": "application/json", "x-csrf-token": document.querySelector('meta[name="circus-csrf"]').content },
    body: JSON.stringify(texts),
  });
  const reply = await response.json();
  apply.removeAttribute("aria-busy");
  if (reply.status === "error") {
    message.update(reply.reason, "error");
    return;
  }
  message.update(`${Object.keys(texts).join(", ")} of ${name} set`, "ok");
  for (const row of rows) {
    const control = field(row);
    if (!(control.name in texts)) continue;
    if (control.tagName === "SELECT") for (const option of control.options) option.defaultSelected = option.selected;
    else control.defaultValue = control.value;
    delete row.dataset.default;
  }
  if (newOption) newOption.value = newValue.value = "";
  await refresh();
  tell();
});

/** Show what others have set meanwhile, except where somebody is typing. */
async function refresh() {
  const response = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  for (const row of rows) {
    const control = field(row);
    const other = fresh.getElementById(control.id);
    if (!other || control.value !== original(control)) continue;
    if (control.tagName === "SELECT") {
      for (const [index, option] of [...other.options].entries()) control.options[index].defaultSelected = option.defaultSelected;
      control.value = original(other);
    } else control.value = control.defaultValue = other.defaultValue;
  }
}

followWatcher(["events"], (message) => {
  if (message.type === "event" && message.body.watcher === name && message.topic.endsWith(".updated")) refresh().then(tell);
});
tell();
