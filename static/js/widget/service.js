/* What the widget asks of Kalas, with a publishable key, which only searches. */

const LONGEST_SIDE = 1024;

const REASONS = { 401: "key", 403: "key", 413: "large", 422: "photo", 429: "often", 503: "busy" };

/* `reason` is a text of words.js, `code` Kalas' own reason. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? "");
    Object.assign(this, { status, code: problem.reason });
    this.reason = problem.reason === "too-large" ? "large" : (REASONS[status] ?? "away");
  }
}

/* No answer: the visitor is offline, Kalas is, or the browser kept the answer from a page that is not listed. */
export const nameSilence = () => (navigator.onLine ? "silent" : "offline");

export class Service {
  constructor(host, key, options) {
    Object.assign(this, { host, key, options });
  }

  findLike(question, signal) {
    const body = JSON.stringify({ ...this.options, ...question });
    return this.post(body, { "Content-Type": "application/json" }, signal);
  }

  /* By its address where Kalas may fetch it, else from here where its host lets pages read it. */
  async findLikeAddress(address, signal) {
    try {
      return await this.findLike({ image_url: address }, signal);
    } catch (error) {
      if (error.code !== "host-refused") throw error;
    }
    const response = await fetch(address, { credentials: "omit", signal }).catch(() => null);
    return response?.ok ? this.findLikeFile(await response.blob(), signal) : null;
  }

  async findLikeFile(file, signal) {
    const form = new FormData();
    for (const [name, value] of Object.entries(this.options)) form.set(name, value);
    form.set("image", await makeSmall(file), "photo.jpg");
    return this.post(form, {}, signal);
  }

  async post(body, headers, signal) {
    const response = await fetch(`${this.host}/api/v1/search/similar`, {
      method: "POST",
      body,
      headers: { ...headers, Authorization: `Bearer ${this.key}` },
      credentials: "omit",
      signal,
    });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Refused(response.status, answer);
    return answer;
  }
}

/* A phone's photo has far more pixels than are looked at; what the browser can't read, Kalas says what is wrong with. */
async function makeSmall(file) {
  try {
    const bitmap = await createImageBitmap(file);
    const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
    const canvas = new OffscreenCanvas(Math.round(bitmap.width * scale), Math.round(bitmap.height * scale));
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff"; // JPEG has no transparency, and would show black
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return await canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
  } catch {
    return file;
  }
}
