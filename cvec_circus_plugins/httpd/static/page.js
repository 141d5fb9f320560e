// A page that only says how its daemon fares.

import { follow } from "./console.js";
import { noticeOf } from "./daemon_notice.js";

const key = document.querySelector("[data-daemon]").dataset.daemon;

follow({ topics: [] }, (message) => {
  if (message.daemon === key && message.connection) noticeOf(key, message.connection);
});
