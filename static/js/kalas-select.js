/* Chooses many of a form's checkboxes; without it each is chosen by itself.
 *
 *   <kalas-select><form>
 *     <label hidden><input type="checkbox" data-all> All on this page</label>
 *     <span role="status" data-none="Choose products …" data-some="chosen:">…</span>
 *     <button name="action" value="…">…</button>
 *     <input type="checkbox" name="product" value="…"> …
 *   </form></kalas-select>
 *
 * Shift with a click chooses everything between it and the last one.
 */

class KalasSelect extends HTMLElement {
  connectedCallback() {
    // Of a fragment that is being parsed the children come later.
    queueMicrotask(() => this.begin());
  }

  begin() {
    this.all = this.querySelector("[data-all]");
    if (!this.all) return;
    this.all.closest("label").hidden = false;
    this.all.addEventListener("change", () => {
      for (const box of this.boxes) box.checked = this.all.checked;
      this.show();
    });
    this.addEventListener("click", (event) => {
      if (event.target.matches("input[name=product]")) this.choose(event.target, event.shiftKey);
    });
    this.show();
  }

  get boxes() {
    return [...this.querySelectorAll("input[name=product]")];
  }

  choose(box, withShift) {
    const { boxes } = this;
    const here = boxes.indexOf(box);
    const from = boxes.indexOf(this.last);
    if (withShift && from >= 0) {
      for (const each of boxes.slice(Math.min(here, from), Math.max(here, from) + 1)) each.checked = box.checked;
    }
    this.last = box;
    this.show();
  }

  show() {
    const { boxes } = this;
    const chosen = boxes.filter((box) => box.checked).length;
    this.all.checked = chosen > 0 && chosen === boxes.length;
    this.all.indeterminate = chosen > 0 && chosen < boxes.length;
    const status = this.querySelector("[role=status]");
    status.textContent = chosen ? `${status.dataset.some} ${chosen}` : status.dataset.none;
    for (const button of this.querySelectorAll("button[name=action]")) button.disabled = !chosen;
  }
}

customElements.define("kalas-select", KalasSelect);
