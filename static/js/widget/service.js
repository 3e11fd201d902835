/* What the widget asks of Kalas, with a publishable key, which only searches. */

const LONGEST_SIDE = 1024;

/* `reason` is a text of words.js. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.title ?? "");
    this.status = status;
    this.reason = status === 422 || status === 413 ? "photo" : status === 429 || status === 503 ? "busy" : "away";
  }
}

export class Service {
  constructor(host, key, options) {
    Object.assign(this, { host, key, options });
  }

  findLike(question, signal) {
    const body = JSON.stringify({ ...this.options, ...question });
    return this.post(body, { "Content-Type": "application/json" }, signal);
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
