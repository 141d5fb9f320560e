// node server.js FD: serves at the socket whose descriptor is given.
const http = require("http");

const server = http.createServer((request, response) => {
  response.end(`${process.pid}\n`);
});
server.listen({ fd: Number(process.argv[2]) });

process.on("SIGTERM", () => {
  // No new connections; those that are open are answered first.
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
