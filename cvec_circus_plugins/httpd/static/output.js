// Live output: what the daemon keeps, then what comes, without a gap and without a line twice;
// before it, what older lines the file of a stream has.

import { act, page } from "./console.js";
import { make, put, timeText } from "./elements.js";
import { daemon, followWatcher, name } from "./watcher.js";

const LINES_KEPT = 5000;
const WAITING_KEPT = 5000;

const box = document.querySelector("#output");
const log = document.querySelector("#log");
const older = document.querySelector("#older");
const channel = document.querySelector("#channel");
const processes = document.querySelector("#process");
const find = document.querySelector("#find");
const only = document.querySelector("#only");
const pause = document.querySelector("#pause");
const found = document.querySelector("#found");

/** All lines that are known, oldest first: {channel, wid, text, time, element}. */
let lines = [];
/** Lines whose end has not come yet, by process and channel. */
let open = new Map();
/** How many bytes of each process and channel are shown. */
let ends = new Map();
let waiting = [];
let isPaused = false;
let early = [];
let isReady = false;
let dropped = 0;
/** Whether the end is shown, whatever comes. */
let follows = true;
let lastTop = 0;
const cursors = {};
const decoders = new Map();

// Colours of terminals are left out; what else a terminal would obey is made visible.
const COLOURS = /\x1b\[[0-9;:]*m/g;
const ORDERS = /[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]/g;
const clean = (text) =>
  text.replace(COLOURS, "").replace(ORDERS, (sign) => {
    const code = sign.charCodeAt(0);
    return code < 32 ? String.fromCharCode(0x2400 + code) : code === 127 ? "\u2421" : "\ufffd";
  });

function textOf(entry) {
  if (entry.encoding !== "base64") return entry.data;
  const bytes = Uint8Array.from(atob(entry.data), (sign) => sign.charCodeAt(0));
  const source = `${entry.process_pid}.${entry.channel}`;
  if (!decoders.has(source)) decoders.set(source, new TextDecoder());
  return decoders.get(source).decode(bytes, { stream: true });
}

function sizeOf(entry) {
  if (entry.encoding === "base64") return Math.floor((entry.data.replace(/=+$/, "").length * 3) / 4);
  return new TextEncoder().encode(entry.data).length;
}

function take(entry, time) {
  const source = `${entry.process_pid}.${entry.channel}`;
  const parts = textOf(entry).split("\n");
  parts.forEach((part, index) => {
    const isLast = index === parts.length - 1;
    if (isLast && part === "") return;
    const begun = open.get(source);
    if (begun) {
      begun.text += clean(part);
      if (begun.element) draw(begun);
    } else {
      const line = { channel: entry.channel, wid: entry.process_id, text: clean(part.replace(/\r$/, "")), time, element: null };
      if (isLast) open.set(source, line);
      waiting.push(line);
    }
    if (!isLast) open.delete(source);
  });
}

function matches(line) {
  if (line.channel === "gap") return true;
  if (channel.value !== "all" && line.channel !== channel.value) return false;
  return !processes.value || String(line.wid) === processes.value;
}

function draw(line) {
  const what = line.element.lastElementChild;
  const word = find.value;
  const spot = word ? line.text.toLowerCase().indexOf(word.toLowerCase()) : -1;
  if (spot < 0) what.textContent = line.text;
  else what.replaceChildren(line.text.slice(0, spot), make("mark", { text: line.text.slice(spot, spot + word.length) }), line.text.slice(spot + word.length));
  line.element.hidden = !matches(line) || (only.checked && word !== "" && spot < 0);
  return spot >= 0;
}

function elementOf(line) {
  line.element = make("div", { class: "line", data: { channel: line.channel } },
    make("span", { class: "when", text: line.time ? timeText(line.time) : "" }),
    make("span", { class: "who", text: line.wid ?? "" }), make("span", { class: "what" }));
  draw(line);
  return line.element;
}

function flush() {
  if (!waiting.length || isPaused) {
    if (isPaused) {
      if (waiting.length > WAITING_KEPT) dropped += waiting.splice(0, waiting.length - WAITING_KEPT).length;
      put(pause, `Go on (${waiting.length} new)`);
    }
    return;
  }
  const fresh = waiting;
  waiting = [];
  if (fresh.length > LINES_KEPT) dropped += fresh.splice(0, fresh.length - LINES_KEPT).length;
  log.append(...fresh.map(elementOf));
  lines.push(...fresh);
  // Somebody who reads further up keeps what they read, up to a bound.
  const kept = follows ? LINES_KEPT : 4 * LINES_KEPT;
  if (lines.length > kept) for (const line of lines.splice(0, lines.length - LINES_KEPT)) line.element.remove();
  for (const line of fresh) addProcess(line.wid);
  if (follows) toEnd();
  tell();
}

/** Show the end, and go on showing it until somebody scrolls up. */
function toEnd() {
  follows = true;
  log.scrollTop = log.scrollHeight;
  lastTop = log.scrollTop;
}

log.addEventListener("scroll", () => {
  if (log.scrollHeight - log.scrollTop - log.clientHeight < 40) follows = true;
  else if (log.scrollTop < lastTop - 4) follows = false;
  lastTop = log.scrollTop;
});

function addProcess(wid) {
  if (wid === undefined || wid === null || [...processes.options].some((option) => option.value === String(wid))) return;
  processes.add(new Option(`process ${wid}`, wid));
}

function tell() {
  const visible = lines.filter((line) => line.element && !line.element.hidden);
  const word = find.value.toLowerCase();
  const hits = word ? visible.filter((line) => line.text.toLowerCase().includes(word)).length : null;
  const parts = [hits === null ? `${visible.length} lines` : `${hits} of ${visible.length} lines match`];
  if (dropped) parts.push(`${dropped} left out`);
  put(found, parts.join(", "));
}

/** Show what the daemon keeps, and then what came meanwhile beyond it. */
async function begin() {
  isReady = false;
  let reply;
  try {
    reply = await act("tail", { name, merged: true, channel: "all", lines: 1000 }, daemon);
  } catch {
    return;
  }
  if (!reply.merged) return;
  for (const line of log.querySelectorAll(".line")) line.remove();
  lines = [];
  waiting = [];
  open = new Map();
  ends = new Map((reply.ends ?? []).map((end) => [`${end.process_pid}.${end.channel}`, end.end]));
  for (const entry of reply.merged) take(entry, entry.time);
  isReady = true;
  waiting = waiting.slice(-LINES_KEPT);
  for (const entry of early.splice(0)) takeLive(entry);
  flush();
  toEnd();
  offerOlder();
}

function takeLive(entry) {
  const source = `${entry.process_pid}.${entry.channel}`;
  const end = ends.get(source) ?? 0;
  if (typeof entry.start === "number") {
    if (entry.start < end) return;
    ends.set(source, entry.start + sizeOf(entry));
  }
  take(entry, entry.time ?? Date.now() / 1000);
}

function fileChannel() {
  if (channel.value === "stderr") return box.dataset.stderrFile ? "stderr" : null;
  return box.dataset.files ? "stdout" : null;
}

function offerOlder() {
  const source = fileChannel();
  older.hidden = source === null || cursors[source] === null;
}

async function loadOlder() {
  const source = fileChannel();
  const shown = lines.filter((line) => line.channel === source);
  const query = new URLSearchParams({ channel: source });
  if (cursors[source]) query.set("cursor", cursors[source]);
  else {
    query.set("skip", shown.length);
    if (shown.length) query.set("first", shown[0].text.slice(0, 500));
  }
  const response = await fetch(`${page("watchers", daemon, "older", name)}?${query}`);
  const reply = await response.json();
  if (reply.status === "error") {
    older.replaceChildren(make("span", { text: reply.reason }));
    return;
  }
  cursors[source] = reply.cursor;
  const before = log.scrollHeight;
  const fresh = reply.lines.map((text) => ({ channel: "file", wid: null, text: clean(text), time: null, element: null }));
  older.after(...fresh.map(elementOf));
  for (const line of fresh) line.element.hidden = only.checked && find.value !== "" && !line.text.toLowerCase().includes(find.value.toLowerCase());
  older.after(make("div", { class: "gap small", text: `from ${reply.file}` }));
  log.scrollTop += log.scrollHeight - before;
  offerOlder();
  if (reply.cursor === null) older.after(make("div", { class: "gap small", text: "the beginning" }));
}

function setPaused(paused) {
  isPaused = paused;
  pause.setAttribute("aria-pressed", String(paused));
  put(pause, paused ? `Go on (${waiting.length} new)` : "Pause");
  if (!paused) {
    flush();
    toEnd();
  }
}

for (const control of [channel, processes, find, only])
  control.addEventListener("input", () => {
    for (const line of lines) if (line.element) draw(line);
    if (control === channel) offerOlder();
    toEnd();
    tell();
  });
pause.addEventListener("click", () => setPaused(!isPaused));
document.querySelector("#clear").addEventListener("click", () => {
  for (const line of log.querySelectorAll(".line, .gap:not(#older)")) line.remove();
  lines = [];
  tell();
});
older.querySelector("button").addEventListener("click", loadOlder);

let isDue = false;
const later = () => {
  if (isDue) return;
  isDue = true;
  // A page in the background draws nothing, so it is not asked to.
  (document.hidden ? (work) => setTimeout(work, 500) : requestAnimationFrame)(() => {
    isDue = false;
    flush();
  });
};

followWatcher(["output"], (message) => {
  if (message.type === "snapshot") begin();
  else if (message.type === "output") {
    if (isReady) takeLive(message);
    else if (early.push(message) > 2000) early.shift();
    later();
  } else if (message.type === "lost" && message.output) {
    waiting.push({ channel: "gap", wid: null, text: `${message.output} characters came too fast for this page and were left out`, time: null, element: null });
    later();
  }
});
