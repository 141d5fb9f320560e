// The list of all watchers: kept up to date, searched, sorted, acted on.

import { follow, mayAct, page } from "./console.js";
import { adjustButtons, performAsked, VERBS, watcherButtons } from "./actions.js";
import { noticeOf } from "./daemon_notice.js";
import { ageText, make, put, shareText, sizeText, Sparkline } from "./elements.js";

const search = document.querySelector("#search");
const NUMBERS = new Set(["processes", "cpu", "rss", "restarts"]);

class Row {
  constructor(table, line, name) {
    this.name = name;
    this.line = line;
    this.state = null;
    this.retryAt = null;
    this.sums = null;
    const [state, head, processes, cpu, memory, restarts, actions] = line.cells;
    this.mark = state.firstElementChild;
    this.why = head.querySelector(".why");
    this.cells = { processes, restarts };
    this.curves = { cpu: new Sparkline("cpu"), rss: new Sparkline("memory") };
    this.values = { cpu: make("span", { class: "value", text: cpu.textContent.trim() }), rss: make("span", { class: "value", text: memory.textContent.trim() }) };
    cpu.replaceChildren(make("div", { class: "metered" }, this.curves.cpu.element, this.values.cpu));
    memory.replaceChildren(make("div", { class: "metered" }, this.curves.rss.element, this.values.rss));
    this.buttons = watcherButtons(name, table.key, () => this.state);
    actions.replaceChildren(this.buttons);
  }

  show(state) {
    this.state = state;
    put(this.mark, state.shown);
    if (this.mark.dataset.state !== state.shown) this.mark.dataset.state = state.shown;
    put(this.cells.processes, `${state.running}/${state.numprocesses}`);
    put(this.cells.restarts, String(state.restarts));
    this.retryAt = typeof state.retry_in === "number" ? performance.now() + state.retry_in * 1000 : null;
    this.explain();
    adjustButtons(this.buttons, state);
  }

  explain() {
    if (!this.state) return;
    const parts = [whyText(this.state)];
    if (this.retryAt !== null) parts.push(`next try in ${Math.max(0, (this.retryAt - performance.now()) / 1000).toFixed(0)} s`);
    put(this.why, parts.filter(Boolean).join("; "));
  }

  use(sums, history) {
    this.sums = sums;
    put(this.values.cpu, shareText(sums?.cpu_sum));
    put(this.values.rss, sizeText(sums?.rss));
    this.line.title = sums?.age ? `oldest process: ${ageText(sums.age)}` : "";
    if (history) {
      this.curves.cpu.fill(history.map((pair) => pair[0]));
      this.curves.rss.fill(history.map((pair) => pair[1]));
    } else if (sums) {
      this.curves.cpu.push(sums.cpu_sum);
      this.curves.rss.push(sums.rss);
    }
  }

  key(name) {
    if (name === "name") return this.name.toLowerCase();
    if (name === "state") return this.state?.shown ?? "";
    if (name === "processes") return this.state?.running ?? 0;
    if (name === "restarts") return this.state?.restarts ?? 0;
    return (name === "cpu" ? this.sums?.cpu_sum : this.sums?.rss) ?? -1;
  }
}

function whyText(state) {
  const parts = state.reason ? [state.reason] : [];
  if (state.ready < state.running) parts.push(`${state.ready} of ${state.running} ready`);
  for (const [pid, text] of Object.entries(state.said ?? {})) parts.push(`${pid} says: ${text}`);
  return parts.join("; ");
}

class DaemonTable {
  constructor(section) {
    this.section = section;
    this.key = section.dataset.daemon;
    this.table = section.querySelector("table");
    this.body = this.table.tBodies[0];
    this.rows = new Map();
    this.sort = { key: "name", falling: false };
    this.totals = { cpu: new Sparkline("cpu"), memory: new Sparkline("memory") };
    for (const [name, curve] of Object.entries(this.totals)) this.tile(name).append(curve.element);
    for (const line of this.body.rows) this.rows.set(line.dataset.watcher, new Row(this, line, line.dataset.watcher));
    this.makeSortable();
    this.makeBulk();
  }

  tile(name) {
    return this.section.querySelector(`[data-tile="${name}"]`);
  }

