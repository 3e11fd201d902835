/* Choosing many photos: click, Shift+click for a range, a frame drawn with the mouse, and by keyboard: arrow keys move, Space
 * chooses, Shift+arrows choose on the way, Ctrl+A all, Escape none, Enter previews. The preview opens as a dialog.
 *
 *   <kalas-grid><form> <input type="checkbox" data-all> <span data-chosen><b>0</b></span> <button data-go>
 *     <ul class="grid-items"><li class="grid-item" data-live="<id>"><label><input type="checkbox" name="item" …></label></li></ul>
 *   </form><dialog id="grid-dialog"><div id="grid-preview"></div></dialog></kalas-grid>
 */

import { h } from "./dom.js";

const MOVES = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: "up", ArrowDown: "down", Home: "first", End: "last" };
const FAR_PX = 6; // less is a click

class KalasGrid extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.list = this.querySelector(".grid-items");
    this.dialog = this.querySelector("dialog");
    this.last = null;
    this.form.addEventListener("change", (event) => this.change(event));
    this.list.addEventListener("click", (event) => this.click(event));
    this.list.addEventListener("keydown", (event) => this.press(event));
    this.list.addEventListener("pointerdown", (event) => this.grab(event));
    // Past htmx, which would take the form's own address for every button.
    this.querySelector("[data-assign]")?.addEventListener("click", (event) => {
      event.preventDefault();
      this.form.action = event.target.formAction;
      this.form.submit();
    });
    this.addEventListener("htmx:afterSwap", () => this.dialog.open || this.dialog.showModal());
    this.dialog.addEventListener("click", (event) => {
      if (!event.target.closest("[data-close]") && event.target !== this.dialog) return;
      event.preventDefault();
      this.dialog.close();
    });
    document.addEventListener("kalas:hint", (event) => this.hear(event.detail));
    this.roam(this.boxes[0]);
    this.count();
  }

  get boxes() {
    return [...this.list.querySelectorAll("input[name=item]")];
  }

  /* One of them is in the tab order, as in any grid. */
  roam(box) {
    for (const each of this.boxes) each.tabIndex = each === box ? 0 : -1;
  }

  count() {
    const everything = this.querySelector("[data-everything]");
    const chosen = everything?.checked ? Number(everything.dataset.everything) : this.boxes.filter((box) => box.checked).length;
    this.querySelector("[data-chosen] b").textContent = chosen;
    for (const button of this.querySelectorAll("[data-go], [data-assign]")) button.disabled = chosen === 0;
    if (everything) this.list.classList.toggle("is-everything", everything.checked);
    const all = this.querySelector("[data-all]");
    all.checked = chosen > 0 && chosen === this.boxes.length;
    all.indeterminate = chosen > 0 && chosen < this.boxes.length;
  }

  change(event) {
    if (event.target.matches("[data-all]")) for (const box of this.boxes) box.checked = event.target.checked;
    this.count();
  }

  click(event) {
    const box = event.target.closest("input[name=item]");
    if (!box) return;
    if (event.shiftKey && this.last) this.range(this.last, box, box.checked);
    this.last = box;
    this.roam(box);
    this.count();
  }

  range(from, to, checked) {
    const { boxes } = this;
    const [a, b] = [boxes.indexOf(from), boxes.indexOf(to)].sort((x, y) => x - y);
    for (const box of boxes.slice(a, b + 1)) box.checked = checked;
  }

  press(event) {
    const box = event.target.closest("input[name=item]");
    if (!box) return;
    if (event.key === "a" && (event.ctrlKey || event.metaKey)) return this.all(event, true);
    if (event.key === "Escape") return this.all(event, false);
    if (event.key === "Enter") {
      event.preventDefault();
      return this.form.requestSubmit();
    }
    const to = this.neighbour(box, MOVES[event.key]);
    if (!to) return undefined;
    event.preventDefault();
    if (event.shiftKey) {
      box.checked = true;
      this.range(box, to, true);
    }
    this.last = to;
    this.roam(to);
    to.focus();
    return this.count();
  }

  all(event, checked) {
    event.preventDefault();
    for (const box of this.boxes) box.checked = checked;
    this.count();
  }

  neighbour(box, move) {
    const { boxes } = this;
    const at = boxes.indexOf(box);
    if (move === "first") return boxes[0];
    if (move === "last") return boxes.at(-1);
    const tops = boxes.map((each) => each.closest("li").offsetTop);
    const columns = tops.filter((top) => top === tops[0]).length;
    const step = { up: -columns, down: columns }[move] ?? move;
    return step ? boxes[at + step] : undefined;
  }

  /* A frame around photos, by mouse only: touch scrolls. */
  grab(event) {
    if (event.pointerType !== "mouse" || event.button !== 0 || event.target.closest("a")) return;
    const start = [event.clientX, event.clientY];
    const before = new Map(this.boxes.map((box) => [box, box.checked]));
    const frame = h("div", { class: "lasso", "aria-hidden": "true" });
    const drawn = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    drawn.append(rect);
    frame.append(drawn);
    const stop = new AbortController();
    let isLasso = false;
    const moved = ({ clientX, clientY }) => {
      const [left, right] = [start[0], clientX].sort((a, b) => a - b);
      const [top, bottom] = [start[1], clientY].sort((a, b) => a - b);
      if (!isLasso && right - left < FAR_PX && bottom - top < FAR_PX) return;
      if (!isLasso) this.append(frame);
      isLasso = true;
      for (const [key, value] of Object.entries({ x: left, y: top, width: right - left, height: bottom - top })) rect.setAttribute(key, value);
      for (const [box, was] of before) {
        const item = box.closest("li").getBoundingClientRect();
        const inside = item.left < right && item.right > left && item.top < bottom && item.bottom > top;
        box.checked = inside ? !event.altKey : was;
      }
      this.count();
    };
    const dropped = () => {
      stop.abort();
      frame.remove();
      if (!isLasso) return;
      // The click that follows would turn one of them around.
      const quiet = new AbortController();
      const swallow = (click) => { click.preventDefault(); click.stopPropagation(); };
      window.addEventListener("click", swallow, { capture: true, signal: quiet.signal });
      setTimeout(() => { quiet.abort(); this.count(); });
    };
    window.addEventListener("pointermove", moved, { signal: stop.signal });
    window.addEventListener("pointerup", dropped, { signal: stop.signal });
    window.addEventListener("pointercancel", dropped, { signal: stop.signal });
  }

  /* Reviewed, claimed or deleted elsewhere: it leaves at once. */
  hear({ type, id, state }) {
    if (!(type === "review" && state !== "waiting") && !(type === "annotation" && state === "gone")) return;
    this.list.querySelector(`[data-live="${CSS.escape(id)}"]`)?.remove();
    this.count();
  }
}

customElements.define("kalas-grid", KalasGrid);
