// The post step of the native form: ends what a killed step has left.
"use strict";

const { start, post } = require("./launch.js");

start(post);
