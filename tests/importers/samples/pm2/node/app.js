const { execFileSync } = require("child_process");
process.on("SIGINT", () => process.exit(0));
execFileSync("@HERE@/witness", ["node", "--detached", ...process.argv.slice(2)]);
setInterval(() => {}, 1000);
