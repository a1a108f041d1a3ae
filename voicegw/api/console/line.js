// How the line stands: trunks, and phones of people. Those who may not see them have no such panels.

import { ask } from "/console/api.js";

const field = (id) => document.getElementById(id);

function row(name, detail, good) {
  const line = document.createElement("li");
  const words = document.createElement("small");
  words.textContent = detail;
  line.append(name, words);
  line.classList.toggle("trouble", !good);
  return line;
}

function trunkRow(trunk) {
  const lines = trunk.max_calls ? `${trunk.calls} of ${trunk.max_calls} lines` : `${trunk.calls} calls`;
  const registered = trunk.registration?.registered ? ", registered" : "";
  const stands = trunk.up ? `up${registered}` : trunk.why || "down";
  const error = trunk.up && trunk.last_error ? `, ${trunk.last_error}` : "";
  return row(trunk.name, `${stands}, ${lines}${error}`, trunk.up);
}

function phoneRow(phone) {
  const where = phone.registered ? phone.devices.join(", ") || "registered" : "not registered";
  return row(phone.display_name || phone.name, phone.calls ? `${where}, on a call` : where, phone.registered);
}

async function fill(panel, list, path, rowOf) {
  try {
    const found = await ask("GET", path);
    field(list).replaceChildren(...found.map(rowOf));
    field(panel).hidden = found.length === 0;
  } catch (error) {
    if (error.status !== 403 && error.status !== 404) {
      throw error;
    }
    field(panel).hidden = true;
  }
}

export async function refreshLine() {
  await Promise.all([
    fill("trunks-panel", "trunks", "/v1/trunk-states", trunkRow),
    fill("phones-panel", "phones", "/v1/phones", phoneRow),
  ]);
}
