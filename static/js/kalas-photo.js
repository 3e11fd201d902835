/* A photo with boxes: hovering or focusing a box or its text lights up both. With `drawable`, one box can be drawn,
 * moved and resized by mouse, touch, keyboard and number fields, whose form posts it; Escape takes it back.
 *
 *   <kalas-photo width="400" height="533" drawable data-box-label="Your box. Arrow keys move it, …">
 *     <img src="…" width="400" height="533" alt="…">
 *     <svg class="boxes" viewBox="0 0 400 533">
 *       <g class="box object-upper-body" data-garment="<id>" tabindex="0"><rect x="…" y="…" width="…" height="…"/></g>
 *     </svg>
 *     <section data-garment="<id>" tabindex="-1">… <button type="button" data-edit="<id>">…</button></section>
 *     <button type="button" data-draw aria-pressed="false">…</button>
 *     <form method="post">… <input type="number" name="left"> top right bottom …</form>
 *   </kalas-photo>
 *
 * Boxes are pixels of the photo, right and bottom exclusive: { left, top, right, bottom }.
 */

import { SIDES, clamp, isBox, makeDrawn, move, opposite, placeDrawn, span } from "./boxes.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const SMALLEST = 8; // px of the photo

class KalasPhoto extends HTMLElement {
  connectedCallback() {
    this.width = Number(this.getAttribute("width"));
    this.height = Number(this.getAttribute("height"));
    this.svg = this.querySelector("svg.boxes");
    for (const name of ["mouseover", "focusin"]) this.addEventListener(name, (event) => this.light(event.target));
    for (const name of ["mouseleave", "focusout"]) this.addEventListener(name, () => this.light(null));
    this.addEventListener("click", (event) => this.click(event));
    this.addEventListener("keydown", (event) => this.press(event));
    if (this.hasAttribute("drawable")) this.prepareDrawing();
  }

  disconnectedCallback() {
    this.resized?.disconnect();
  }

  light(target) {
    const id = target?.closest("[data-garment]")?.dataset.garment;
    for (const part of this.querySelectorAll("[data-garment]")) {
      part.classList.toggle("is-on", part.dataset.garment === id);
    }
    this.svg.classList.toggle("has-on", id !== undefined);
  }

  click(event) {
    const box = event.target.closest("svg [data-garment]");
    if (box) this.showText(box.dataset.garment);
    const edit = event.target.closest("[data-edit]");
    if (edit) this.editBox(edit.dataset.edit);
    // A click without a pointer comes from the keyboard: it needs a box to start from.
    if (event.target.closest("[data-draw]")) {
      this.setDrawing(!this.drawing, event.detail === 0);
      if (this.drawing) this.svg.scrollIntoView({ block: "nearest" }); // the button may be far below it
    }
  }

  press(event) {
    if (event.target.matches("svg [data-garment]") && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      this.showText(event.target.dataset.garment);
    }
    if (event.key === "Escape" && this.drawing) this.cancel();
    const arrow = ARROWS[event.key];
    if (!arrow || event.target !== this.drawn) return;
    event.preventDefault();
    const step = event.altKey ? 1 : Math.max(1, Math.round(Math.max(this.width, this.height) / 100));
    const [dx, dy] = [arrow[0] * step, arrow[1] * step];
    if (!event.shiftKey) return this.setBox(move(this.box, dx, dy, this));
    const { left, top, right, bottom } = this.box;
    this.setBox({ left, top, right: Math.max(left + SMALLEST, right + dx), bottom: Math.max(top + SMALLEST, bottom + dy) });
  }

