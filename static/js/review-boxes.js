/* The boxes on the photo of <kalas-review>. One of them can be moved and resized, or a new one drawn: by mouse and touch, and
 * with the arrow keys (Shift resizes, Alt goes pixel by pixel).
 *
 *   <svg class="boxes" data-boxes data-label="…"></svg>
 */

import { clamp, makeDrawn, move, opposite, placeDrawn, span } from "./boxes.js";
import { s } from "./dom.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const SMALLEST = 4;
const toList = ({ left, top, right, bottom }) => [left, top, right, bottom];
const toSides = ([left, top, right, bottom]) => ({ left, top, right, bottom });

export class ReviewBoxes {
  constructor(svg, { onBox, onPick, onEnd }) {
    Object.assign(this, { svg, onBox, onPick, onEnd });
    this.drawn = makeDrawn(svg.dataset.label);
    svg.addEventListener("pointerdown", (event) => this.grab(event));
    svg.addEventListener("pointermove", (event) => this.drag?.(this.at(event)));
    svg.addEventListener("pointerup", () => this.drop());
    svg.addEventListener("pointercancel", () => this.drop());
    this.drawn.addEventListener("keydown", (event) => this.press(event));
    new ResizeObserver(() => this.place()).observe(svg);
  }

  show(image, garments, current) {
    this.image = image;
    this.svg.setAttribute("viewBox", `0 0 ${image.width} ${image.height}`);
    const boxes = garments.map((garment, number) => {
      const [left, top, right, bottom] = garment.box;
      const group = s("g", { class: `box object-${garment.object}${number === current ? " is-current" : ""}` },
        s("rect", { x: left, y: top, width: right - left, height: bottom - top, rx: Math.max(2, image.width / 200) }));
      group.addEventListener("click", () => this.mode || this.onPick(number));
      return group;
    });
    this.svg.replaceChildren(...boxes);
    this.svg.classList.toggle("is-several", garments.length > 1);
    if (this.mode) this.svg.append(this.drawn);
    this.place();
  }

  /* `box` null: a new one is drawn. */
  start(box) {
    this.mode = box ? "edit" : "draw";
    this.box = box ? toSides(box) : null;
    this.svg.classList.add("is-drawing");
    if (!box) {
      const { width, height } = this.image;
      this.box = { left: Math.round(width / 4), top: Math.round(height / 4), right: Math.round((width * 3) / 4), bottom: Math.round((height * 3) / 4) };
    }
    this.svg.append(this.drawn);
    this.place();
    this.drawn.focus({ preventScroll: true });
  }

  stop() {
    const { mode } = this;
    this.mode = null;
    this.svg.classList.remove("is-drawing");
    this.drawn.remove();
    return mode;
  }

  finish() {
    const { box } = this;
    const mode = this.stop();
    if (box && mode) this.onBox(toList(box), mode);
    this.onEnd();
  }

  press(event) {
    if (event.key === "Enter" || event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      if (event.key === "Enter") return this.finish();
      this.stop();
      return this.onEnd();
    }
    const arrow = ARROWS[event.key];
    if (!arrow) return undefined;
    event.preventDefault();
    event.stopPropagation();
    const step = event.altKey ? 1 : Math.max(1, Math.round(Math.max(this.image.width, this.image.height) / 100));
    const [dx, dy] = [arrow[0] * step, arrow[1] * step];
    const { left, top, right, bottom } = this.box;
    this.box = event.shiftKey
      ? { left, top, right: clamp(right + dx, left + SMALLEST, this.image.width), bottom: clamp(bottom + dy, top + SMALLEST, this.image.height) }
      : move(this.box, dx, dy, this.image);
    return this.place();
  }

  at(event) {
    const { x, y } = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.svg.getScreenCTM().inverse());
    return [clamp(Math.round(x), 0, this.image.width), clamp(Math.round(y), 0, this.image.height)];
  }

  grab(event) {
    if (!this.mode || event.button !== 0) return;
    event.preventDefault();
    this.svg.setPointerCapture(event.pointerId);
    const before = this.box;
    const start = this.at(event);
    const corner = event.target.dataset.corner;
    if (!corner && event.target.closest(".drawn")) {
      this.drag = ([x, y]) => this.put(move(before, x - start[0], y - start[1], this.image));
      return;
    }
    const [fixedX, fixedY] = corner ? opposite(before, corner) : start;
    this.drag = ([x, y]) => this.put(span(fixedX, fixedY, x, y), before);
  }

  put(box, before = box) {
    this.box = box.right - box.left < SMALLEST || box.bottom - box.top < SMALLEST ? before : box;
    this.place();
  }

  drop() {
    if (!this.drag) return;
    this.drag = null;
    this.drawn.focus({ preventScroll: true });
  }

  place() {
    if (!this.mode || !this.box) return;
    placeDrawn(this.drawn, this.box, 1 / (this.svg.getScreenCTM()?.a || 1));
  }
}
