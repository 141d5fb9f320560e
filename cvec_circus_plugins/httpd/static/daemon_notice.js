// What a page says of its daemon: that it is gone, that it is there again, that statistics are off.

import { mayAct, root } from "./console.js";
import { make, toast } from "./elements.js";

const wasConnected = new Map();

/** Show how a daemon fares, where the page has a place for it. */
export function noticeOf(key, connection) {
  const place = document.querySelector(`[data-notice="${CSS.escape(key)}"]`);
  if (!place) return;
  const before = wasConnected.get(key);
  wasConnected.set(key, connection.connected);
  if (before === false && connection.connected) toast(`The daemon at ${connection.endpoint} is there again`, "ok");
  document.querySelector(`section[data-daemon="${CSS.escape(key)}"]`)?.classList.toggle("gone", !connection.connected);
  if (!connection.connected)
    show(place, "gone" + connection.reason, () => make("p", {
      class: "notice bad",
      text: `The daemon is not there: ${connection.reason}. It is tried again until it is found; what is shown is the last that was known.`,
    }));
  else if (!connection.statistics) show(place, "off", () => statisticsOff(key));
  else show(place, "", () => "");
}

function show(place, what, content) {
  if (place.dataset.shown === what) return;
  place.dataset.shown = what;
  place.replaceChildren(content());
}

function statisticsOff(key) {
  const button = make("button", { type: "button", text: "Turn statistics on" });
  button.hidden = !mayAct;
  button.addEventListener("click", async () => {
    button.setAttribute("aria-busy", "true");
    const message = toast("Turning statistics on …");
    const response = await fetch(`${root}/daemons/${encodeURIComponent(key)}/statistics`, {
      method: "POST",
      headers: { "x-csrf-token": document.querySelector('meta[name="circus-csrf"]').content },
    });
    const reply = await response.json();
    button.removeAttribute("aria-busy");
    if (reply.status === "error") message.update(reply.reason, "error");
    else message.update("Statistics are on, until the daemon is started anew", "ok");
  });
  return make("div", { class: "notice" }, make("span", { class: "grow", text: "Statistics are off: there is no live processor share and memory of watchers." }), button);
}
