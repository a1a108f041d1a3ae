// The supervisor's page: what is going on, and taking part in it.

import { ask, useCsrf, watch } from "/console/api.js";
import { refreshLine } from "/console/line.js";
import { Sound } from "/console/sound.js";

const LIST_MS = 1000;
const TRANSCRIPT_MS = 300;
const PART = {
  listen: "You are listening. Nobody hears you.",
  whisper: "You are whispering. The agent hears you, the caller does not.",
  barge: "You have barged in. Caller and agent hear you.",
  takeover: "You have taken over. You alone talk with the caller.",
};
const WHO = { caller: "Caller", agent: "Agent", callee: "Called", whisper: "Whisper", supervisor: "Supervisor" };

const field = (id) => document.getElementById(id);
const state = { me: null, calls: [], chosen: "", mode: "", sound: null, stop: null };

function say(text, trouble = false) {
  field("news").textContent = text;
  field("news").classList.toggle("trouble", trouble);
}

// Runs a deed; what goes wrong is told in words, and who is not logged in any more is asked to do so.
async function attempt(deed) {
  try {
    await deed();
  } catch (error) {
    if (error.status === 401) {
      showLogIn();
    }
    say(error.message, true);
  }
}

// At most one run in `ms`, and always one after the last call.
function atMost(ms, deed) {
  let waiting = false;
  return () => {
    if (!waiting) {
      waiting = true;
      setTimeout(() => {
        waiting = false;
        attempt(deed);
      }, ms);
    }
  };
}

// ---------------------------------------------------------------- the session

function showLogIn() {
  leaveNow();
  state.stop?.();
  state.stop = state.me = null;
  useCsrf("");
  field("who").textContent = "";
  field("log-out").hidden = true;
  field("desk").hidden = true;
  field("log-in").hidden = false;
  field("log-in").elements.name.focus();
}

async function begin(me) {
  state.me = me;
  useCsrf(me.csrf);
  field("who").textContent = me.name;
  field("log-in").hidden = true;
  field("log-out").hidden = false;
  field("desk").hidden = false;
  state.stop = watch(told, (reason) => {
    showLogIn();
    say(reason, true);
  });
  await Promise.all([refreshCalls(), refreshLine()]);
}

// ---------------------------------------------------------------- the list of calls

async function refreshCalls() {
  state.calls = (await ask("GET", "/v1/live/calls")).items;
  field("no-calls").hidden = state.calls.length > 0;
  const focused = document.activeElement?.dataset?.call;
  field("calls").replaceChildren(...state.calls.map(lineOf));
  if (focused) {
    field("calls").querySelector(`[data-call="${CSS.escape(focused)}"]`)?.focus();
  }
}

function lineOf(call) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.call = call.id;
  button.setAttribute("aria-pressed", String(call.id === state.chosen));
  const detail = document.createElement("small");
  const held = call.held ? ", on hold" : "";
  detail.textContent = `${call.agent || "no agent yet"}, ${call.state}${held}, ${call.caller_turns} turns`;
  button.append(`${call.calling || "unknown"} to ${call.called}`, detail);
  button.addEventListener("click", () => attempt(() => choose(call)));
  const line = document.createElement("li");
  line.append(button);
  return line;
}

async function choose(call) {
  if (state.chosen !== call.id) {
    leaveNow();
  }
  state.chosen = call.id;
  field("call").hidden = false;
  field("call-title").textContent = `${call.calling || "unknown"} to ${call.called}`;
  await Promise.all([refreshCalls(), refreshTranscript()]);
}

function forgetCall() {
  leaveNow();
  state.chosen = "";
  field("call").hidden = true;
}

// ---------------------------------------------------------------- events and transcript

const listSoon = atMost(LIST_MS, refreshCalls);
const lineSoon = atMost(LIST_MS, refreshLine);
const transcriptSoon = atMost(TRANSCRIPT_MS, refreshTranscript);

function told(event) {
  listSoon();
  if (event.data?.news) {
    lineSoon();
    if (event.data.news === "TrunkChanged") {
      const { name, up, why } = event.data;
      say(up ? `Trunk ${name} is up again.` : `Trunk ${name} is down: ${why}`, !up);
    }
    return;
  }
  if (!event.call_id || event.call_id !== state.chosen) {
    return;
  }
  const fact = event.data;
  if (fact.fact === "CallHasEnded") {
    forgetCall();
    say("The call has ended.");
  } else if (fact.fact === "SupervisorHasLeft" && fact.name === state.me.name) {
    leaveNow();
  } else if (fact.fact === "SupervisorModeHasChanged" && fact.name === state.me.name && state.sound) {
    showMode(fact.mode);
  } else {
    transcriptSoon();
  }
}

