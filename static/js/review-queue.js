/* The items that <kalas-review claim="/review/claim/" keep="/review/keep/" return="/review/return/"> has claimed: some ahead, with their photos
 * loaded, so that the next one is there at once. */

const AHEAD = 8;
const REFILL_BELOW = 6;
const MOST = 100;
const SOON_MS = 300;
const DRY_MS = 15_000;
const KEEP_MS = 120_000; // claims run out after ten minutes: a page that is closed without a word gives them back so

export class ReviewQueue extends EventTarget {
  constructor({ claimUrl, keepUrl, returnUrl, sender, only, pending }) {
    super();
    Object.assign(this, { claimUrl, keepUrl, returnUrl, sender, only, pending });
    this.items = [];
    this.mine = new Set(); // answered here: hints about them are no news
    this.asksSkipped = true; // at first, and when there has been nothing else for a while
    window.addEventListener("pagehide", () => this.giveBack());
    document.addEventListener("visibilitychange", () => document.hidden || this.keep());
    setInterval(() => this.keep(), KEEP_MS);
  }

  get current() {
    return this.items[0] ?? null;
  }

  /* The current one is done with; the next is there at once where it was loaded. */
  next() {
    const [done] = this.items.splice(0, 1);
    if (done) this.mine.add(done.id);
    if (!this.items.length) this.loaded = false; // until the server has said that there is no more
    this.tell();
    this.refill();
  }

  /* Before everything else, e.g. after an undo. */
  putFirst(item) {
    this.mine.delete(item.id);
    this.items = [item, ...this.items.filter((each) => each.id !== item.id)];
    load(item);
    this.tell();
  }

  /* After the one that is being looked at, whose place nothing takes unasked. */
  putNext(item) {
    const [first, ...others] = this.items.filter((each) => each.id !== item.id);
    if (!first) return this.putFirst(item);
    this.mine.delete(item.id);
    this.items = [first, item, ...others];
    return load(item);
  }

  /* Somebody else has it, or it was reviewed elsewhere. */
  drop(id) {
    const place = this.items.findIndex((item) => item.id === id);
    if (place < 0) return null;
    const [gone] = this.items.splice(place, 1);
    if (place === 0) this.tell();
    this.refill();
    return gone;
  }

  async refill() {
    if (this.filling || this.items.length >= REFILL_BELOW) return;
    this.filling = true;
    clearTimeout(this.retry);
    try {
      // What is answered and on its way still waits for all that the server knows.
      const pending = this.pending();
      const without = [...this.items.map((item) => item.id), ...pending].slice(0, MOST);
      const skipped = this.asksSkipped && !this.items.length;
      const response = await this.sender.post(this.claimUrl, { without, number: AHEAD - this.items.length, skipped, ...this.pick() });
      if (response.status === 401 || response.status === 403) return this.tell("stopped");
      if (response.status === 409) return this.tell("otherShop");
      if (!response.ok) throw new Error(String(response.status));
      const { items, counts } = await response.json();
      this.asksSkipped = false;
      const known = new Set([...this.items.map((item) => item.id), ...this.pending()]);
      const fresh = items.filter((item) => !known.has(item.id));
      for (const item of fresh) this.mine.delete(item.id);
      const wasEmpty = this.items.length === 0;
      this.items.push(...fresh);
      fresh.forEach(load);
      this.loaded = fresh.length > 0 || items.length === 0;
      // What was sent meanwhile has been answered with newer ones.
      const areNew = pending.every((id) => this.pending().includes(id));
      if (areNew) this.dispatchEvent(new CustomEvent("counts", { detail: counts }));
      if (wasEmpty) this.tell();
      if (!this.items.length) this.again(this.loaded ? DRY_MS : SOON_MS, this.loaded);
    } catch {
      this.again(3_000);
      this.tell("lost");
    } finally {
      this.filling = false;
    }
    return undefined;
  }

  /* An item that the address names is the first, once. */
  pick() {
    const only = this.only;
    this.only = null;
    return only ? { only } : {};
  }

  again(wait, asksSkipped = this.asksSkipped) {
    clearTimeout(this.retry);
    this.retry = setTimeout(() => {
      this.asksSkipped = asksSkipped;
      this.refill();
    }, wait);
  }

  /* An open page keeps what it has; what others got while its computer slept leaves it. */
  async keep() {
    const ids = this.items.filter((item) => !item.second).map((item) => item.id);
    if (!ids.length) return;
    const response = await this.sender.post(this.keepUrl, { items: ids }).catch(() => null);
    if (!response?.ok) return;
    const { lost } = await response.json();
    for (const id of lost) if (!this.mine.has(id)) this.dispatchEvent(new CustomEvent("away", { detail: id }));
  }

  /* Others need not wait until the claims expire. */
  giveBack() {
    if (!this.items.length) return;
    const form = new FormData();
    form.append("csrfmiddlewaretoken", this.sender.token);
    for (const item of this.items) form.append("id", item.id);
    navigator.sendBeacon(this.returnUrl, form);
    this.items = [];
  }

  tell(name = "changed") {
    this.dispatchEvent(new Event(name));
  }
}

function load(item) {
  if (item.loaded) return;
  const photo = new Image();
  photo.src = item.image.url;
  photo.decode().catch(() => {}); // a photo that is broken says so where it is shown
  Object.defineProperty(item, "loaded", { value: photo, enumerable: false });
}
