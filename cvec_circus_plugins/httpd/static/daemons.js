// Which daemons are there, and which are gone.

import { follow } from "./console.js";
import { put } from "./elements.js";

follow({ topics: [] }, (message) => {
  const row = document.querySelector(`tr[data-daemon="${CSS.escape(message.daemon ?? "")}"]`);
  if (!row || !message.connection) return;
  const mark = row.querySelector(".state");
  put(mark, message.connection.connected ? "connected" : "not there");
  mark.dataset.state = message.connection.connected ? "ok" : "gone";
  put(row.querySelector(".why"), message.connection.reason ?? "");
  put(row.querySelector('[data-cell="statistics"]'), message.connection.statistics ? "on" : "off");
  if (message.watchers) put(row.querySelector('[data-cell="watchers"]'), String(Object.keys(message.watchers).length));
});
