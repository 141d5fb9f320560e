// Managed sockets: open connections, and those that wait to be accepted.

import { follow } from "./console.js";
import { noticeOf } from "./daemon_notice.js";
import { put } from "./elements.js";

const key = document.querySelector("section[data-daemon]").dataset.daemon;

follow({ topics: ["sockets"] }, (message) => {
  if (message.daemon !== key) return;
  if (message.connection) noticeOf(key, message.connection);
  if (message.type !== "sockets") return;
  for (const [fd, numbers] of Object.entries(message.sockets)) {
    const row = document.querySelector(`tr[data-fd="${CSS.escape(fd)}"]`);
    if (!row) {
      location.reload();
      return;
    }
    for (const cell of ["connections", "queued", "reads"])
      if (numbers[cell] !== undefined) put(row.querySelector(`[data-cell="${cell}"]`), String(numbers[cell]));
    if (typeof numbers.queued === "number") row.querySelector("meter").value = numbers.queued;
  }
});
