module.exports = {
  apps: [{
    name: "api",
    script: "witness",
    interpreter: "none",
    args: ["serve", "--title", "two words"],
    cwd: "@HERE@",
    env: { NODE_ENV: "development", DEBUG: true, LIMIT: 10 },
    env_production: { NODE_ENV: "production" },
  }],
};
