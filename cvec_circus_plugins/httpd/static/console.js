// What all pages share: the one WebSocket, and acting for the person who is signed in.

const meta = (name) => document.querySelector(`meta[name="circus-${name}"]`)?.content ?? "";
export const root = meta("root");
/** Whether the person may change anything; the daemon decides anyway. */
export const mayAct = meta("role") === "operator";

/** Run a command of the daemon; return its reply, which has a status "error" where it failed. */
export async function act(command, properties = {}, daemon = null) {
  const query = daemon === null ? "" : `?daemon=${encodeURIComponent(daemon)}`;
  const response = await fetch(`${root}/actions/${encodeURIComponent(command)}${query}`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-csrf-token": meta("csrf") },
    body: JSON.stringify(properties),
  });
  return response.json();
}

/** The address of a page; segments are quoted. */
export const page = (...segments) => `${root}/${segments.map(encodeURIComponent).join("/")}`;

/** Follow what changes. onMessage gets every message, onState "live", "lost" or "signed out". */
export function follow(wish, onMessage, onState = showState) {
  let pause = 250;
  let open = null;
  const connect = () => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${root}/live`);
    socket.onopen = () => {
      pause = 250;
      open = socket;
      socket.send(JSON.stringify(wish));
      onState("live");
    };
    socket.onmessage = (event) => onMessage(JSON.parse(event.data));
    socket.onclose = (event) => {
      open = null;
      if (event.code === 4401) {
        onState("signed out");
        location.reload();
        return;
      }
      onState("lost");
      setTimeout(connect, pause);
      pause = Math.min(pause * 2, 5000);
    };
  };
  connect();
  return {
    /** Say that the page is about something else now. */
    change(newWish) {
      wish = newWish;
      open?.send(JSON.stringify(wish));
    },
  };
}

const WORDS = { live: "live", lost: "connection lost, trying again", "signed out": "signed out" };

function showState(state) {
  const mark = document.querySelector("#live");
  mark.hidden = false;
  mark.dataset.live = state;
  mark.textContent = WORDS[state];
}
