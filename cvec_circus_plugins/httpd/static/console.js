// What all pages share: the one WebSocket, and acting for the person who is signed in.

const meta = (name) => document.querySelector(`meta[name="circus-${name}"]`)?.content ?? "";
export const root = meta("root");

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

/** Follow what changes. onMessage gets every message, onState "live", "lost" or "signed out". */
export function follow(wish, onMessage, onState) {
  let pause = 250;
  const connect = () => {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}${root}/live`);
    socket.onopen = () => {
      pause = 250;
      socket.send(JSON.stringify(wish));
      onState("live");
    };
    socket.onmessage = (event) => onMessage(JSON.parse(event.data));
    socket.onclose = (event) => {
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
}
