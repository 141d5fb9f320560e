module.exports = {
  apps: [{ name: "minimal", script: "@HERE@/witness", interpreter: "none" }],
};
