module.exports = {
  apps: [{
    name: "cluster", script: "app.js", instances: "2",
    exec_mode: "cluster", wait_ready: true, listen_timeout: 10000, watch: ["src"],
    ignore_watch: ["node_modules"], max_memory_restart: "300M",
  }],
  deploy: { production: { user: "node", host: "example.org", ref: "origin/main" } },
};
