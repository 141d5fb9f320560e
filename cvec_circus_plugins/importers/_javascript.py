"""A JavaScript module's exports, or JSON with comments, as JSON, evaluated by node."""

from __future__ import annotations

import os.path

from cvec_circus_core.api import ImportProblem, SourceLine, SystemProblem, program_output

_LIMIT = 30.0
_PRINT = """
const path = process.argv[1];
const text = (file) => require("fs").readFileSync(file, "utf8");
const exports_of = path.endsWith(".json")
  ? new Promise((done) => done(require("vm").runInNewContext("(" + text(path) + ")")))
  : import(require("url").pathToFileURL(path));
exports_of.then(async (module) => {
  let value = module.default ?? module;
  if (typeof value === "function") value = await value();
  console.log("\\u001e" + JSON.stringify(value, (key, item) =>
    item instanceof RegExp || typeof item === "function" ? String(item) : item));
}).catch((error) => { console.error(String(error)); process.exit(1); });
"""


def evaluated(path: str) -> str:
    """Return what a module exports as JSON. Raises `ImportProblem`."""
    try:
        printed = program_output(["node", "-e", _PRINT, os.path.abspath(path)], _LIMIT)
    except SystemProblem as error:
        sentence = f"is JavaScript, which node has to read, but {error}"
        raise ImportProblem(sentence, SourceLine(path)) from None
    # Whatever the module prints itself comes before.
    return printed.rpartition("\x1e")[2]
