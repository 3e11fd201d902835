/* What <kalas-review> shows around the panel: photo, counts, notices, the empty queue.
 *
 *   <div data-work hidden><img data-photo><p data-about></p> …</div> <div data-empty hidden>…</div> <div data-loading>…</div>
 *   <div data-notice role="status" hidden></div> <b data-count="waiting"></b> <div data-comment hidden><textarea>…</div>
 */

export class ReviewView {
  constructor(root) {
    this.root = root;
    this.text = JSON.parse(root.dataset.text);
    this.find = (name) => root.querySelector(`[data-${name}]`);
    this.comment = root.querySelector("[data-comment] textarea");
  }

  showItem(draft, queue) {
    this.find("work").hidden = !draft;
    this.find("loading").hidden = Boolean(draft) || Boolean(queue.loaded);
    this.find("empty").hidden = Boolean(draft) || !queue.loaded;
    if (!draft) return;
    const { item } = draft;
    const photo = this.find("photo");
    photo.src = item.image.url;
    photo.width = item.image.width;
    photo.height = item.image.height;
    photo.alt = item.image.name;
    this.find("about").textContent = [item.image.name, item.product, item.age].filter(Boolean).join(" · ");
    const note = this.find("note");
    note.hidden = !item.note;
    note.querySelector("[data-by]").textContent = item.suggested_by ?? "";
    note.querySelector("[data-words]").textContent = item.note;
    this.comment.value = draft.comment;
    this.find("comment").hidden = !draft.comment;
    this.root.dataset.item = item.id;
    window.scrollTo({ top: 0 });
  }

  /* The button says what Enter will do. */
  showDirty(draft, keys) {
    const accept = this.root.querySelector("[data-accept-text]");
    accept.textContent = draft.dirty ? this.text.save : this.text.accept;
    for (const button of this.root.querySelectorAll('[data-action="reset"]')) button.hidden = !draft.dirty;
    keys.show(this.root);
  }

  openComment() {
    this.find("comment").hidden = false;
    this.comment.focus();
  }

  count(counts) {
    for (const [name, number] of Object.entries(counts ?? {})) {
      for (const element of this.root.querySelectorAll(`[data-count="${name}"]`)) element.textContent = number;
      for (const element of this.root.querySelectorAll(`[data-has="${name}"]`)) element.hidden = !number;
    }
  }

  /* Many hints at once ask once. */
  countLater(ask) {
    clearTimeout(this.counting);
    this.counting = setTimeout(async () => {
      ask();
      const response = await fetch(this.root.getAttribute("counts") + location.search).catch(() => null);
      if (response?.ok) this.count(await response.json());
    }, 400);
  }

  say(kind, reason, words = "") {
    const notice = this.find("notice");
    notice.className = `notice notice-${kind}`;
    notice.dataset.reason = reason;
    notice.querySelector("p").textContent = this.text[reason].replace("%s", words);
    notice.querySelector("a").hidden = reason !== "loggedOut";
    notice.hidden = false;
  }

  quiet(...reasons) {
    const notice = this.find("notice");
    if (reasons.includes(notice.dataset.reason)) notice.hidden = true;
  }

  /* One that is on its way is nothing to worry about. */
  sending(number) {
    const line = this.find("sending");
    line.hidden = number < 2;
    line.querySelector("b").textContent = number;
  }
}
