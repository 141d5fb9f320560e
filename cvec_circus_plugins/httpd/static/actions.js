// Acting on watchers: a press, what goes on meanwhile, and how it ended.

import { act, mayAct } from "./console.js";
import { confirmed, make, toast } from "./elements.js";

const DOING = {
  start: "Starting", stop: "Stopping", restart: "Restarting", reload: "Reloading", incr: "Adding a process to",
  decr: "Taking a process from", kill: "Ending", signal: "Sending a signal to", rm: "Removing", set: "Setting options of",
};
const DONE = {
  start: "started", stop: "stopped", restart: "restarted", reload: "reloaded", incr: "has one process more",
  decr: "has one process less", kill: "was ended", signal: "got the signal", rm: "was removed", set: "has its new options",
};
export const VERBS = { start: "Start", stop: "Stop", restart: "Restart", reload: "Reload" };

/** What the reply tells beyond ok. */
function details(reply) {
  const info = reply.info ?? reply;
  const count = (key, word) => (Array.isArray(info?.[key]) && info[key].length ? `${word} ${info[key].join(", ")}` : "");
  const parts = [count("stopped", "stopped"), count("started", "started"), count("kept", "kept")].filter(Boolean);
  if (typeof reply.numprocesses === "number") parts.push(`${reply.numprocesses} wanted`);
  return parts.length ? ` (${parts.join("; ")})` : "";
}

const lastOutput = (reply) =>
  (reply.last_output ?? []).filter((entry) => !entry.encoding).map((entry) => entry.data).join("").slice(-2000);

/**
 * Run a command and show how it goes. `progress` returns a few words of what is so meanwhile.
 * Returns the reply.
 */
export async function perform(command, properties, daemon, { what, button = null, progress = () => "", quietly = false } = {}) {
  const subject = what ?? properties.name ?? "all watchers";
  const begun = performance.now();
  const doing = `${DOING[command] ?? `Running ${command} on`} ${subject}`;
  const message = toast(`${doing} …`);
  const timer = setInterval(() => {
    const seconds = ((performance.now() - begun) / 1000).toFixed(0);
    message.update(`${doing}, ${seconds} s … ${progress()}`, "busy");
  }, 500);
  button?.setAttribute("aria-busy", "true");
  let reply;
  try {
    reply = await act(command, properties, daemon);
  } catch (error) {
    reply = { status: "error", reason: `the console did not answer: ${error.message}` };
  } finally {
    clearInterval(timer);
    button?.removeAttribute("aria-busy");
  }
  if (reply.status === "error") message.update(`${subject}: ${reply.reason}`, "error", lastOutput(reply));
  else if (quietly) message.close();
  else message.update(`${subject} ${DONE[command] ?? `: ${command} done`}${details(reply)}`, "ok");
  return reply;
}

/** The four buttons of a watcher. `state()` returns how the watcher fares now. */
export function watcherButtons(name, daemon, state, classes = "tiny") {
  const group = make("div", { class: "group", role: "group", "aria-label": `Actions for ${name}` });
  for (const [command, verb] of Object.entries(VERBS)) {
    const button = make("button", { type: "button", class: classes, text: verb, "aria-label": `${verb} ${name}`, data: { action: command } });
    button.addEventListener("click", async () => {
      if (button.getAttribute("aria-busy")) return;
      await perform(command, { name, waiting: true }, daemon, { button, progress: () => progressText(state()) });
    });
    group.append(button);
  }
  return group;
}

/** Show those of the buttons that have a use now. */
export function adjustButtons(group, state) {
  const isDown = state.shown === "stopped" || state.shown === "failed";
  const isUp = state.state === "active" && state.running >= state.wanted && !state.reason;
  for (const button of group.querySelectorAll("[data-action]")) {
    const { action } = button.dataset;
    const isUseless = (action === "start" && isUp) || (action !== "start" && isDown) || (action === "reload" && state.running === 0);
    // Never away from below the finger of somebody, and never what the keyboard stands on.
    const isBusy = document.activeElement === button || button.getAttribute("aria-busy") !== null;
    button.disabled = !mayAct;
    button.hidden = isUseless && !isBusy;
  }
}

export function progressText(state) {
  if (!state) return "";
  return `${state.ready ?? 0} of ${state.wanted} ready, ${state.running} running`;
}

/** Ask, then act; for what ends more than it seems. */
export async function performAsked(question, verb, ...rest) {
  return (await confirmed(question, verb)) ? perform(...rest) : null;
}
