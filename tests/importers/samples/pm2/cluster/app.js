const { execFileSync } = require("child_process");
process.on("SIGINT", () => process.exit(0));
execFileSync("@HERE@/witness", ["cluster", "--detached"]);
if (process.send) process.send("ready");
setInterval(() => {}, 1000);
