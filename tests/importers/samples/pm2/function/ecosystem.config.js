const apps = ["a", "b"].map((name) => ({
  name, script: "@HERE@/witness", interpreter: "none", args: [name], env: { NAME: name },
}));
module.exports = { apps };
