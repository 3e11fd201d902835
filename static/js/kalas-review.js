/* The review page: one photo after the other, by keyboard, mouse or touch. Its parts are the review-*.js modules.
 *
 *   <kalas-review words="…" claim="…" keep="…" return="…" undo="…" save="…/0/save/" skip="…/0/skip/" first="" data-who="shop.user"
 *       data-shop="…" data-token="…" data-text='{"offline": "…", …}'>
 *     <p data-notice hidden></p> <div data-work hidden> <img data-photo> <svg data-boxes> <div data-panel> </div>
 *     <button data-action="accept">…</button> … <div data-empty hidden></div>
 *   </kalas-review>
 */

import { ReviewBoxes } from "./review-boxes.js";
import { Draft } from "./review-draft.js";
import { ReviewHelp } from "./review-help.js";
import { keepDraft, keepFor } from "./review-kept.js";
import { Keys } from "./review-keys.js";
import { comeBack, hear, lose } from "./review-news.js";
import { Outbox, Sender } from "./review-outbox.js";
import { ReviewPanel } from "./review-panel.js";
import { press } from "./review-press.js";
import { ReviewQueue } from "./review-queue.js";
import { ReviewSearch } from "./review-search.js";
import { ReviewView } from "./review-view.js";
import { loadWords } from "./review-words.js";

const STOPPED = { 401: "loggedOut", 403: "loggedOut", 409: "otherShop" };
const JUDGES = new Set(["accept", "notGarment", "badPhoto"]);
const LONGEST_LOOK_S = 600; // who looked at one photo for longer was away

class KalasReview extends HTMLElement {
  async connectedCallback() {
    this.view = new ReviewView(this);
    this.keys = new Keys();
    try {
      this.words = await loadWords(this.getAttribute("words"));
    } catch {
      return this.view.say("error", "broken");
    }
    keepFor(this.dataset.who);
    this.sender = new Sender(this.dataset.token, this.dataset.shop);
    this.outbox = new Outbox(this.dataset.who, this.sender);
    this.queue = new ReviewQueue({
      claimUrl: this.getAttribute("claim") + location.search, keepUrl: this.getAttribute("keep"), returnUrl: this.getAttribute("return"), sender: this.sender, only: this.getAttribute("first"),
      pending: () => this.outbox.ids,
    });
    this.panel = new ReviewPanel(this.querySelector("[data-panel]"), {
      words: this.words, keys: this.keys,
      onOpen: (field) => this.openField(field), onSet: (field, name) => this.setValue(field, name),
      onPick: (number) => this.pick(number), onAction: (action) => this.act(action),
    });
    this.boxes = new ReviewBoxes(this.querySelector("[data-boxes]"), {
      onBox: (box, mode) => (mode === "draw" ? this.draft.add(box) : this.draft.setBox(box)),
      onPick: (number) => this.pick(number), onEnd: () => this.render(),
    });
    this.search = new ReviewSearch(this.querySelector("[data-search]"), { words: this.words, onChoose: (...value) => this.setValue(...value) });
    this.help = new ReviewHelp(this.querySelector("[data-help]"), { keys: this.keys, onChange: () => this.render() });
    this.listen();
    this.outbox.flush();
    return this.queue.refill();
  }

  listen() {
    document.addEventListener("keydown", (event) => press(this, event));
    document.addEventListener("kalas:hint", (event) => hear(this, event.detail));
    window.addEventListener("pageshow", (event) => event.persisted && this.queue.refill());
    this.addEventListener("click", (event) => {
      const button = event.target.closest("[data-action]");
      if (event.detail) event.target.closest("button:not(dialog *)")?.blur(); // after a click, keys are the page's again
      if (button) this.act(button.dataset.action);
    });
    this.view.comment.addEventListener("input", () => {
      if (!this.draft) return;
      this.draft.comment = this.view.comment.value;
      this.draft.keep();
    });
    this.queue.addEventListener("changed", () => this.showNext());
    this.queue.addEventListener("counts", (event) => this.view.count(event.detail));
    this.queue.addEventListener("lost", () => this.view.say("warning", "offline"));
    this.queue.addEventListener("away", ({ detail }) => lose(this, detail, "taken"));
    this.queue.addEventListener("stopped", () => this.view.say("warning", "loggedOut"));
    this.queue.addEventListener("otherShop", () => this.view.say("warning", "otherShop"));
    this.outbox.addEventListener("stopped", ({ detail }) => this.view.say("warning", STOPPED[detail.status] ?? "offline", this.outbox.size));
    this.outbox.addEventListener("sent", ({ detail }) => { this.view.quiet("offline", "loggedOut", "otherShop"); this.view.count(detail.data.counts); });
    this.outbox.addEventListener("conflict", ({ detail }) => comeBack(this, detail.letter, detail.data.item, "conflict", detail.data.by));
    this.outbox.addEventListener("refused", ({ detail }) => {
      if (detail.status === 404) return this.view.say("warning", "gone");
      return comeBack(this, detail.letter, detail.letter.item, "refused", detail.data.detail ?? String(detail.status));
    });
    this.outbox.addEventListener("changed", () => this.view.sending(this.outbox.size));
  }

