// Calls to the public API, with the session in cookies.

/** A refusal by the server, or no answer from it (status 0). */
export class Refusal extends Error {
  constructor(status, problem, retryAfter) {
    super(problem?.detail ?? problem?.title ?? `status ${status}`);
    this.status = status;
    this.problem = problem ?? {};
    /** Which refusal: the last part of the problem's type. */
    this.slug = String(this.problem.type ?? "").split(":").at(-1);
    /** Seconds to wait, if the server named them. */
    this.retryAfter = retryAfter;
  }
}

/** The seconds of a Retry-After header, which may also be a date. */
export function retrySeconds(header, nowMs = Date.now()) {
  if (!header) return undefined;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const date = Date.parse(header);
  return Number.isFinite(date) ? Math.max(0, Math.ceil((date - nowMs) / 1000)) : undefined;
}

/** A random id, also where the page isn't in a secure context. */
export function randomId(source = globalThis.crypto) {
  if (source.randomUUID) return source.randomUUID();
  const bytes = source.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

let refreshing;

/** Renews the session's cookies; calls at the same time share one request, since a refresh token works once. */
export function refreshSession() {
  refreshing ??= fetch("/e/session", { method: "POST", headers: { "Weir-Page": "1", Accept: "application/json" } })
    .then((answer) => answer.ok)
    .catch(() => false)
    .finally(() => (refreshing = undefined));
  return refreshing;
}

async function once(method, path, { body, headers } = {}) {
  const all = { Accept: "application/json", ...headers };
  if (method !== "GET") all["Weir-Page"] = "1";
  if (body !== undefined) all["Content-Type"] = "application/json";
  const init = { method, headers: all, credentials: "same-origin" };
  if (body !== undefined) init.body = JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(path, init);
  } catch {
    throw new Refusal(0);
  }
  const isJson = /json/.test(answer.headers.get("Content-Type") ?? "");
  const data = isJson ? await answer.json().catch(() => undefined) : undefined;
  if (!answer.ok) throw new Refusal(answer.status, data, retrySeconds(answer.headers.get("Retry-After")));
  return { status: answer.status, data, location: answer.headers.get("Location"), etag: answer.headers.get("ETag") };
}

/**
 * One call. An expired session is renewed once. `attempts` above 1 repeats what is safe to repeat: no answer, 502 to
 * 504, and reads that came too often; each time after a longer pause, or the one the server names.
 */
export async function call(method, path, { attempts = 1, ...options } = {}) {
  let renewed = false;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await once(method, path, options);
    } catch (refusal) {
      if (refusal.status === 401 && !renewed && !options.headers?.Authorization) {
        renewed = true;
        if (await refreshSession()) {
          attempt -= 1;
          continue;
        }
      }
      const passing = refusal.status === 0 || (refusal.status >= 502 && refusal.status <= 504);
      const tooOften = refusal.status === 429 && method === "GET";
      if (!(passing || tooOften) || attempt >= attempts) throw refusal;
      const base = refusal.retryAfter ? refusal.retryAfter * 1000 : 500 * 2 ** attempt;
      await pause(Math.min(base, tooOften ? 60_000 : 8000) * (1 + Math.random() / 4));
    }
  }
}

/** What a refusal means, in the page's language where the page knows better than the server. */
export function explain(refusal, t) {
  if (!(refusal instanceof Refusal)) return t("common-problem-unknown");
  if (refusal.status === 0) return t("common-problem-network");
  if (refusal.status === 401) return t("common-problem-session");
  if ((refusal.status === 429 || refusal.status === 503) && refusal.retryAfter !== undefined) {
    return t("common-problem-busy", { seconds: Math.max(1, Math.ceil(refusal.retryAfter)) });
  }
  return refusal.problem.detail ?? refusal.problem.title ?? t("common-problem-unknown");
}
