// The log of events, and of who did what: what comes stands first; filtered by words and by kind.

import { follow } from "./console.js";
import { noticeOf } from "./daemon_notice.js";
import { make } from "./elements.js";

const ROWS_KEPT = 2000;
const section = document.querySelector("section[data-daemon]");
const { daemon, watcher } = section.dataset;
const table = document.querySelector("#events");
const body = table.tBodies[0];
const kind = document.querySelector("#kind");
const find = document.querySelector("#find");
const pause = document.querySelector("#pause");
const isAudit = (topic) => topic.startsWith("audit.");
let waiting = [];

const value = (content) => (typeof content === "object" ? JSON.stringify(content) : String(content));
const details = (facts, left) =>
  Object.keys(facts).sort().filter((key) => !left.has(key) && facts[key] !== null).map((key) => `${key} ${value(facts[key])}`).join("; ");
const LEFT = new Set(["watcher", "time", "seq"]);

function clock(seconds) {
  const time = new Date(seconds * 1000);
  const two = (number) => String(number).padStart(2, "0");
  return `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

function eventRow({ topic, body: facts }) {
  return make("tr", {},
    make("td", { class: "when", text: clock(facts.time), data: { label: "Time" } }),
    make("td", { text: facts.watcher ?? "", data: { label: "Watcher" } }),
    make("td", {}, make("span", { class: "tag", text: topic.split(".").at(-1) })),
    make("td", { class: "details wide", text: details(facts, LEFT) }));
}

function auditRow({ body: facts }) {
  return make("tr", {},
    make("td", { class: "when", text: clock(facts.time), data: { label: "Time" } }),
    make("td", { text: facts.who ?? "", data: { label: "Who" } }),
    make("td", { class: "mono", text: facts.command ?? "" }),
    make("td", { class: "details wide", text: details(facts.properties ?? {}, new Set()) }),
    make("td", {}, make("span", { class: "state", data: { state: facts.outcome }, text: facts.outcome }), make("div", { class: "why", text: facts.reason ?? "" })));
}

function kindOf(row) {
  return row.querySelector(".state, .tag").textContent;
}

function filter(row) {
  const words = (find?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const text = row.textContent.toLowerCase();
  row.hidden = !words.every((word) => text.includes(word)) || Boolean(kind?.value && kindOf(row) !== kind.value);
}

function addKind(word) {
  if (kind && ![...kind.options].some((option) => option.text === word)) kind.add(new Option(word, word));
}

function concerns(event) {
  if (table.dataset.kind === "events") return !isAudit(event.topic);
  if (table.dataset.kind === "audit") return isAudit(event.topic);
  return event.body.watcher === watcher || event.body.properties?.name === watcher;
}

function add(event) {
  const row = table.dataset.kind === "audit" ? auditRow(event) : eventRow(event);
  filter(row);
  addKind(kindOf(row));
  body.prepend(row);
  document.querySelector("#no-events").hidden = true;
  while (body.rows.length > ROWS_KEPT) body.lastElementChild.remove();
}

const isPaused = () => pause?.getAttribute("aria-pressed") === "true";

export function takeEvent(message) {
  if (message.type === "lost" && message.events) {
    body.prepend(make("tr", {}, make("td", { colspan: "5", class: "quiet", text: `${message.events} events came too fast for this page` })));
    return;
  }
  if (message.type !== "event" || message.daemon !== daemon || !concerns(message)) return;
  if (!isPaused()) {
    add(message);
    return;
  }
  waiting.push(message);
  if (waiting.length > ROWS_KEPT) waiting.shift();
  pause.textContent = `Go on (${waiting.length} new)`;
}

for (const row of body.rows) addKind(kindOf(row));
for (const control of [kind, find]) control?.addEventListener("input", () => [...body.rows].forEach(filter));
pause?.addEventListener("click", () => {
  const paused = !isPaused();
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Go on (0 new)" : "Pause";
  if (!paused) waiting.splice(0).forEach(add);
});

const wish = { topics: ["events"] };
if (watcher) import("./watcher.js").then(({ followWatcher }) => followWatcher(["events"], takeEvent));
else
  follow(wish, (message) => {
    if (message.daemon === daemon && message.connection) noticeOf(daemon, message.connection);
    takeEvent(message);
  });
