module.exports = {
  apps: [{ name: "next app", script: "sh", args: "-c 'exec @HERE@/witness next start'" }],
};
