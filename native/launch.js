// The native form of the action: finds the binary of this release, or downloads
// it, and runs it on the runner itself, without Docker for the action.
//
//   node launch.js    the action's main step; post.js is its post step,
//                     ../setup/setup.js puts the binary on the PATH
//
// What is downloaded must have the hashes of release.json, which is part of the
// release's commit. A binary from the runner's tool cache is held against them each
// time before it runs. Nothing but Node's own library is used, and nothing that
// Node 20 does not have.
"use strict";

const childProcess = require("node:child_process");
const crypto = require("node:crypto");
const fs = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const os = require("node:os");
const path = require("node:path");
const tls = require("node:tls");
const zlib = require("node:zlib");

const releases = "https://github.com/kamal-op/kamal-op/releases/download";
const sizeLimit = 256 << 20; // of an archive, and of what is in it
const idleLimit = 30_000; // milliseconds without a byte
const delays = [1000, 3000]; // before another try
const env = process.env;

// A Problem is what a person is told: what is wrong, and what to do.
class Problem extends Error {
  constructor(message, hint, status = 3) {
    super(message);
    Object.assign(this, { hint, status });
  }
}

// main runs the binary as the step of a workflow.
async function main() {
  const binary = await find();
  const directory = await kamalDirectory(true);
  saveState("launched", "true");
  process.exitCode = await run(binary, ["action"], withPath(directory));
}

