// The processes of a watcher: numbers, and acting on one or all.

import { act, mayAct } from "./console.js";
import { perform, performAsked } from "./actions.js";
import { ageText, make, put, shareText, sizeText, Sparkline } from "./elements.js";
import { daemon, followWatcher, name, watcher } from "./watcher.js";

const body = document.querySelector("#processes").tBodies[0];
const tile = (key) => document.querySelector(`[data-tile="${key}"]`);
const curves = { cpu: new Sparkline("cpu"), memory: new Sparkline("memory") };
for (const [key, curve] of Object.entries(curves)) tile(key).append(curve.element);
const CELLS = ["wid", "pid", "state", "age", "cpu", "rss", "threads", "fds", "descendants"];
const LABELS = { wid: "Number", age: "Age", cpu: "CPU", rss: "Memory", threads: "Threads", fds: "Files", descendants: "Descendants" };
const rows = new Map();

class ProcessRow {
  constructor(pid, line) {
    this.pid = pid;
    this.line = line ?? make("tr", { data: { pid } });
    if (!line)
      for (const cell of CELLS)
        this.line.append(cell === "pid" ? make("th", { scope: "row", class: "number mono", text: String(pid) }) : make("td", { class: ["state", "descendants"].includes(cell) ? null : "number", data: LABELS[cell] ? { label: LABELS[cell] } : {} }));
    if (!line) this.line.append(make("td", { class: "wide" }));
    this.line.lastElementChild.replaceChildren(this.actions());
    this.cells = Object.fromEntries(CELLS.map((cell, index) => [cell, this.line.cells[index]]));
    this.begunAt = null;
  }

  actions() {
    const signal = document.querySelector("#signal");
    const end = make("button", { type: "button", class: "tiny danger", text: "Kill", "aria-label": `Kill process ${this.pid}`, disabled: !mayAct });
    end.addEventListener("click", () =>
      performAsked(`End process ${this.pid} of ${name}? The watcher replaces it.`, "Kill", "kill", { name, pid: this.pid, waiting: true }, daemon, { what: `process ${this.pid}`, button: end }));
    const tools = make("div", { class: "tools" });
    if (mayAct) {
      const select = make("select", { class: "tiny", "aria-label": `Signal for process ${this.pid}` }, ...[...signal.options].map((option) => new Option(option.value)));
      const send = make("button", { type: "button", class: "tiny", text: "Signal", "aria-label": `Send the signal to process ${this.pid}` });
      send.addEventListener("click", () => perform("signal", { name, pid: this.pid, signum: select.value }, daemon, { what: `process ${this.pid}`, button: send }));
      tools.append(select, send);
    }
    tools.append(end);
    return tools;
  }

  show(info) {
    if (typeof info.age === "number") this.begunAt = Date.now() - info.age * 1000;
    const texts = { wid: info.wid, state: info.state, cpu: shareText(info.cpu), rss: sizeText(info.rss), threads: info.threads, fds: info.fds };
    for (const [cell, text] of Object.entries(texts)) if (text !== undefined && text !== null) put(this.cells[cell], String(text));
    if (info.children) {
      this.family = info.children;
      this.cells.descendants.replaceChildren(...descendants(info.children));
    }
    this.grow();
  }

  grow() {
    if (this.begunAt !== null) put(this.cells.age, ageText((Date.now() - this.begunAt) / 1000));
  }
}

const countOf = (children) => children.reduce((sum, child) => sum + 1 + countOf(child.children ?? []), 0);

function descendants(children) {
  if (!children.length) return [];
  const list = (level) => make("ul", { class: "small" }, ...level.map((child) =>
    make("li", {}, `${child.pid} ${child.cmdline ?? ""} · ${shareText(child.cpu)} · ${sizeText(child.rss)}`, child.children?.length ? list(child.children) : null)));
  return [make("details", {}, make("summary", { text: String(countOf(children)) }), list(children))];
}

let asking = false;
let askAgain = false;

/** Ask which processes there are; what comes while it is asked is asked once more after. */
async function refresh() {
  if (asking) {
    askAgain = true;
    return;
  }
  asking = true;
  try {
    const reply = await act("stats", { name }, daemon);
    if (reply.info) showAll(Object.values(reply.info).filter((info) => typeof info === "object"));
  } catch {
    // The console is away: the next snapshot brings another try.
  }
  asking = false;
  if (askAgain) {
    askAgain = false;
    refresh();
  }
}

function showAll(infos) {
  const pids = new Set(infos.map((info) => info.pid));
  for (const [pid, row] of rows)
    if (!pids.has(pid)) {
      row.line.remove();
      rows.delete(pid);
    }
  infos.sort((one, two) => (one.wid ?? 0) - (two.wid ?? 0));
  for (const [index, info] of infos.entries()) {
    const known = rows.get(info.pid);
    const row = known ?? new ProcessRow(info.pid);
    rows.set(info.pid, row);
    // A list of descendants that somebody has opened stays open.
    const open = row.line.querySelector("details")?.open;
    row.show(info);
    if (open) row.line.querySelector("details")?.setAttribute("open", "");
    if (body.rows[index] !== row.line) body.insertBefore(row.line, body.rows[index] ?? null);
  }
  document.querySelector("#no-processes").hidden = infos.length > 0;
}

for (const line of [...body.rows]) rows.set(Number(line.dataset.pid), new ProcessRow(Number(line.dataset.pid), line));

if (mayAct) {
  const box = document.querySelector("#amount");
  for (const [command, text, label] of [["decr", "−", "One process less"], ["incr", "+", "One process more"]]) {
    const button = make("button", { type: "button", class: "tiny", text, "aria-label": label });
    button.addEventListener("click", () => perform(command, { name, waiting: true }, daemon, { button }));
    box.append(button);
  }
  const form = document.querySelector("#signal-all");
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const signum = document.querySelector("#signal").value;
    performAsked(`Send ${signum} to all processes of ${name}?`, `Send ${signum}`, "signal", { name, signum }, daemon);
  });
}

function showState(state) {
  put(tile("processes").querySelector("dd"), `${state.running} / ${state.numprocesses}`);
  put(tile("restarts").querySelector("dd"), String(state.restarts));
  put(document.querySelector("#last-exit"), state.last_death === null ? "" : `last exit ${state.last_death < 0 ? `by signal ${-state.last_death}` : state.last_death}`);
}

followWatcher(["processes"], (message) => {
  if (message.type === "snapshot" || message.type === "watchers") {
    if (watcher.state && (message.type === "snapshot" || message.watchers[name])) {
      showState(watcher.state);
      refresh();
    }
    const history = message.history?.[name];
    if (history) {
      curves.cpu.fill(history.map((pair) => pair[0]));
      curves.memory.fill(history.map((pair) => pair[1]));
    }
  } else if (message.type === "usage" && message.usage[name]) {
    const sums = message.usage[name];
    put(tile("cpu").querySelector("dd"), shareText(sums.cpu_sum));
    put(tile("memory").querySelector("dd"), sizeText(sums.rss));
    curves.cpu.push(sums.cpu_sum);
    curves.memory.push(sums.rss);
  } else if (message.type === "processes") {
    for (const [pid, info] of Object.entries(message.processes)) rows.get(Number(pid))?.show(info);
    if (Object.keys(message.processes).some((pid) => !rows.has(Number(pid)))) refresh();
  }
});
setInterval(() => rows.forEach((row) => row.grow()), 1000);
