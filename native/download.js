// Downloads a file, through proxies and redirects, after a few tries.
"use strict";

const http = require("node:http");
const https = require("node:https");
const tls = require("node:tls");

const { Problem, env } = require("./runner.js");

const sizeLimit = 256 << 20; // of what is downloaded
const idleLimit = 30_000; // milliseconds without a byte
const delays = [1000, 3000]; // before another try

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

module.exports = { download, sizeLimit };
