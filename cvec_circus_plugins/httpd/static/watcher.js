// What all pages of one watcher have: its state, why it is not well, and the buttons.

import { follow, mayAct, root } from "./console.js";
import { adjustButtons, performAsked, progressText, watcherButtons } from "./actions.js";
import { noticeOf } from "./daemon_notice.js";
import { make, put } from "./elements.js";

const section = document.querySelector("section[data-watcher]");
export const daemon = section.dataset.daemon;
export const name = section.dataset.watcher;
export const watcher = { state: null };

const buttons = watcherButtons(name, daemon, () => watcher.state, "");
const remove = make("button", { type: "button", class: "danger", text: "Remove", "aria-label": `Remove ${name}` });
remove.addEventListener("click", async () => {
  const reply = await performAsked(`Stop ${name} and forget it? It comes back with the configuration file, if it stands there.`, "Remove", "rm", { name, waiting: true }, daemon, { button: remove });
  if (reply && reply.status !== "error") location.assign(`${root}/`);
});
document.querySelector("#actions").append(buttons, mayAct ? remove : "");

function show(state) {
  watcher.state = state;
  const mark = document.querySelector("#state .state");
  put(mark, state.shown);
  mark.dataset.state = state.shown;
  const why = document.querySelector("#why");
  const parts = state.reason ? [state.reason] : [];
  if (typeof state.retry_in === "number") parts.push(`next try in ${state.retry_in.toFixed(1)} s`);
  if (["starting", "degraded"].includes(state.shown) && state.running) parts.push(progressText(state));
  put(why, parts.join("; "));
  why.hidden = parts.length === 0;
  adjustButtons(buttons, state);
}

/** Follow the watcher. `take` gets every message after the page has taken its share. */
export function followWatcher(topics, take) {
  return follow({ topics, daemon, watcher: name }, (message) => {
    if (message.daemon !== daemon && message.type !== "lost") return;
    if (message.connection) noticeOf(daemon, message.connection);
    const state = message.watchers?.[name];
    if (state) show(state);
    else if (message.type === "snapshot" && message.connection.connected) {
      const why = document.querySelector("#why");
      put(why, "This watcher is not there any more.");
      why.hidden = false;
    }
    take(message);
  });
}