  showText(id) {
    const text = this.querySelector(`:not(g)[data-garment="${CSS.escape(id)}"]`);
    text?.focus({ preventScroll: true });
    text?.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  /* Drawing */

  prepareDrawing() {
    this.fields = SIDES.map((side) => this.querySelector(`form input[name="${side}"]`));
    this.button = this.querySelector("[data-draw]");
    this.drawn = makeDrawn(this.dataset.boxLabel);
    for (const field of this.fields) field.addEventListener("input", () => this.readFields());
    this.svg.addEventListener("pointerdown", (event) => this.grab(event));
    this.svg.addEventListener("pointermove", (event) => this.drag?.(this.at(event)));
    this.svg.addEventListener("pointerup", () => this.drop());
    this.svg.addEventListener("pointercancel", () => this.drag && this.cancel());
    this.resized = new ResizeObserver(() => this.render());
    this.resized.observe(this.svg);
    this.readFields();
    this.setDrawing(this.button === null);
  }

  setDrawing(drawing, startInTheMiddle = false) {
    this.drawing = drawing;
    const folded = this.fields[0].closest("details");
    if (drawing && folded) folded.open = true; // the button that posts the box is in there
    this.classList.toggle("is-drawing", drawing);
    this.button?.setAttribute("aria-pressed", String(drawing));
    if (drawing && startInTheMiddle && !this.box) {
      const [x, y] = [Math.round(this.width / 4), Math.round(this.height / 4)];
      this.setBox({ left: x, top: y, right: this.width - x, bottom: this.height - y });
    }
    this.render();
    if (drawing && startInTheMiddle) this.drawn.focus();
  }

  editBox(id) {
    const { x, y, width, height } = this.querySelector(`g[data-garment="${CSS.escape(id)}"] rect`).getBBox();
    this.setBox({ left: x, top: y, right: x + width, bottom: y + height });
    this.setDrawing(true, true);
  }

  at(event) {
    const frame = this.svg.getBoundingClientRect();
    const x = ((event.clientX - frame.left) / frame.width) * this.width;
    const y = ((event.clientY - frame.top) / frame.height) * this.height;
    return [clamp(Math.round(x), 0, this.width), clamp(Math.round(y), 0, this.height)];
  }

  grab(event) {
    if (!this.drawing || event.button !== 0) return;
    event.preventDefault();
    this.svg.setPointerCapture(event.pointerId);
    this.before = this.box;
    const start = this.at(event);
    const corner = event.target.dataset.corner;
    if (!corner && event.target.closest(".drawn")) {
      this.drag = ([x, y]) => this.setBox(move(this.before, x - start[0], y - start[1], this));
      return;
    }
    // A corner turns around the opposite one; a new box around where it was begun.
    const [fixedX, fixedY] = corner ? opposite(this.box, corner) : start;
    this.drag = ([x, y]) => this.setBox(span(fixedX, fixedY, x, y));
  }

  drop() {
    if (!this.drag) return;
    this.drag = null;
    const { left, top, right, bottom } = this.box ?? this.before ?? {};
    if (right - left < SMALLEST || bottom - top < SMALLEST) this.setBox(this.before);
    if (this.box) this.drawn.focus({ preventScroll: true });
  }

  /* Escape: first what is being dragged, then the box, then drawing itself. */
  cancel() {
    if (this.drag) {
      this.drag = null;
      this.setBox(this.before);
    } else if (this.box) {
      this.setBox(null);
      this.button?.focus();
    } else if (this.button) {
      this.setDrawing(false);
    }
  }

  readFields() {
    const [left, top, right, bottom] = this.fields.map((field) => field.valueAsNumber);
    const box = { left, top, right, bottom };
    this.box = isBox(box, this) ? box : null;
    this.render();
  }

  setBox(box) {
    this.box = box && {
      ...box,
      right: Math.min(box.right, this.width),
      bottom: Math.min(box.bottom, this.height),
    };
    for (const [index, side] of SIDES.entries()) this.fields[index].value = this.box?.[side] ?? "";
    this.render();
  }

  render() {
    if (!this.box) return this.drawn.remove();
    if (!this.drawn.isConnected) this.svg.append(this.drawn);
    placeDrawn(this.drawn, this.box, this.width / (this.svg.getBoundingClientRect().width || this.width));
    return undefined;
  }
}

customElements.define("kalas-photo", KalasPhoto);
