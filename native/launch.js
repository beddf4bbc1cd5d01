// The native form of the action: finds the binary of this release, or downloads
// it, and runs it on the runner itself, without Docker for the action.
//
//   node launch.js    the action's main step; post.js is its post step,
//                     ../setup/setup.js puts the binary on the PATH
//
// What is downloaded must have the hashes of release.json, which is part of the
// release's commit. A binary from the runner's tool cache is held against them each
// time before it runs. Nothing of the project is run here: that is kamal-op's to do.
// Nothing but Node's own library is used, and nothing that Node 20 does not have.
"use strict";

const crypto = require("node:crypto");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const zlib = require("node:zlib");

const { download, sizeLimit } = require("./download.js");
const { kamalDirectory } = require("./kamal.js");
const { Problem, append, env, fail, input, isProgram, onPath, outside, place, places, removePrivate, run, saveState, setOutput, sha256 } = require("./runner.js");

const releases = "https://github.com/kamal-op/kamal-op/releases/download";

// main runs the binary as the step of a workflow.
async function main() {
  const binary = await find();
  const directory = await kamalDirectory(true);
  saveState("launched", "true");
  process.exitCode = await run(binary, ["action"], { env: withPath(directory) });
}

// post runs the binary as the post step. It goes by its name there, as in the image.
async function post() {
  try {
    if (env.STATE_launched === "true") { // else there was no binary, and there is nothing to end
      const binary = await find();
      const directory = await kamalDirectory(false);
      process.exitCode = await run(binary, [], { env: withPath(directory), argv0: "kamal-op-post" });
    }
  } finally {
    removePrivate();
  }
}

// setup puts the binary on the PATH of the job's further steps.
async function setup() {
  const binary = await find();
  append("GITHUB_PATH", path.dirname(binary) + os.EOL);
  setOutput("path", binary);
  setOutput("version", release().version || "");
}

// release is what this commit is a release of: its version and hashes. On a commit
// that is none the version is "".
function release() {
  return JSON.parse(fs.readFileSync(path.join(__dirname, "release.json"), "utf8"));
}

// platform is this machine in the words of the release's files.
function platform() {
  const arch = { x64: "amd64", arm64: "arm64" }[process.arch];
  if (!["linux", "darwin"].includes(process.platform) || !arch) {
    throw new Problem(
      `there is no kamal-op for ${process.platform} on ${process.arch}`,
      "it runs on Linux and macOS, on x64 and arm64; on Windows use a Linux runner, or WSL",
    );
  }
  return `${process.platform}_${arch}`;
}

// find gives the path of the binary, checked.
async function find() {
  const machine = platform();
  const { version, platforms } = release();
  if (!version) {
    const found = onPath("kamal-op", outside());
    if (found) {
      return found;
    }
    throw new Problem(
      "this commit of the action is no release: it names no binary to download",
      "use a release (its commit, with the version as a comment), or put a kamal-op on the PATH of the runner, outside the project",
    );
  }
  const { archive, binary } = platforms[machine];
  const directory = path.join("kamal-op", version, process.arch);
  for (const kept of places(directory)) {
    const file = path.join(kept, "kamal-op");
    if (isProgram(file) && sha256(fs.readFileSync(file)) === binary) {
      return file;
    }
  }
  const name = `kamal-op_${version}_${machine}`;
  const base = input("mirror") || `${releases}/v${version}`;
  const packed = await download(new URL(`${base.replace(/\/+$/, "")}/${name}.tar.gz`));
  if (sha256(packed) !== archive) {
    throw new Problem(
      `${name}.tar.gz is not what this release is made of: its SHA-256 is ${sha256(packed)}, not ${archive}`,
      "nothing of it was run; if a mirror or a proxy gave it, look there",
    );
  }
  const program = unpack(packed, `${name}/kamal-op`);
  if (!program || sha256(program) !== binary) {
    throw new Problem(`the binary in ${name}.tar.gz is not the one of this release`, "nothing of it was run");
  }
  return keep(program, place(directory));
}

// keep writes the binary where no other user can change it once it is checked. It
// comes to its name in one step: several jobs of a self-hosted runner may do so at once.
function keep(program, directory) {
  const file = path.join(directory, "kamal-op");
  const half = `${file}.${crypto.randomUUID()}`;
  try {
    fs.writeFileSync(half, program, { mode: 0o755, flag: "wx" });
    fs.renameSync(half, file);
  } catch (error) {
    fs.rmSync(half, { force: true });
    throw new Problem(`the binary cannot be kept: ${error.message}`, "give the runner a RUNNER_TOOL_CACHE with room in it");
  }
  fs.writeFileSync(`${directory}.complete`, ""); // how a tool cache marks what is whole
  return file;
}

// unpack gives one file of a release's archive: a gzipped tar in the form USTAR.
function unpack(packed, name) {
  const tar = zlib.gunzipSync(packed, { maxOutputLength: sizeLimit });
  const text = (at, length) => tar.toString("latin1", at, at + length).split("\0", 1)[0];
  for (let at = 0; at + 512 <= tar.length && text(at, 100); ) {
    const size = parseInt(text(at + 124, 12), 8);
    if (text(at, 100) === name) {
      return tar.subarray(at + 512, at + 512 + size);
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return undefined;
}

function withPath(directory) {
  return directory ? { ...env, PATH: `${directory}${path.delimiter}${env.PATH || ""}` } : env;
}

// start runs one of the three, and tells what went wrong as an annotation.
async function start(step) {
  try {
    await step();
  } catch (error) {
    const text = error instanceof Problem ? [error.message, error.hint && `hint: ${error.hint}`].filter(Boolean).join("\n") : `${error.stack}`;
    fail(text);
    process.exitCode = error.status || 1;
  }
  process.exit(); // whatever a server still holds open
}

if (require.main === module) {
  start(main);
}

module.exports = { start, post, setup };
