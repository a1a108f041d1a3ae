// SIP.js as a browser has it, but with plain RTP: signalling is the library's, sound is somebody else's.
//
//     node phone.mjs MODULES SETTINGS
//
// MODULES is the directory where npm put SIP.js and ws, SETTINGS is JSON: server (ws: or wss: URL), origin,
// subprotocol, uri, password, rtp (IP and port of who speaks and hears), steps. Each step is [name, argument]. What
// happens is printed, a JSON object a line. Exit status 1: a step failed.

import { join } from "node:path";
import { pathToFileURL } from "node:url";

const PATIENCE_MS = 40_000;
const [, , modules, given] = process.argv;
const settings = JSON.parse(given);
const load = (file) => import(pathToFileURL(join(modules, file)).href);
const { Inviter, Registerer, RegistererState, SessionState, UserAgent } = await load("sip.js/lib/index.js");
const { default: WebSocket } = await load("ws/wrapper.mjs");

// A browser says by itself which page it shows, and SIP.js always speaks SIP: here the test has its way in both.
globalThis.WebSocket = class extends WebSocket {
  constructor(url, _protocol) {
    super(url, settings.subprotocol, { origin: settings.origin });
  }
};

function tell(event, details = {}) {
  console.log(JSON.stringify({ event, ...details }));
}

// What a browser does with RTCPeerConnection, for the RTP endpoint of the test.
class PlainRtp {
  #version = 0;
  #answering = "sendrecv";

  async getDescription(options) {
    const direction = options?.hold ? "sendonly" : this.#answering;
    this.#answering = "sendrecv";
    this.#version += 1;
    const { ip, port } = settings.rtp;
    const lines = [
      "v=0",
      `o=- 1 ${this.#version} IN IP4 ${ip}`,
      "s=-",
      `c=IN IP4 ${ip}`,
      "t=0 0",
      `m=audio ${port} RTP/AVP 0 101`,
      "a=rtpmap:0 PCMU/8000",
      "a=rtpmap:101 telephone-event/8000",
      `a=${direction}`,
    ];
    return { body: `${lines.join("\r\n")}\r\n`, contentType: "application/sdp" };
  }

  async setDescription(sdp) {
    const ip = /^c=IN IP4 (\S+)/m.exec(sdp)[1];
    const port = Number(/^m=audio (\d+) /m.exec(sdp)[1]);
    const direction = /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/m.exec(sdp)?.[1] ?? "sendrecv";
    this.#answering = direction === "sendonly" ? "recvonly" : "sendrecv";
    tell("description", { ip, port, direction });
  }

  hasDescription(contentType) {
    return contentType === "application/sdp";
  }

  sendDtmf() {
    return false;
  }

  close() {}
}

let session = null;
let offered = null;
const news = new EventTarget();

function changed(name) {
  tell(name);
  news.dispatchEvent(new Event(name));
}

function once(name, begin = async () => {}) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${name} in time`)), PATIENCE_MS);
    news.addEventListener(name, () => resolve(clearTimeout(timer)), { once: true });
    Promise.resolve(begin()).catch(reject);
  });
}

function watch(found) {
  session = found;
  session.delegate = { onInvite: () => changed("reinvited") };
  session.stateChange.addListener((state) => {
    if (state === SessionState.Established) changed("established");
    if (state === SessionState.Terminated) changed("ended");
  });
}

function change(hold) {
  return new Promise((resolve, reject) => {
    const requestDelegate = {
      onAccept: resolve,
      onReject: (response) => reject(new Error(`refused: ${response.message.statusCode}`)),
    };
    session.invite({ requestDelegate, sessionDescriptionHandlerOptions: { hold } }).catch(reject);
  });
}

const agent = new UserAgent({
  uri: UserAgent.makeURI(settings.uri),
  authorizationUsername: UserAgent.makeURI(settings.uri).user,
  authorizationPassword: settings.password,
  transportOptions: { server: settings.server, connectionTimeout: 30 },
  sessionDescriptionHandlerFactory: () => new PlainRtp(),
  logLevel: "error",
  delegate: {
    onInvite(invitation) {
      offered = invitation;
      watch(invitation);
      changed("called");
    },
  },
});
const registerer = new Registerer(agent, { expires: 60 });
registerer.stateChange.addListener((state) => {
  if (state === RegistererState.Registered) changed("registered");
  if (state === RegistererState.Unregistered) changed("unregistered");
});

const steps = {
  register: () => once("registered", () => registerer.register()),
  unregister: () => once("unregistered", () => registerer.unregister()),
  async call(target) {
    watch(new Inviter(agent, UserAgent.makeURI(target)));
    await once("established", () => session.invite());
  },
  async answer() {
    if (offered === null) await once("called");
    await once("established", () => offered.accept());
  },
  wait: (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000)),
  hold: () => change(true),
  resume: () => change(false),
  keys: (digit) =>
    session.info({
      requestOptions: {
        body: {
          contentDisposition: "render",
          contentType: "application/dtmf-relay",
          content: `Signal=${digit}\r\nDuration=160`,
        },
      },
    }),
  refreshed: () => once("reinvited"),
  bye: () => once("ended", () => session.bye()),
  async ended() {
    if (session.state !== SessionState.Terminated) await once("ended");
  },
};

try {
  await agent.start();
  tell("connected");
  for (const [name, argument] of settings.steps) await steps[name](argument);
  await agent.stop();
  process.exit(0);
} catch (error) {
  tell("failed", { why: String(error?.message ?? error) });
  process.exit(1);
}
