// Live output: what the daemon keeps, then what comes, without a gap and without a line twice;
// before it, what older lines the file of a stream has.

import { act, page } from "./console.js";
import { clean, make, put, timeText } from "./elements.js";
import { daemon, followWatcher, name } from "./watcher.js";

const LINES_KEPT = 5000;
const WAITING_KEPT = 5000;
const SOURCES = 1000;
const LOOK_AGAIN = 1000;
const ASK_PAUSE = 1000;

const box = document.querySelector("#output");
const log = document.querySelector("#log");
const older = document.querySelector("#older");
const olderButton = older.querySelector("button");
const channel = document.querySelector("#channel");
const processes = document.querySelector("#process");
const find = document.querySelector("#find");
const only = document.querySelector("#only");
const pause = document.querySelector("#pause");
const found = document.querySelector("#found");

/** All lines that are known, oldest first: {channel, wid, text, time, element}. */
let lines = [];
/** Lines whose end has not come yet, by process and channel. */
const open = new Map();
/** How many bytes of each process and channel are shown. */
let ends = new Map();
let waiting = [];
let isPaused = false;
let early = [];
/** Whether what the daemon keeps is shown, and live output goes on from there. */
let isReady = false;
let isAsking = false;
let askedAt = -Infinity;
let dropped = 0;
/** Whether the end is shown, whatever comes. */
let follows = true;
let lastTop = 0;
let isLoading = false;
const cursors = {};
const decoders = new Map();

// Colours of terminals are left out; what else a terminal would obey is made visible.
const COLOURS = /\x1b\[[0-9;:]*m/g;
const lineText = (text) => clean(text.replace(COLOURS, "").replace(/\r$/, "").replaceAll("\r", "\u240d"));

const sourceOf = (entry) => `${entry.process_pid}.${entry.channel}`;

function bytesOf(entry) {
  if (entry.encoding === "base64") return Uint8Array.from(atob(entry.data), (sign) => sign.charCodeAt(0));
  return new TextEncoder().encode(entry.data);
}

/** The text of bytes, where a letter may stand half in this piece and half in the next one. */
function textOf(source, bytes) {
  if (!decoders.has(source)) decoders.set(source, new TextDecoder());
  return decoders.get(source).decode(bytes, { stream: true });
}

function take(entry, bytes = bytesOf(entry)) {
  const source = sourceOf(entry);
  const parts = textOf(source, bytes).split("\n");
  parts.forEach((part, index) => {
    const isLast = index === parts.length - 1;
    if (isLast && part === "") return;
    const begun = open.get(source);
    if (begun) {
      begun.raw += part;
      begun.text = lineText(begun.raw);
      if (begun.element) draw(begun);
    } else {
      const line = { channel: entry.channel, wid: entry.process_id, raw: part, text: lineText(part), time: entry.time, element: null };
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
  // Who scrolls on at the top goes back into the file.
  if (isReady && !follows && log.scrollTop === 0 && !older.hidden) loadOlder();
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
  document.querySelector("#no-output").hidden = log.querySelector(".line") !== null;
}

/** Show what the daemon keeps, and then what came meanwhile beyond it. */
async function begin() {
  if (isAsking) return;
  isAsking = true;
  let reply = {};
  try {
    reply = await act("tail", { name, merged: true, channel: "all", lines: 1000 }, daemon);
  } catch {
    // The console is away: the next snapshot brings another try.
  }
  isAsking = false;
  if (!reply.merged) return;
  for (const line of log.querySelectorAll(".line")) line.remove();
  ends = new Map((reply.ends ?? []).map((end) => [sourceOf(end), end.end]));
  for (const entry of reply.merged) take(entry);
  waiting = waiting.slice(-LINES_KEPT);
  isReady = true;
  drain();
  flush();
  toEnd();
  offerOlder();
  // What was written before the daemon had heard that this page listens, and nothing since.
  setTimeout(catchUp, LOOK_AGAIN);
}

/** Ask for what is kept and has not come. */
async function catchUp() {
  if (!isReady || isAsking) return;
  isAsking = true;
  askedAt = performance.now();
  for (const own of ["stdout", "stderr"]) {
    const reply = await act("tail", { name, channel: own, lines: 1000 }, daemon).catch(() => ({}));
    for (const entry of reply.output ?? []) takePiece({ ...entry, channel: own, start: entry.end - bytesOf(entry).length, time: Date.now() / 1000 });
  }
  isAsking = false;
  drain();
}

/** Take what has come, in order; where something before it is missing, ask for that first. */
function drain() {
  while (isReady && !isAsking && early.length) {
    const isBeyond = early[0].start > (ends.get(sourceOf(early[0])) ?? 0);
    if (isBeyond && performance.now() - askedAt > ASK_PAUSE) catchUp();
    else takePiece(early.shift());
  }
  later();
}

/** Take a piece, as far as it has not come yet. */
function takePiece(entry) {
  const source = sourceOf(entry);
  const known = ends.get(source) ?? 0;
  const bytes = bytesOf(entry);
  const end = entry.start + bytes.length;
  ends.delete(source);
  ends.set(source, Math.max(known, end));
  if (ends.size > SOURCES) {
    const oldest = ends.keys().next().value;
    for (const map of [ends, decoders, open]) map.delete(oldest);
  }
  if (entry.start > known) tellGap(entry.start - known);
  if (end > known) take(entry, bytes.subarray(Math.max(0, known - entry.start)));
}

/** Say how much is missing, in one line for all that is missing at one place. */
function tellGap(size) {
  const last = waiting.at(-1);
  const gap = last?.channel === "gap" ? last : { channel: "gap", wid: null, size: 0, time: null, element: null };
  gap.size += size;
  gap.raw = gap.text = `${gap.size} characters came too fast for this page and were left out`;
  if (gap !== last) waiting.push(gap);
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
  const button = older.querySelector("button");
  // Pressed twice, it would bring the same lines twice.
  if (isLoading) return;
  isLoading = true;
  button?.setAttribute("aria-busy", "true");
  await addOlder().catch(() => null);
  button?.removeAttribute("aria-busy");
  isLoading = false;
}

async function addOlder() {
  const source = fileChannel();
  const shown = lines.filter((line) => line.channel === source);
  const query = new URLSearchParams({ channel: source });
  if (cursors[source]) query.set("cursor", cursors[source]);
  else {
    query.set("skip", shown.length);
    if (shown.length) query.set("first", shown[0].raw.replace(/\r$/, "").slice(-500));
  }
  const response = await fetch(`${page("watchers", daemon, "older", name)}?${query}`);
  const reply = await response.json();
  if (reply.status === "error") {
    older.replaceChildren(make("span", { text: reply.reason }));
    return;
  }
  cursors[source] = reply.cursor;
  const before = log.scrollHeight;
  const fresh = reply.lines.map((text) => ({ channel: "file", wid: null, text: lineText(text), time: null, element: null }));
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
olderButton.addEventListener("click", loadOlder);

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
  if (message.type === "snapshot") isReady ? catchUp() : begin();
  else if (message.type === "output") {
    // What does not fit is found to be missing, and asked for.
    if (early.push(message) > 2000) early.shift();
    drain();
  }
});