async function refreshTranscript() {
  if (!state.chosen) {
    return;
  }
  const { transcript } = await ask("GET", `/v1/live/calls/${state.chosen}`);
  const list = field("transcript");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const lines = transcript.map((line) => {
    const item = document.createElement("li");
    const who = document.createElement("strong");
    who.textContent = `${WHO[line.speaker] ?? line.speaker}: `;
    item.append(who, line.text);
    item.classList.toggle("cut", line.interrupted);
    return item;
  });
  // Only what is new is added, so that a screen reader reads it once.
  const known = [...list.children];
  const same = known.length <= lines.length && known.every((item, at) => item.textContent === lines[at].textContent);
  if (same) {
    list.append(...lines.slice(known.length));
  } else {
    list.replaceChildren(...lines);
  }
  if (atEnd) {
    list.scrollTop = list.scrollHeight;
  }
}

// ---------------------------------------------------------------- taking part

function showMode(mode) {
  state.mode = mode;
  for (const button of field("modes").children) {
    button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  }
  field("part").textContent = PART[mode] ?? "You are not taking part.";
  field("hand-back").disabled = mode !== "takeover" && mode !== "barge";
  field("leave").disabled = field("mute").disabled = !mode;
}

async function takePart(mode) {
  say("");
  if (!state.sound) {
    const sound = new Sound(state.chosen, field("sound"), () => {
      if (state.sound === sound) {
        leaveNow();
        say("Your connection was lost. The agent has the call.", true);
      }
    });
    state.sound = sound;
    field("mute").setAttribute("aria-pressed", "false");
    try {
      await sound.connect();
    } catch (error) {
      leaveNow();
      throw error;
    }
  }
  try {
    await ask("POST", `/v1/live/calls/${state.chosen}/supervision`, { mode, address: "webrtc" });
  } catch (error) {
    if (!state.mode) {
      leaveNow();
    }
    throw error;
  }
  showMode(mode);
}

// Closing the connection is leaving: the call gives its caller back to the agent by itself.
function leaveNow() {
  const { sound } = state;
  state.sound = null;
  sound?.close();
  showMode("");
}

async function endCall() {
  const sure = field("sure");
  sure.showModal();
  await new Promise((done) => sure.addEventListener("close", done, { once: true }));
  if (sure.returnValue === "yes") {
    await ask("POST", `/v1/live/calls/${state.chosen}/end`);
  }
}

// ---------------------------------------------------------------- wiring

field("log-in").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const { name, password, code } = event.target.elements;
    const body = { name: name.value, password: password.value, code: code.value, cookie: true };
    const me = await ask("POST", "/v1/session", body);
    event.target.reset();
    say("");
    await begin(me);
  });
});
field("log-out").addEventListener("click", () =>
  attempt(async () => {
    await ask("DELETE", "/v1/session");
    showLogIn();
    say("You are logged out.");
  }),
);
field("modes").addEventListener("click", (event) => {
  const { mode } = event.target.dataset;
  if (mode) {
    attempt(() => takePart(mode));
  }
});
field("hand-back").addEventListener("click", () => attempt(() => takePart("listen")));
field("leave").addEventListener("click", () =>
  attempt(async () => {
    await ask("POST", `/v1/live/calls/${state.chosen}/hand-back`);
    leaveNow();
  }),
);
field("mute").addEventListener("click", () => {
  const on = field("mute").getAttribute("aria-pressed") !== "true";
  field("mute").setAttribute("aria-pressed", String(on));
  state.sound?.mute(on);
});
field("end").addEventListener("click", () => attempt(endCall));
field("whisper").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    await ask("POST", `/v1/live/calls/${state.chosen}/whisper`, { text: field("note").value });
    field("note").value = "";
    say("The agent has been told.");
  });
});
window.addEventListener("pagehide", leaveNow);

attempt(async () => {
  try {
    await begin(await ask("GET", "/v1/session"));
  } catch (error) {
    if (error.status !== 401) {
      throw error;
    }
    showLogIn();
  }
});
