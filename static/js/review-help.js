/* The overlay of all keys of <kalas-review>, where each can be changed: press the button, then the new key.
 *
 *   <dialog data-help data-text='{"press": "Press a key", "taken": "…"}'><ul><li>Skip <button data-remap="skip"><kbd
 *     data-key="skip">S</kbd></button></li></ul> <button data-reset-keys>…</button> <p role="status"></p></dialog>
 */

export class ReviewHelp {
  constructor(dialog, { keys, onChange }) {
    Object.assign(this, { dialog, keys, onChange });
    this.text = JSON.parse(dialog.dataset.text);
    this.status = dialog.querySelector("[role=status]");
    dialog.addEventListener("click", (event) => this.click(event));
    dialog.addEventListener("keydown", (event) => this.press(event));
  }

  open() {
    this.waiting = null;
    this.status.textContent = "";
    this.dialog.showModal();
  }

  click(event) {
    if (event.target === this.dialog) this.dialog.close();
    const button = event.target.closest("[data-remap]");
    if (button) {
      this.waiting = button.dataset.remap;
      this.status.textContent = this.text.press;
    }
    if (event.target.closest("[data-reset-keys]")) {
      this.keys.reset();
      this.onChange();
    }
  }

  press(event) {
    if (event.key === "Escape" || event.key === "Tab" || !this.waiting) return;
    event.preventDefault();
    event.stopPropagation();
    const changed = this.keys.change(this.waiting, event.key);
    this.status.textContent = changed ? "" : this.text.taken;
    if (!changed) return;
    this.waiting = null;
    this.onChange();
  }
}
