/* Search as you type over all values of <kalas-review>'s garment; arrow keys and Enter choose.
 *
 *   <dialog class="dialog review-search" data-search><input type="search" role="combobox" …><ul role="listbox" …></ul></dialog>
 */

import { h } from "./dom.js";

export class ReviewSearch {
  constructor(dialog, { words, onChoose }) {
    Object.assign(this, { dialog, words, onChoose });
    this.input = dialog.querySelector("input");
    this.list = dialog.querySelector("[role=listbox]");
    this.nothing = dialog.querySelector("[data-nothing]");
    this.input.addEventListener("input", () => this.find());
    this.input.addEventListener("keydown", (event) => this.press(event));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }

  open(garment, text = "") {
    this.garment = garment;
    this.input.value = text;
    this.dialog.showModal();
    this.find();
    this.input.focus();
  }

  find() {
    this.found = this.words.search(this.input.value, this.garment);
    this.at = 0;
    this.list.replaceChildren(...this.found.map((value, number) => h("li", {
      class: "menu-item", role: "option", id: `found-${number}`, "aria-selected": String(number === 0),
      onclick: () => this.choose(number),
    }, h("span", { class: "grow" }, value.title), h("span", { class: "muted small" }, this.words.fieldTitle(value.field)))));
    this.nothing.hidden = this.found.length > 0;
    this.point();
  }

  press(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.found.length) {
      event.preventDefault();
      this.at = (this.at + step + this.found.length) % this.found.length;
      this.point();
    }
    if (event.key === "Escape") {
      event.preventDefault(); // else it would only empty the field
      this.dialog.close();
    }
    if (event.key === "Enter") {
      event.preventDefault();
      this.choose(this.at);
    }
  }

  point() {
    for (const [number, option] of [...this.list.children].entries()) {
      option.setAttribute("aria-selected", String(number === this.at));
      if (number === this.at) option.scrollIntoView({ block: "nearest" });
    }
    this.input.setAttribute("aria-activedescendant", this.found.length ? `found-${this.at}` : "");
  }

  choose(number) {
    const value = this.found[number];
    if (!value) return;
    this.dialog.close();
    this.onChoose(value.field, value.name);
  }
}
