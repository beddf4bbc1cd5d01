// The Kamal of a runner that has none: its gem, installed with the runner's Ruby.
//
// Nothing of the project is run for it, and what is run gets an environment without
// tokens: whether a bundle is installed is asked of files, and gem, which compiles
// what others have written, is told no more than it needs.
"use strict";

const childProcess = require("node:child_process");
const crypto = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");

const { Problem, env, input, isOutside, isProgram, onPath, outside, place, places, run, warn } = require("./runner.js");

// What Ruby and gem are told of the environment: where they are, how the network is
// reached, how something is compiled. RUBYOPT and what Bundler reads are not among it,
// since they can load files of the project.
const passed = [
  "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "GEMRC",
  "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
  "CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "MAKEFLAGS", "CPATH", "LIBRARY_PATH", "LD_LIBRARY_PATH", "PKG_CONFIG_PATH", "SDKROOT",
];

// What the ruby of rbenv, asdf or mise needs to find the Ruby that it stands for: the
// version that the workflow has chosen, and directories, none of which is the project's.
const versions = ["RBENV_VERSION", "ASDF_RUBY_VERSION", "MISE_RUBY_VERSION"];
const directories = ["RBENV_ROOT", "ASDF_DIR", "ASDF_DATA_DIR", "MISE_DATA_DIR", "MISE_CONFIG_DIR", "XDG_DATA_HOME"];

function rubyEnvironment() {
  const told = [
    ...passed.filter((name) => env[name] !== undefined),
    ...versions.filter((name) => /^[^/]+$/.test(env[name] || "")), // asdf and mise take "path:DIRECTORY", too
    ...directories.filter((name) => isOutside(env[name] || "")),
  ].map((name) => [name, env[name]]);
  return { ...Object.fromEntries(told), PATH: outside().join(path.delimiter) };
}

// kamalDirectory is a directory to put before the PATH, for a runner without Kamal:
// "" where the project's bundle has one or a kamal is on the PATH. With install true
// Kamal's gem is installed where it is not there yet.
async function kamalDirectory(install) {
  const command = (input("command") || "deploy").split(/\s+/)[0];
  if (input("kamal") || ["check", "run", "version"].includes(command) || onPath("kamal") || bundled()) {
    return "";
  }
  const version = input("kamal-version");
  if (!/^\d+(\.[0-9A-Za-z]+)*$/.test(version)) {
    throw new Problem(`input kamal-version: "${version}" is no version`, "give it as RubyGems has it, such as 2.12.0", 2);
  }
  const ruby = findRuby();
  if (!ruby) {
    if (mayRun()) {
      return "";
    }
    if (onPath("ruby", outside()) && onPath("gem", outside())) {
      throw new Problem(
        "there is no Kamal on this runner, and its Ruby does not run outside the project, where the gem is installed",
        `where the project's files choose the version of Ruby, give it to the step in its env, too: ${versions.join(", ")}`,
      );
    }
    throw new Problem(
      "there is no Kamal on this runner, and no Ruby to install it with",
      "put these two lines before the step (and the commit of its release in place of v1):\n  - uses: ruby/setup-ruby@v1\n    with: {ruby-version: '3.4'}",
    );
  }
  const name = path.join("kamal-op-kamal", version, ruby.abi);
  const found = places(name).find((directory) => isProgram(path.join(directory, "bin", "kamal")));
  if (found) {
    return path.join(found, "bin");
  }
  return install ? installOrOwn(version, name, ruby) : "";
}

// mayRun says whether the project's bin/kamal may work without the runner's gem:
// kamal-op finds out. It may be no Ruby, or its Ruby be one that the project's files
// choose, of which the launcher, which does not follow them, finds none.
function mayRun() {
  return isProgram(ownKamal()) && (onPath("ruby") !== "" || !/^#!.*ruby/.test(fs.readFileSync(ownKamal(), "latin1")));
}

// installOrOwn installs Kamal. Where that fails and the project has a bin/kamal it is
// left to that: its Kamal may be a directory's or a repository's, which bundled does
// not see, and the runner have no way to the gems.
async function installOrOwn(version, name, ruby) {
  try {
    return await installKamal(version, name, ruby);
  } catch (error) {
    if (!(error instanceof Problem) || error.status > 128 || !mayRun()) { // above 128 it was ended: the job is cancelled
      throw error;
    }
    warn(`${error.message}; the project's bin/kamal is tried`);
    return "";
  }
}

function projectDirectory() {
  return path.resolve(input("working-directory") || ".");
}

function ownKamal() {
  return path.join(projectDirectory(), "bin", "kamal");
}

// bundled says whether the project's bin/kamal finds Kamal in the project's bundle, by
// what the files of Bundler say.
function bundled() {
  if (!isProgram(ownKamal())) {
    return false;
  }
  const root = env.BUNDLE_GEMFILE ? path.dirname(path.resolve(env.BUNDLE_GEMFILE)) : projectDirectory();
  const locked = /^ {4}kamal \(([^)\s]+)\)\s*$/m.exec(text(path.join(root, "Gemfile.lock")));
  const wanted = (file) => (locked ? file === `kamal-${locked[1]}.gemspec` : /^kamal-\d[^-]*\.gemspec$/.test(file));
  const gems = bundlePaths(root).flatMap((directory) => [
    directory, // as GEM_HOME
    ...entries(directory).flatMap((engine) => entries(path.join(directory, engine)).map((abi) => path.join(directory, engine, abi))),
  ]);
  return gems.some((directory) => entries(path.join(directory, "specifications")).some(wanted));
}

