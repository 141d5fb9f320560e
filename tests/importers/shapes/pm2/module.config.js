export default { apps: [{ name: "esm", script: "index.mjs", shutdown_with_message: true, wait_ready: true, listen_timeout: 3000 }] };