// post runs the binary as the post step. It goes by its name there, as in the image.
async function post() {
  if (env.STATE_launched !== "true") {
    return; // there was no binary, so there is nothing to end
  }
  const binary = await find();
  const directory = await kamalDirectory(false);
  process.exitCode = await run(binary, [], withPath(directory), "kamal-op-post");
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
    const found = onPath("kamal-op");
    if (found) {
      return found;
    }
    throw new Problem(
      "this commit of the action is no release: it names no binary to download",
      "use a release (its commit, with the version as a comment), or put a kamal-op on the PATH of the runner",
    );
  }
  const { archive, binary } = platforms[machine];
  for (const cache of caches()) {
    const file = path.join(cache, "kamal-op", version, process.arch, "kamal-op");
    if (fs.existsSync(file) && sha256(fs.readFileSync(file)) === binary) {
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
  return keep(program, path.join("kamal-op", version, process.arch));
}

// caches are the directories where a binary may be kept, the best first. Not every
// runner has a tool cache, and not every one may write to it. A directory that other
// users share, such as /tmp, is none: they could change the binary after the check.
function caches() {
  return [env.RUNNER_TOOL_CACHE, env.RUNNER_TEMP].filter(Boolean);
}

// keep writes the binary into the first cache that takes it. It comes to its name in
// one step: several jobs of a self-hosted runner may do so at once.
function keep(program, place) {
  let last = new Error("RUNNER_TOOL_CACHE and RUNNER_TEMP are not set");
  for (const cache of caches()) {
    const directory = path.join(cache, place);
    const file = path.join(directory, "kamal-op");
    const half = `${file}.${crypto.randomUUID()}`;
    try {
      fs.mkdirSync(directory, { recursive: true });
      fs.writeFileSync(half, program, { mode: 0o755, flag: "wx" });
      fs.renameSync(half, file);
      fs.writeFileSync(`${directory}.complete`, ""); // how a tool cache marks what is whole
      return file;
    } catch (error) {
      last = error;
      try {
        fs.rmSync(half, { force: true });
      } catch {
        // there is no such place
      }
    }
  }
  throw new Problem(`the binary can be kept nowhere: ${last.message}`, "give the runner a RUNNER_TOOL_CACHE that it may write to");
}

function sha256(bytes) {
  return crypto.createHash("sha256").update(bytes).digest("hex");
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

// download gives what is at an address, after a few tries.
async function download(url) {
  const where = `${url.origin}${url.pathname}`; // without what may be a password
  for (let tries = 0; ; tries++) {
    let why;
    let final = false;
    let hint = "a runner behind a proxy needs HTTPS_PROXY; one that cannot reach github.com needs the input mirror, an address that has the release's files";
    try {
      const { status, body } = await get(url);
      if (status === 200) {
        return body;
      }
      why = `the server answers ${status}`;
      final = status < 500 && status !== 408 && status !== 429;
    } catch (error) {
      why = error.message || error.code;
      const distrust = /CERT|UNABLE_TO_/.test(error.code);
      final = error instanceof Problem || distrust;
      if (distrust) {
        hint = "a proxy with certificates of its own needs NODE_EXTRA_CA_CERTS, a file, in the environment of the runner";
      }
    }
    if (final || tries === delays.length) {
      throw new Problem(`${where} cannot be downloaded: ${why}`, hint);
    }
    await new Promise((resolve) => setTimeout(resolve, delays[tries]));
  }
}

// get asks once, and follows redirects, but never from https to http.
async function get(url) {
  for (let hops = 0; hops < 5; hops++) {
    const { status, location, body } = await request(url);
    if (![301, 302, 303, 307, 308].includes(status) || !location) {
      return { status, body };
    }
    const next = new URL(location, url);
    if (next.protocol !== url.protocol && next.protocol !== "https:") {
      throw new Problem(`it redirects to ${next.origin}, which is not https`);
    }
    url = next;
  }
  throw new Problem("it redirects too often");
}

// request asks one server, through the proxy where there is one for it.
async function request(url) {
  const secure = url.protocol === "https:";
  if (!secure && url.protocol !== "http:") {
    throw new Problem(`${url.protocol}// is no way to download`);
  }
  const proxy = proxyFor(url);
  const options = { method: "GET", headers: { "user-agent": "kamal-op", host: url.host } };
  if (url.username) {
    options.headers.authorization = basic(url);
  }
  let target = { hostname: bare(url), port: url.port || (secure ? 443 : 80), path: url.pathname + url.search };
  if (proxy && secure) {
    const socket = await tunnel(proxy, `${url.hostname}:${target.port}`);
    options.createConnection = () => tls.connect({ socket, servername: bare(url) });
  } else {
    options.agent = false; // no connection outlives its request
  }
  if (proxy && !secure) {
    target = { hostname: bare(proxy), port: proxy.port || 80, path: `${url.origin}${target.path}` };
    if (proxy.username) {
      options.headers["proxy-authorization"] = basic(proxy);
    }
  }
  return new Promise((resolve, reject) => {
    const asked = (secure ? https : http).request({ ...target, ...options }, (answer) => {
      const chunks = [];
      let size = 0;
      answer.on("data", (chunk) => {
        size += chunk.length;
        if (size > sizeLimit) {
          asked.destroy(new Problem(`it is larger than ${sizeLimit} bytes`));
        }
        chunks.push(chunk);
      });
      answer.on("error", reject);
      answer.on("end", () => resolve({ status: answer.statusCode, location: answer.headers.location, body: Buffer.concat(chunks) }));
    });
    asked.setTimeout(idleLimit, () => asked.destroy(new Error(`nothing came for ${idleLimit / 1000} seconds`)));
    asked.on("error", reject);
    asked.end();
  });
}

// proxyFor is the proxy that the environment has for an address, as curl reads it.
function proxyFor(url) {
  const name = url.protocol === "https:" ? "https_proxy" : "http_proxy";
  const proxy = env[name] || env[name.toUpperCase()];
  if (!proxy) {
    return undefined;
  }
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  for (const entry of (env.no_proxy || env.NO_PROXY || "").split(/[\s,]+/).filter(Boolean)) {
    const [, host, only] = /^(.*?)(?::(\d+))?$/.exec(entry.toLowerCase());
    const suffix = host.replace(/^\*?\.?/, "");
    if (host === "*" || ((!only || only === port) && suffix && (url.hostname === suffix || url.hostname.endsWith(`.${suffix}`)))) {
      return undefined;
    }
  }
  return new URL(proxy.includes("://") ? proxy : `http://${proxy}`);
}

// tunnel asks a proxy for a connection to a server, which it cannot look into.
function tunnel(proxy, server) {
  const secure = proxy.protocol === "https:";
  const headers = { host: server };
  if (proxy.username) {
    headers["proxy-authorization"] = basic(proxy);
  }
  return new Promise((resolve, reject) => {
    const asked = (secure ? https : http).request({
      hostname: bare(proxy), port: proxy.port || (secure ? 443 : 80), method: "CONNECT", path: server, headers, agent: false,
    });
    asked.setTimeout(idleLimit, () => asked.destroy(new Error("the proxy does not answer")));
    asked.on("connect", (answer, socket) => {
      if (answer.statusCode === 200) {
        resolve(socket);
      } else {
        socket.destroy();
        reject(new Error(`the proxy ${proxy.host} answers ${answer.statusCode}`));
      }
    });
    asked.on("response", (answer) => reject(new Error(`the proxy ${proxy.host} answers ${answer.statusCode}`)));
    asked.on("error", (error) => reject(new Error(`the proxy ${proxy.host}: ${error.message || error.code}`)));
    asked.end();
  });
}

function bare(url) {
  return url.hostname.replace(/^\[|\]$/g, ""); // of an IPv6 address
}

function basic(url) {
  const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return `Basic ${Buffer.from(user).toString("base64")}`;
}

// kamalDirectory is a directory to put before the PATH, for a runner without Kamal:
// "" where bin/kamal of the project or a kamal on the PATH works. With install true
// Kamal's gem is installed where it is not there yet.
async function kamalDirectory(install) {
  const command = (input("command") || "deploy").split(/\s+/)[0];
  if (input("kamal") || ["check", "run", "version"].includes(command) || onPath("kamal")) {
    return "";
  }
  const own = path.resolve(input("working-directory") || ".", "bin", "kamal");
  if (fs.existsSync(own) && childProcess.spawnSync(own, ["version"], { cwd: path.dirname(path.dirname(own)), stdio: "ignore" }).status === 0) {
    return "";
  }
  const version = input("kamal-version");
  if (!/^\d+(\.[0-9A-Za-z]+)*$/.test(version)) {
    throw new Problem(`input kamal-version: "${version}" is no version`, "give it as RubyGems has it, such as 2.12.0", 2);
  }
  const abi = onPath("ruby") && onPath("gem") && output("ruby", ["-e", "print RUBY_ENGINE, '-', Gem.ruby_api_version, '-', Gem::Platform.local"]);
  if (!abi) {
    throw new Problem(
      "there is no Kamal on this runner, and no Ruby to install it with",
      "put these two lines before the step (and the commit of its release in place of v1):\n  - uses: ruby/setup-ruby@v1\n    with: {ruby-version: '3.4'}",
    );
  }
  const place = path.join("kamal-op-kamal", version, abi);
  for (const cache of caches()) {
    if (fs.existsSync(path.join(cache, place, "bin", "kamal"))) {
      return path.join(cache, place, "bin");
    }
  }
  return install ? installKamal(version, place) : "";
}

// The Kamal of a directory of gems. What it starts, such as hooks, keeps its own gems.
const wrapper = (version) => `#!/usr/bin/env ruby
Gem.use_paths(File.expand_path("..", __dir__), *Gem.path)
load Gem.activate_bin_path("kamal", "kamal", "${version}")
`;

async function installKamal(version, place) {
  const cache = caches()[0];
  const final = path.join(cache, place);
  fs.mkdirSync(path.dirname(final), { recursive: true });
  const half = fs.mkdtempSync(`${final}.`);
  console.log(`::group::install Kamal ${version}`);
  const status = await run("gem", ["install", "kamal", "--version", version, "--install-dir", half, "--bindir", path.join(half, "gems-bin"), "--no-document"], env);
  console.log("::endgroup::");
  if (status !== 0) {
    fs.rmSync(half, { recursive: true, force: true });
    throw new Problem(
      `Kamal ${version} could not be installed: gem ended with ${status}`,
      "its output says why; a Kamal of the project's Gemfile needs ruby/setup-ruby with bundler-cache: true, and bin/kamal",
      status > 128 ? status : 3,
    );
  }
  fs.mkdirSync(path.join(half, "bin"), { recursive: true });
  fs.writeFileSync(path.join(half, "bin", "kamal"), wrapper(version), { mode: 0o755 });
  try {
    fs.renameSync(half, final);
  } catch {
    fs.rmSync(half, { recursive: true, force: true }); // another job was faster
  }
  return path.join(final, "bin");
}

// run runs a program to its end, with our streams, and gives its status as a shell
// has it. It has a process group of its own: a signal reaches it once, through us.
function run(program, args, environment, argv0) {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
  return new Promise((resolve, reject) => {
    const child = childProcess.spawn(program, args, { env: environment, argv0: argv0 || program, stdio: ["ignore", "inherit", "inherit"], detached: true });
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

// output is what a program prints, "" where it fails.
function output(program, args) {
  const { status, stdout } = childProcess.spawnSync(program, args, { encoding: "utf8" });
  return status === 0 ? stdout.trim() : "";
}

function onPath(program) {
  for (const directory of (env.PATH || "").split(path.delimiter).filter(Boolean)) {
    const file = path.join(directory, program);
    try {
      fs.accessSync(file, fs.constants.X_OK);
      if (fs.statSync(file).isFile()) {
        return file;
      }
    } catch {
      // not here
    }
  }
  return "";
}

function withPath(directory) {
  return directory ? { ...env, PATH: `${directory}${path.delimiter}${env.PATH || ""}` } : env;
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

// start runs one of the three, and tells what went wrong as an annotation.
async function start(step) {
  try {
    await step();
  } catch (error) {
    const text = error instanceof Problem ? [error.message, error.hint && `hint: ${error.hint}`].filter(Boolean).join("\n") : `${error.stack}`;
    console.log(`::error::${text.replace(/%/g, "%25").replace(/\r/g, "%0D").replace(/\n/g, "%0A")}`);
    process.exitCode = error.status || 1;
  }
  process.exit(); // whatever a server still holds open
}

if (require.main === module) {
  start(main);
}

module.exports = { start, post, setup };
