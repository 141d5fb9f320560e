import { follow } from "./console.js";

const section = (key) => document.querySelector(`section[data-daemon="${CSS.escape(key)}"]`);

function row(key, name) {
  const body = section(key).querySelector("tbody");
  const found = [...body.rows].find((line) => line.dataset.watcher === name);
  if (found) return found;
  const line = body.insertRow();
  line.dataset.watcher = name;
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = name;
  line.append(head);
  for (const cell of ["state", "processes", "cpu", "rss", "restarts", "reason"])
    line.insertCell().dataset.cell = cell;
  return line;
}

function put(line, values) {
  for (const [cell, text] of Object.entries(values))
    line.querySelector(`[data-cell="${cell}"]`).textContent = text ?? "";
}

function watchers(key, states) {
  for (const [name, state] of Object.entries(states))
    put(row(key, name), {
      state: state.state,
      processes: `${state.running}/${state.wanted}`,
      restarts: state.restarts,
      reason: state.reason,
    });
}

function usage(key, numbers) {
  for (const [name, sums] of Object.entries(numbers))
    put(row(key, name), { cpu: `${sums.cpu_sum} %`, rss: `${(sums.rss / 1048576).toFixed(1)} MB` });
}

function connection(key, state) {
  section(key).querySelector("[data-connection]").textContent = state.connected ? "" : state.reason;
}

function take(message) {
  if (message.type === "snapshot") {
    connection(message.daemon, message.connection);
    for (const line of [...section(message.daemon).querySelector("tbody").rows])
      if (!(line.dataset.watcher in message.watchers)) line.remove();
    watchers(message.daemon, message.watchers);
    usage(message.daemon, message.usage);
  } else if (message.type === "watchers") watchers(message.daemon, message.watchers);
  else if (message.type === "usage") usage(message.daemon, message.usage);
  else if (message.type === "connection") connection(message.daemon, message.connection);
}

follow({ topics: [] }, take, (state) => {
  document.querySelector("#live").textContent = state;
});
