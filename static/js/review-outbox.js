/* Answers on their way to the server, for <kalas-review data-who="…">: kept in the browser until it has said that it has
 * them, sent one after the other, each with an id of its own, so that one that was sent twice counts once. */

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;

export class Outbox extends EventTarget {
  constructor(who, token) {
    super();
    this.name = `kalas.review.outbox.${who}`;
    this.token = token;
    this.failures = 0;
    this.busy = false;
    this.letters = this.read();
    window.addEventListener("online", () => this.flush());
    window.addEventListener("pagehide", () => this.write());
  }

  get size() {
    return this.letters.length;
  }

  /* `item` and what was `kept` of its draft come back with a conflict or an undo. */
  put({ url, body, item, kept }) {
    this.letters.push({ url, body, item, kept });
    this.write();
    this.tell("changed");
    this.flush();
  }

  /* The last one that was not sent yet, taken back. */
  takeBack() {
    if (this.letters.length <= (this.busy ? 1 : 0)) return null;
    const letter = this.letters.pop();
    this.write();
    this.tell("changed");
    return letter;
  }

  /* Ends when everything is sent, or has to wait. */
  flush() {
    clearTimeout(this.retry);
    if (!this.busy) this.flushing = this.work();
    return this.flushing;
  }

  async work() {
    this.busy = true;
    try {
      while (this.letters.length) {
        const letter = this.letters[0];
        const answer = await this.send(letter);
        if (!answer) return;
        this.letters.shift();
        this.write();
        this.tell(answer.name, { letter, ...answer });
        this.tell("changed");
      }
    } finally {
      this.busy = false;
      this.tell("changed");
    }
  }

  /* Null where it has to be sent again later. */
  async send(letter) {
    let response;
    try {
      response = await post(letter.url, letter.body, this.token);
    } catch {
      this.wait("offline");
      return null;
    }
    const data = await response.json().catch(() => ({}));
    if (response.ok) {
      this.failures = 0;
      return { name: "sent", data };
    }
    if (response.status === 401 || response.status === 403) {
      this.tell("stopped", { status: response.status });
      return null;
    }
    if (response.status === 409) return { name: "conflict", data };
    if (response.status === 404 || response.status === 422) return { name: "refused", data, status: response.status };
    this.wait("offline");
    return null;
  }

  wait(reason) {
    this.tell("stopped", { reason });
    const pause = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.failures);
    this.failures += 1;
    this.retry = setTimeout(() => this.flush(), pause);
  }

  tell(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  read() {
    try { return JSON.parse(localStorage.getItem(this.name) ?? "[]"); } catch { return []; }
  }

  write() {
    try { localStorage.setItem(this.name, JSON.stringify(this.letters)); } catch { /* a private window: the page remembers */ }
  }
}

export function post(url, body, token) {
  return fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRFToken": token, "X-Requested-With": "XMLHttpRequest" },
    body: JSON.stringify(body),
    keepalive: JSON.stringify(body).length < 60_000,
  });
}
