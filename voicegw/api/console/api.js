// The admin API: one session by cookie, and live events that find their way back after a break.

export class Problem extends Error {
  constructor(status, body) {
    const fixes = (body.errors ?? []).map((one) => one.fix).filter(Boolean);
    super([body.detail || body.title || `error ${status}`, ...fixes].join(". "));
    this.status = status;
  }
}

let csrf = "";

export function useCsrf(value) {
  csrf = value;
}

export async function ask(method, path, body) {
  const headers = csrf && method !== "GET" ? { "X-CSRF-Token": csrf } : {};
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
  }
  const answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await answer.text();
  const isJson = (answer.headers.get("Content-Type") ?? "").includes("json");
  const content = isJson && text ? JSON.parse(text) : {};
  if (!answer.ok) {
    throw new Problem(answer.status, content);
  }
  return content;
}

const AGAIN_MS = 2000;

// Calls `told` with each event. Who may not watch any more is told so and not asked again.
export function watch(told, over) {
  let last = "";
  let socket = null;
  let stopped = false;

  function open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const after = last ? `&after=${encodeURIComponent(last)}` : "";
    socket = new WebSocket(`${scheme}://${location.host}/v1/live/ws?together=1${after}`);
    socket.addEventListener("message", (message) => {
      // Events that came together are a list; what is about the stream itself ("gap", "end") comes alone.
      for (const event of [JSON.parse(message.data)].flat()) {
        last = event.id ?? last;
        told(event);
      }
    });
    socket.addEventListener("close", (end) => {
      if (end.code === 4401 || end.code === 4403) {
        over(end.reason);
      } else if (!stopped) {
        setTimeout(() => stopped || open(), AGAIN_MS);
      }
    });
  }

  open();
  return () => {
    stopped = true;
    socket.close();
  };
}
