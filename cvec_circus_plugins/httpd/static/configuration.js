// The plan of a new configuration, and applying it.

import { act, follow, mayAct } from "./console.js";
import { confirmed, make, toast } from "./elements.js";
import { noticeOf } from "./daemon_notice.js";

const key = document.querySelector("section[data-daemon]").dataset.daemon;
const result = document.querySelector("#result");
const apply = document.querySelector("#apply");
const again = document.querySelector("#plan");
let planned = null;

const table = (titles, rows) =>
  make("div", { class: "card scroll" }, make("table", { class: "plan stack" },
    make("thead", {}, make("tr", {}, ...titles.map((text) => make("th", { scope: "col", text })))),
    make("tbody", {}, ...rows)));

function row(item) {
  const tag = make("span", { class: `tag${{ remove: " bad", restart: " warn", reload: " warn" }[item.action] ?? ""}`, text: item.action });
  return make("tr", {}, make("td", {}, tag), make("th", { scope: "row", text: item.name }), make("td", { class: "wide", text: item.reason ?? "" }));
}

function show(plan) {
  const changed = plan.watchers.filter((item) => item.action !== "keep");
  const kept = plan.watchers.length - changed.length;
  const options = [...plan.options.at_once.map((name) => [name, "counts at once"]), ...plan.options.at_next_start.map((name) => [name, "counts when the daemon starts anew"])];
  const nothing = !changed.length && !plan.sockets.length && !options.length;
  result.replaceChildren(
    make("p", { class: `notice ${nothing ? "good" : "plain"}`, text: nothing ? "The file says what runs: there is nothing to do." : `${changed.length} of ${plan.watchers.length} watchers change, ${kept} are left alone.` }),
    changed.length ? table(["Action", "Watcher", "Why"], changed.map(row)) : "",
    plan.sockets.length ? table(["Action", "Socket", "Why"], plan.sockets.map(row)) : "",
    options.length ? table(["Option of the daemon", ""], options.map(([name, when]) => make("tr", {}, make("th", { scope: "row", class: "mono", text: name }), make("td", { text: when })))) : "");
  planned = nothing ? null : plan;
  apply.disabled = nothing || !mayAct;
}

function refuse(reply) {
  planned = null;
  apply.disabled = true;
  const problems = (reply.problems ?? []).map((problem) => make("li", { text: typeof problem === "string" ? problem : problem.text ?? JSON.stringify(problem) }));
  result.replaceChildren(make("div", { class: "notice bad stacked" }, problems.length ? make("p", { text: "The file has mistakes, and nothing is changed:" }) : make("p", { text: reply.reason }), problems.length ? make("ul", {}, ...problems) : ""));
}

async function plan() {
  again.setAttribute("aria-busy", "true");
  const reply = await act("reloadconfig", { plan: true }, key).catch((error) => ({ status: "error", reason: `the console did not answer: ${error.message}` }));
  again.removeAttribute("aria-busy");
  if (reply.status === "error") refuse(reply);
  else show(reply.plan);
}

again.addEventListener("click", plan);
apply.addEventListener("click", async () => {
  const removed = planned.watchers.filter((item) => item.action === "remove").map((item) => item.name);
  if (removed.length && !(await confirmed(`This removes ${removed.join(", ")}. Apply?`, "Apply"))) return;
  apply.setAttribute("aria-busy", "true");
  const message = toast("Applying the configuration …");
  const reply = await act("reloadconfig", { waiting: true }, key).catch((error) => ({ status: "error", reason: `the console did not answer: ${error.message}` }));
  apply.removeAttribute("aria-busy");
  if (reply.status === "error") message.update(reply.reason, "error");
  else message.update("The configuration is applied", "ok");
  await plan();
});

follow({ topics: [] }, (message) => {
  if (message.daemon === key && message.connection) noticeOf(key, message.connection);
});
plan();