  showNext() {
    const item = this.queue.current;
    if (item && item === this.draft?.item) return;
    if (this.boxes.mode) this.boxes.stop();
    this.draft = item ? new Draft(item, this.words) : null;
    this.since = performance.now();
    this.view.showItem(this.draft, this.queue);
    if (this.draft) this.render();
    if (item?.back) this.view.say("warning", item.back.reason, item.back.words);
  }

  render(open = null) {
    if (!this.draft) return;
    this.panel.show(this.draft, open);
    this.boxes.show(this.draft.item.image, this.draft.garments, this.draft.current);
    this.view.showDirty(this.draft, this.keys);
  }

  openField(field) {
    if (this.draft.garment) this.render(field);
  }

  setValue(field, name) {
    this.isUnseen(); // no more
    this.draft.set(field, name);
    this.render(field === "colours" ? field : null);
  }

  pick(number) {
    this.draft.current = number;
    this.render();
  }

  act(action) {
    if (action === "undo") return this.undo();
    if (action === "help") return this.help.open();
    const { draft } = this;
    if (!draft || this.isUnseen(action)) return undefined;
    const acts = {
      accept: () => (this.boxes.mode ? this.boxes.finish() : this.send()),
      notGarment: () => this.send({ verdict: "not-a-garment" }),
      badPhoto: () => this.send({ verdict: "bad-photo" }),
      skip: () => this.skip(),
      comment: () => this.view.openComment(),
      search: () => draft.garment && this.search.open(draft.garment),
      add: () => this.boxes.start(null),
      box: () => draft.garment && this.boxes.start(draft.garment.box),
      remove: () => { draft.remove(); this.render(); },
      main: () => { draft.makePrimary(); this.render(); },
      next: () => draft.garments.length && this.pick((draft.current + 1) % draft.garments.length),
      reset: () => { draft.startOver(); this.view.showItem(draft, this.queue); this.render(); },
    };
    return acts[action]?.();
  }

  /* The key was meant for what was there before: what came back, or came unasked, has to be looked at first. */
  isUnseen(action = "") {
    const { back } = this.draft.item;
    delete this.draft.item.back;
    return JUDGES.has(action) && !this.boxes.mode && (Boolean(back) || performance.now() < (this.heldUntil ?? 0));
  }

  send(verdict = {}) {
    const { draft } = this;
    const { item } = draft;
    const seconds = Math.min(LONGEST_LOOK_S, Math.round((performance.now() - this.since) / 10) / 100);
    const said = verdict.verdict ? { ...verdict, ...(draft.comment && { comment: draft.comment }) } : draft.payload();
    const body = { review: crypto.randomUUID(), version: item.version, seconds, ...(item.second && { second: true }), ...said };
    this.outbox.put({ url: this.urlOf("save", item), body, item, kept: draft.dirty ? draft.kept : null });
    draft.forget();
    this.view.quiet("conflict", "refused", "gone", "taken");
    this.queue.next();
  }

  skip() {
    const { item } = this.draft;
    this.outbox.put({ url: this.urlOf("skip", item), body: {}, item, kept: null });
    this.queue.next();
  }

  async undo() {
    const letter = this.outbox.takeBack();
    await this.outbox.flush(); // what is undone has to be there first
    if (letter) {
      if (letter.kept) keepDraft(letter.item.id, letter.kept);
      return this.queue.putFirst(letter.item);
    }
    if (this.outbox.size) return this.view.say("warning", "offline", this.outbox.size);
    try {
      const response = await this.sender.post(this.getAttribute("undo") + location.search, { review: crypto.randomUUID() });
      const data = await response.json();
      if (!response.ok) return this.view.say("warning", "refused", data.detail);
      this.queue.putFirst(data.item);
      return this.view.count(data.counts);
    } catch {
      return this.view.say("warning", "offline", this.outbox.size);
    }
  }

  urlOf(name, item) {
    return this.getAttribute(name).replace("00000000-0000-0000-0000-000000000000", item.id) + location.search;
  }
}

customElements.define("kalas-review", KalasReview);