// bundlePaths are where Bundler may have installed the gems of a project.
function bundlePaths(root) {
  const configs = [
    path.resolve(root, env.BUNDLE_APP_CONFIG || ".bundle"),
    env.BUNDLE_USER_HOME || path.join(env.HOME || root, ".bundle"),
  ];
  const named = configs.map((directory) => (/^BUNDLE_PATH: *["']?(.*?)["']?\s*$/m.exec(text(path.join(directory, "config"))) || [])[1]);
  return [...named, env.BUNDLE_PATH, "vendor/bundle", env.GEM_HOME].filter(Boolean).map((directory) => path.resolve(root, directory));
}

// text and entries are what is in a file or directory; nothing where it is not there.
function text(file) {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function entries(directory) {
  try {
    return fs.readdirSync(directory);
  } catch {
    return [];
  }
}

// findRuby is the runner's Ruby: its gem, its path, and what gems are compiled for. It
// is run at /, where no file of a project has a say.
function findRuby() {
  const [ruby, gem] = ["ruby", "gem"].map((program) => onPath(program, outside()));
  if (!ruby || !gem) {
    return undefined;
  }
  const script = "puts RbConfig.ruby, [RUBY_ENGINE, Gem.ruby_api_version, Gem::Platform.local].join('-')";
  const { status, stdout } = childProcess.spawnSync(ruby, ["-e", script], { encoding: "utf8", env: rubyEnvironment(), cwd: "/" });
  const [program, abi] = (stdout || "").trim().split("\n");
  return status === 0 && abi && /^[\w.-]+$/.test(abi) ? { program, abi, gem } : undefined;
}

// The Kamal of a directory of gems. What it starts, such as hooks, keeps its own gems.
// The gems are compiled for one Ruby, which a project's files do not change.
const wrapper = (version, ruby) => `#!${/^[^\s]{1,120}$/.test(ruby) ? ruby : "/usr/bin/env ruby"}
Gem.use_paths(File.expand_path("..", __dir__), *Gem.path)
load Gem.activate_bin_path("kamal", "kamal", "${version}")
`;

async function installKamal(version, name, ruby) {
  const final = path.join(place(path.dirname(name)), path.basename(name));
  const half = fs.mkdtempSync(`${final}.`);
  const args = ["install", "kamal", "--version", version, "--remote", "--install-dir", half, "--bindir", path.join(half, "gems-bin"), "--no-document"];
  // What a gem prints while it is compiled is no command to the runner.
  const resume = crypto.randomUUID();
  let status;
  console.log(`::group::install Kamal ${version}\n::stop-commands::${resume}`);
  try {
    status = await run(ruby.gem, args, { env: rubyEnvironment(), cwd: "/" });
  } finally {
    console.log(`\n::${resume}::\n::endgroup::`);
    if (status !== 0) {
      fs.rmSync(half, { recursive: true, force: true });
    }
  }
  if (status !== 0) {
    throw new Problem(
      `Kamal ${version} could not be installed: gem ended with ${status}`,
      "its output says why; a Kamal of the project's Gemfile needs ruby/setup-ruby with bundler-cache: true, and bin/kamal",
      status > 128 ? status : 3,
    );
  }
  fs.mkdirSync(path.join(half, "bin"), { recursive: true, mode: 0o755 });
  fs.writeFileSync(path.join(half, "bin", "kamal"), wrapper(version, ruby.program), { mode: 0o755 });
  try {
    fs.renameSync(half, final);
  } catch {
    fs.rmSync(half, { recursive: true, force: true }); // another job was faster
  }
  return path.join(final, "bin");
}

module.exports = { kamalDirectory };
