// What the launcher knows of the runner: its environment and files, the programs on
// its PATH, and where something can be kept that no other user may change.
"use strict";

const childProcess = require("node:child_process");
const crypto = require("node:crypto");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");

const env = process.env;

// A Problem is what a person is told: what is wrong, and what to do.
class Problem extends Error {
  constructor(message, hint, status = 3) {
    super(message);
    Object.assign(this, { hint, status });
  }
}

function input(name) {
  return (env[`INPUT_${name.toUpperCase()}`] || "").trim();
}

function saveState(name, value) {
  append("GITHUB_STATE", `${name}=${value}${os.EOL}`);
}

function setOutput(name, value) {
  append("GITHUB_OUTPUT", `${name}=${value}${os.EOL}`);
}

// append writes to one of the runner's files.
function append(variable, text) {
  if (env[variable]) {
    fs.appendFileSync(env[variable], text);
  }
}

// warn and fail tell a person something, as an annotation.
function warn(text) {
  annotate("warning", text);
}

function fail(text) {
  annotate("error", text);
}

function annotate(kind, text) {
  console.log(`::${kind}::${text.replace(/%/g, "%25").replace(/\r/g, "%0D").replace(/\n/g, "%0A")}`);
}

function sha256(bytes) {
  return crypto.createHash("sha256").update(bytes).digest("hex");
}

// onPath is a program's path, "" where there is none.
function onPath(program, directories = (env.PATH || "").split(path.delimiter)) {
  return directories.filter(Boolean).map((directory) => path.join(directory, program)).find(isProgram) || "";
}

function isProgram(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

// outside are the directories of the PATH that are none of the project's. The launcher
// runs nothing of the project: kamal-op does, once it has taken the tokens away.
function outside() {
  return (env.PATH || "").split(path.delimiter).filter(isOutside);
}

// isOutside says whether a directory has an absolute name and is none of the project's.
function isOutside(directory) {
  const project = real(env.GITHUB_WORKSPACE || ".") + path.sep;
  return path.isAbsolute(directory) && !`${real(directory)}${path.sep}`.startsWith(project);
}

// real is a path without links in it; what is not there is as it is.
function real(file) {
  try {
    return fs.realpathSync(file);
  } catch {
    return path.resolve(file);
  }
}

// replaceable says whether another user could put something else in the place of what
// lies in a directory: it and all above it must be root's or this user's, and closed
// to the writing of others unless they are sticky, as /tmp is.
function replaceable(directory) {
  for (let at = real(directory); ; at = path.dirname(at)) {
    const { uid, mode } = fs.statSync(at);
    if (!trusted(uid) || (mode & 0o022 && !(mode & 0o1000))) {
      return true;
    }
    if (at === path.dirname(at)) {
      return false;
    }
  }
}

function trusted(uid) {
  return uid === 0 || uid === process.geteuid();
}

// closed says whether nobody but root and this user can change what lies in a
// directory. One that is not there is not.
function closed(directory) {
  try {
    const { uid, mode } = fs.statSync(directory);
    return trusted(uid) && !(mode & 0o022) && !replaceable(directory);
  } catch {
    return false;
  }
}

// places are the directories of this name in which something may have been kept: in
// the tool cache, which outlives the job, and in the step's own directory.
function places(name) {
  return [env.RUNNER_TOOL_CACHE, own].filter(Boolean).map((parent) => path.join(parent, name)).filter(closed);
}

// place makes a directory of this name to keep something in: in the tool cache, or,
// where others may write to that, in a directory of the step's own.
function place(name) {
  const cache = env.RUNNER_TOOL_CACHE;
  const shared = cache && (closed(cache) || !fs.existsSync(cache)) && make(path.join(cache, name));
  return shared || make(path.join(privateDirectory(), name)) || nowhere();
}

// make makes a directory, and gives "" where it cannot, or where others may change it.
function make(directory) {
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o755 });
    fs.accessSync(directory, fs.constants.W_OK);
    return closed(directory) ? directory : "";
  } catch {
    return "";
  }
}

// The step's own directory, closed to all others. The post step is told of it, and
// removes it.
let own = env.STATE_private || "";

function privateDirectory() {
  if (!own) {
    const parent = [env.RUNNER_TEMP, os.tmpdir()].find((parent) => parent && fs.existsSync(parent) && !replaceable(parent));
    own = fs.mkdtempSync(path.join(parent || nowhere(), "kamal-op-"));
    saveState("private", own);
  }
  return own;
}

function nowhere() {
  throw new Problem(
    "what is downloaded can be kept nowhere: others may write to the tool cache, and to the temporary directories",
    "give the runner a RUNNER_TOOL_CACHE or a RUNNER_TEMP that its user alone may write to",
  );
}

function removePrivate() {
  if (own) {
    fs.rmSync(own, { recursive: true, force: true });
  }
}

// run runs a program to its end, with our streams, and gives its status as a shell
// has it. It has a process group of its own: a signal reaches it once, through us.
function run(program, args, options) {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  return new Promise((resolve, reject) => {
    const child = childProcess.spawn(program, args, { stdio: ["ignore", "inherit", "inherit"], detached: true, ...options });
    const pass = (signal) => child.kill(signal);
    signals.forEach((signal) => process.on(signal, pass));
    const over = (done) => {
      signals.forEach((signal) => process.removeListener(signal, pass));
      done();
    };
    child.on("error", (error) => over(() => reject(new Problem(`${path.basename(program)} does not start: ${error.message}`, ""))));
    child.on("exit", (code, signal) => over(() => resolve(signal ? 128 + os.constants.signals[signal] : code)));
  });
}

module.exports = { Problem, append, env, fail, input, isOutside, isProgram, onPath, outside, place, places, removePrivate, run, saveState, setOutput, sha256, warn };
