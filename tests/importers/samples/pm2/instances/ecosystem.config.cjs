module.exports = {
  apps: [{
    name: "fork", script: "@HERE@/witness", interpreter: "none", instances: 3, exec_mode: "fork",
    increment_var: "PORT", env: { PORT: 3000 },
  }],
};
