// Building pages: elements, numbers as texts, small curves, messages and questions.

const CONTROLS = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A text in which everything that a terminal would obey, or that turns letters round, is visible. */
export const clean = (text) =>
  String(text ?? "").replace(CONTROLS, (sign) => {
    const code = sign.charCodeAt(0);
    return code < 32 ? String.fromCharCode(0x2400 + code) : code === 127 ? "\u2421" : "\ufffd";
  });

/** Make an element; properties are attributes, except text, data and on-handlers. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "text") element.textContent = clean(value);
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined)
      element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined).map((child) => (typeof child === "string" ? clean(child) : child)));
  return element;
}

/** Change a text only where it differs, so that nothing is drawn or read out again for nothing. */
export function put(element, text) {
  const wanted = clean(text);
  if (element && element.textContent !== wanted) element.textContent = wanted;
}

export function sizeText(size) {
  if (typeof size !== "number") return "";
  for (const unit of ["B", "K", "M", "G"]) {
    if (size < 999.5) return unit === "B" || size >= 99.95 ? `${size.toFixed(0)}${unit}` : `${size.toFixed(1)}${unit}`;
    size /= 1024;
  }
  return `${size.toFixed(1)}T`;
}

export function ageText(seconds) {
  if (typeof seconds !== "number") return "";
  const whole = Math.floor(seconds);
  const two = (number) => String(number).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`;
  return `${Math.floor(whole / 86400)}d${two(Math.floor((whole % 86400) / 3600))}h`;
}

export const shareText = (share) => (typeof share === "number" ? `${share.toFixed(1)} %` : "");

export function timeText(seconds) {
  const time = new Date(seconds * 1000);
  const two = (number) => String(number).padStart(2, "0");
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

const SVG = "http://www.w3.org/2000/svg";

/** A small curve of the last moments, newest at the right. */
export class Sparkline {
  constructor(kind, points = 60) {
    this.points = points;
    this.values = [];
    this.element = document.createElementNS(SVG, "svg");
    this.element.setAttribute("class", `spark ${kind}`);
    this.element.setAttribute("viewBox", "0 0 100 30");
    this.element.setAttribute("preserveAspectRatio", "none");
    this.element.setAttribute("aria-hidden", "true");
    this.area = document.createElementNS(SVG, "path");
    this.area.setAttribute("class", "area");
    this.area.setAttribute("fill", "currentColor");
    this.line = document.createElementNS(SVG, "path");
    this.line.setAttribute("fill", "none");
    this.line.setAttribute("stroke", "currentColor");
    this.line.setAttribute("stroke-width", "1.5");
    this.line.setAttribute("stroke-linejoin", "round");
    this.element.append(this.area, this.line);
  }

  fill(values) {
    this.values = values.slice(-this.points);
    this.draw();
  }

  push(value) {
    this.values.push(typeof value === "number" ? value : 0);
    if (this.values.length > this.points) this.values.shift();
    this.draw();
  }

  draw() {
    const count = this.values.length;
    if (count === 0 || document.hidden) return;
    const highest = Math.max(...this.values, 0) * 1.1 || 1;
    const step = 100 / (this.points - 1);
    const start = 100 - (count - 1) * step;
    const spots = this.values.map(
      (value, index) => `${(start + index * step).toFixed(1)} ${(29 - (27 * value) / highest).toFixed(1)}`,
    );
    const line = `M${spots.join("L")}`;
    this.line.setAttribute("d", count === 1 ? `${line}h.1` : line);
    this.area.setAttribute("d", `${line}L100 30L${start.toFixed(1)} 30Z`);
  }
}

/** Show how something went. Returns {update, close}. */
export function toast(text, outcome = "busy", lastOutput = "") {
  const words = make("div", { text });
  const body = make("div", { class: "text" }, words);
  const close = make("button", { type: "button", class: "tiny", text: "Close", "aria-label": "Close this message" });
  const element = make("div", { class: "toast", data: { outcome } }, body, close);
  close.addEventListener("click", () => element.remove());
  const box = document.querySelector("#toasts");
  box.append(element);
  while (box.children.length > 5) box.firstElementChild.remove();
  let timer = null;
  const settle = (kind) => {
    clearTimeout(timer);
    if (kind === "ok") timer = setTimeout(() => element.remove(), 7000);
  };
  const update = (newText, kind, output = "") => {
    put(words, newText);
    if (element.dataset.outcome !== kind) element.dataset.outcome = kind;
    if (output) body.append(make("pre", { text: output, tabindex: "0", "aria-label": "Last output" }));
    settle(kind);
  };
  update(text, outcome, lastOutput);
  return { update, close: () => element.remove() };
}

/** Ask before something that can not be undone; resolves to whether it is meant. */
export function confirmed(question, verb) {
  return new Promise((resolve) => {
    const cancel = make("button", { type: "button", text: "Cancel" });
    const yes = make("button", { class: "primary danger", value: "yes", text: verb });
    const words = make("p", { id: "question", text: question });
    const form = make("form", { method: "dialog" }, words, make("div", { class: "tools" }, cancel, yes));
    const dialog = make("dialog", { "aria-labelledby": "question" }, form);
    cancel.addEventListener("click", () => dialog.close(""));
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
    cancel.focus();
  });
}