  makeSortable() {
    for (const head of this.table.tHead.rows[0].cells) {
      const key = head.dataset.key;
      if (!key) continue;
      const button = make("button", { type: "button", text: head.textContent });
      button.addEventListener("click", () => {
        const same = this.sort.key === key;
        this.sort = { key, falling: same ? !this.sort.falling : NUMBERS.has(key) };
        for (const other of this.table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", this.sort.falling ? "descending" : "ascending");
        this.arrange();
      });
      head.replaceChildren(button);
    }
  }

  makeBulk() {
    if (!mayAct) return;
    const box = this.section.querySelector("[data-bulk]");
    for (const [command, verb] of Object.entries(VERBS).filter(([name]) => name !== "restart"))
      box.append(make("button", {
        type: "button", class: "tiny", text: `${verb} all`,
        onclick: (event) => performAsked(`${verb} all ${this.rows.size} watchers of ${this.section.querySelector("h2").textContent}?`, `${verb} all`, command, { waiting: true }, this.key, { what: "all watchers", button: event.target }),
      }));
  }

  row(name) {
    let row = this.rows.get(name);
    if (!row) {
      const line = make("tr", { data: { watcher: name } },
        make("td", {}, make("span", { class: "state" })),
        make("th", { scope: "row", class: "name" }, make("a", { href: page("watchers", this.key, "processes", name), text: name }), make("div", { class: "why" })),
        ...["Processes", "CPU", "Memory", "Restarts"].map((label) => make("td", { class: "number", data: { label } })),
        make("td", { class: "wide" }));
      row = new Row(this, line, name);
      this.rows.set(name, row);
      this.body.append(line);
      this.section.querySelector(".empty")?.remove();
      this.mustArrange = true;
    }
    return row;
  }

  watchers(states) {
    for (const [name, state] of Object.entries(states)) this.row(name).show(state);
    this.count();
    if (this.mustArrange || this.sort.key !== "name" || search.value) this.arrange();
  }

  usage(sums, history = {}) {
    for (const [name, numbers] of Object.entries(sums)) this.rows.get(name)?.use(numbers, history[name]);
    this.sum();
  }

  snapshot(message) {
    for (const [name, row] of this.rows)
      if (!(name in message.watchers)) {
        row.line.remove();
        this.rows.delete(name);
      }
    noticeOf(this.key, message.connection);
    this.watchers(message.watchers);
    this.usage(message.usage, message.history);
    const histories = Object.values(message.history);
    const longest = Math.max(0, ...histories.map((history) => history.length));
    for (const [index, name] of [[0, "cpu"], [1, "memory"]])
      this.totals[name].fill(Array.from({ length: longest }, (_, spot) =>
        histories.reduce((sum, history) => sum + (history[history.length - longest + spot]?.[index] ?? 0), 0)));
  }

  count() {
    const states = [...this.rows.values()].map((row) => row.state).filter(Boolean);
    const well = states.filter((state) => !state.reason && state.retry_in === null && ["active", "stopped"].includes(state.shown)).length;
    put(this.tile("well").querySelector("dd"), `${well} / ${states.length}`);
    this.tile("well").classList.toggle("alert", well < states.length);
    const running = states.reduce((sum, state) => sum + state.running, 0);
    const wanted = states.reduce((sum, state) => sum + state.wanted, 0);
    put(this.tile("processes").querySelector("dd"), `${running} / ${wanted}`);
  }

  sum() {
    clearTimeout(this.summing);
    // The sums of a sample come one by one: they are added up when all are there.
    this.summing = setTimeout(() => {
      const sums = [...this.rows.values()].map((row) => row.sums).filter(Boolean);
      if (!sums.length) return;
      const cpu = sums.reduce((sum, numbers) => sum + (Number(numbers.cpu_sum) || 0), 0);
      const memory = sums.reduce((sum, numbers) => sum + (Number(numbers.rss) || 0), 0);
      put(this.tile("cpu").querySelector("dd"), shareText(cpu));
      put(this.tile("memory").querySelector("dd"), sizeText(memory));
      this.totals.cpu.push(cpu);
      this.totals.memory.push(memory);
      if (["cpu", "rss"].includes(this.sort.key)) this.arrange();
    }, 150);
  }

  arrange() {
    this.mustArrange = false;
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = [...this.rows.values()];
    const { key, falling } = this.sort;
    rows.sort((one, two) => {
      const [first, second] = [one.key(key), two.key(key)];
      const order = first < second ? -1 : first > second ? 1 : one.name < two.name ? -1 : 1;
      return falling && first !== second ? -order : order;
    });
    const focused = document.activeElement;
    rows.forEach((row, index) => {
      // A row is only moved where it must be: moving takes the focus away.
      if (this.body.rows[index] !== row.line) this.body.insertBefore(row.line, this.body.rows[index] ?? null);
      const text = `${row.name} ${row.state?.shown} ${row.why.textContent}`.toLowerCase();
      row.line.hidden = !words.every((word) => text.includes(word));
    });
    if (focused !== document.activeElement && this.body.contains(focused)) focused.focus();
    tellMatches();
  }
}

const tables = new Map([...document.querySelectorAll("section[data-daemon]")].map((section) => [section.dataset.daemon, new DaemonTable(section)]));

function tellMatches() {
  const rows = [...tables.values()].flatMap((table) => [...table.rows.values()]);
  const visible = rows.filter((row) => !row.line.hidden).length;
  put(document.querySelector("#matches"), search.value ? `${visible} of ${rows.length}` : "");
}

search.value = new URLSearchParams(location.search).get("q") ?? "";
search.addEventListener("input", () => {
  for (const table of tables.values()) table.arrange();
  history.replaceState(null, "", search.value ? `?q=${encodeURIComponent(search.value)}` : location.pathname);
});

follow({ topics: [] }, (message) => {
  const table = tables.get(message.daemon);
  if (!table) return;
  if (message.type === "snapshot") table.snapshot(message);
  else if (message.type === "watchers") table.watchers(message.watchers);
  else if (message.type === "usage") table.usage(message.usage);
  else if (message.type === "connection") noticeOf(message.daemon, message.connection);
});

setInterval(() => {
  for (const table of tables.values()) for (const row of table.rows.values()) if (row.retryAt !== null) row.explain();
}, 1000);
