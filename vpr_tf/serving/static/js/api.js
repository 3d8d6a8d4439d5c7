// What the pages ask the service. Nothing is kept but the key, while the page is open.

const ROOT = new URL("../../", import.meta.url);
let key = "";

// Returns an address of the service from its path.
export const address = (path) => new URL(path.replace(/^\//, ""), ROOT);

export function useKey(value) {
  key = value.trim();
}

export const hasKey = () => key !== "";

// A request that was not answered as hoped.
export class RequestProblem extends Error {
  // status: of HTTP, 0 where the service was not reached.
  constructor(status, detail, retryAfter_s = null) {
    super(detail);
    this.status = status;
    this.retryAfter_s = retryAfter_s;
  }

  get isBusy() {
    return this.status === 429 || this.status === 503;
  }
}

async function send(path, options = {}) {
  const headers = { Accept: "application/json", ...options.headers };
  if (key) headers.Authorization = `Bearer ${key}`;
  let answer;
  try {
    answer = await fetch(address(path), { ...options, headers, credentials: "omit", cache: "no-cache" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestProblem(0, navigator.onLine
      ? "The service cannot be reached. It may have stopped, or have cut off a photo that is too large."
      : "This device is offline.");
  }
  if (answer.ok) return answer;
  throw new RequestProblem(answer.status, await detailOf(answer), secondsToWait(answer));
}

async function detailOf(answer) {
  try {
    const problem = await answer.json();
    if (problem.detail) return String(problem.detail);
    if (problem.title) return String(problem.title);
  } catch {
    // A proxy in between answers in its own words.
  }
  return `The service answered ${answer.status} ${answer.statusText}`.trim() + ".";
}

function secondsToWait(answer) {
  const said = answer.headers.get("Retry-After");
  if (said === null) return null;
  const seconds = /^\d+$/.test(said.trim()) ? Number(said) : (Date.parse(said) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(1, Math.ceil(seconds)) : null;
}

export const getJson = async (path) => (await send(path)).json();

export const indexPath = (name, what = "") => `v1/indexes/${encodeURIComponent(name)}${what}`;

// Asks where photos were taken; `fields` are those of the request.
export async function localize(path, photos, fields, signal) {
  const form = new FormData();
  for (const { file, name } of photos) form.append("photos", file, name);
  for (const [field, value] of Object.entries(fields)) form.append(field, value);
  return (await send(path, { method: "POST", body: form, signal })).json();
}

// Shows a picture of the service; with a key, which `src` could not carry.
export async function showPicture(image, path) {
  if (!key) {
    image.src = address(path).href;
    return;
  }
  try {
    const url = URL.createObjectURL(await (await send(path, { headers: { Accept: "image/*" } })).blob());
    image.addEventListener("load", () => URL.revokeObjectURL(url), { once: true });
    image.src = url;
  } catch {
    image.dispatchEvent(new Event("error"));
  }
}
