// Puts the checked binary of this release on the PATH.
"use strict";

const { start, setup } = require("../native/launch.js");

start(setup);
