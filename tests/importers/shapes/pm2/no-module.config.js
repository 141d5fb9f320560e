require("no-module-of-this-name").config(); module.exports = {apps: []};
