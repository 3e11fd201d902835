/* Answers on their way to the server, for <kalas-review data-who="…">: each kept in the browser under a name of its own until
 * the server has said that it has it, so that several tabs don't erase each other's. They are sent one after the other, each
 * with an id of its own, so that one that was sent twice counts once. */

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 30_000;
const MOST_FAULTS = 3; // of the server about one answer, then the others go first
const AGAIN = [401, 403, 408, 425, 429];

export class Outbox extends EventTarget {
  constructor(who, sender) {
    super();
    this.prefix = `kalas.review.letter.${who}.`;
    this.sender = sender;
    this.failures = 0;
    this.busy = false;
    this.letters = this.read();
    window.addEventListener("online", () => this.flush());
  }

  get size() {
    return this.letters.length;
  }

  /* Of items that the server still takes for unanswered. */
  get ids() {
    return this.letters.map(({ item }) => item.id);
  }

  /* `item` and what was `kept` of its draft come back with a conflict or an undo. */
  put({ url, body, item, kept }) {
    const letter = { url, body, item, kept };
    letter.name = `${this.prefix}${String(Date.now()).padStart(15, "0")}.${crypto.randomUUID()}`;
    letter.isKept = write(letter.name, letter);
    this.letters.push(letter);
    this.tell("changed");
    this.flush();
  }

  /* The last one that was not sent yet, taken back. */
  takeBack() {
    if (this.letters.length <= (this.busy ? 1 : 0)) return null;
    const letter = this.letters.pop();
    forget(letter);
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
        const [letter] = this.letters;
        const answer = await oneTabAtATime(this.prefix, () => (isSentElsewhere(letter) ? { name: "elsewhere" } : this.send(letter)));
        if (!answer) return;
        this.letters = this.letters.filter((each) => each !== letter);
        forget(letter);
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
      response = await this.sender.post(letter.url, letter.body);
    } catch {
      return this.wait("offline");
    }
    const { status } = response;
    const data = await response.json().catch(() => ({}));
    if (response.ok) {
      this.failures = 0;
      return { name: "sent", data };
    }
    if (status === 401 || status === 403 || data.reason === "other-shop") return this.stop(status);
    if (status === 409) return { name: "conflict", data };
    if (status < 500 && !AGAIN.includes(status)) return { name: "refused", data, status };
    letter.faults = (letter.faults ?? 0) + 1;
    if (letter.faults >= MOST_FAULTS) this.letters.push(this.letters.shift());
    return this.wait("offline");
  }

  stop(status) {
    this.tell("stopped", { status });
    return null;
  }

  wait(reason) {
    this.tell("stopped", { reason });
    const pause = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.failures);
    this.failures += 1;
    this.retry = setTimeout(() => this.flush(), pause);
    return null;
  }

  tell(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /* Also what another tab has not sent yet: whoever comes first sends it. */
  read() {
    try {
      const names = Object.keys(localStorage).filter((name) => name.startsWith(this.prefix)).sort();
      return names.flatMap((name) => parse(name));
    } catch {
      return [];
    }
  }
}

/* Of a page of one shop: the server answers "other-shop" once the person works in another one. */
export class Sender {
  constructor(token, shop) {
    Object.assign(this, { token, shop });
  }

  post(url, body) {
    return fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": this.token, "X-Kalas-Shop": this.shop, "X-Requested-With": "XMLHttpRequest" },
      body: JSON.stringify(body),
      keepalive: JSON.stringify(body).length < 60_000,
    });
  }
}

function parse(name) {
  try {
    return [{ ...JSON.parse(localStorage.getItem(name)), name, isKept: true, faults: 0 }];
  } catch {
    return [];
  }
}

/* False in a private window or on a full disk: then the page itself is all that remembers. */
function write(name, letter) {
  try { localStorage.setItem(name, JSON.stringify(letter)); return true; } catch { return false; }
}

function forget(letter) {
  try { localStorage.removeItem(letter.name); } catch { /* see above */ }
}

function isSentElsewhere(letter) {
  return letter.isKept && localStorage.getItem(letter.name) === null;
}

function oneTabAtATime(name, work) {
  return navigator.locks ? navigator.locks.request(name, work) : work();
}
