/* Boxes on a photo, for kalas-photo.js: { left, top, right, bottom } in pixels of the photo, right and bottom exclusive,
 * and the SVG parts that show them:
 *
 *   <g class="box drawn"><rect x="…" y="…" width="…" height="…"/> …handles…</g>
 */

const SVG = "http://www.w3.org/2000/svg";
const HANDLE_PX = 12;
const TOUCH_PX = 32;

export const SIDES = ["left", "top", "right", "bottom"];
export const CORNERS = {
  nw: ["left", "top"],
  ne: ["right", "top"],
  sw: ["left", "bottom"],
  se: ["right", "bottom"],
};

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

export const isBox = ({ left, top, right, bottom }, { width, height }) =>
  left >= 0 && top >= 0 && left < right && top < bottom && right <= width && bottom <= height;

/* The box that two opposite corners span. */
export const span = (x1, y1, x2, y2) => ({
  left: Math.min(x1, x2),
  top: Math.min(y1, y2),
  right: Math.max(x1, x2),
  bottom: Math.max(y1, y2),
});

/* The point at the corner that lies across from `corner`. */
export const opposite = (box, corner) => CORNERS[corner].map((side) => box[SIDES[(SIDES.indexOf(side) + 2) % 4]]);

/* The box, shifted as far as the photo allows. */
export function move({ left, top, right, bottom }, dx, dy, photo) {
  const x = clamp(left + dx, 0, photo.width - (right - left));
  const y = clamp(top + dy, 0, photo.height - (bottom - top));
  return { left: x, top: y, right: x + right - left, bottom: y + bottom - top };
}

/* The box and a handle with its larger area at each corner. */
export function makeDrawn(label) {
  const drawn = make("g", { class: "box drawn", tabindex: "0", role: "application", "aria-label": label });
  drawn.append(make("rect", {}));
  for (const corner of Object.keys(CORNERS)) {
    drawn.append(make("rect", { class: `handle handle-${corner}` }));
    drawn.append(make("rect", { class: `handle-area handle-${corner}`, "data-corner": corner }));
  }
  return drawn;
}

/* `scale`: pixels of the photo in one of the screen, where handles keep their size. */
export function placeDrawn(drawn, box, scale) {
  place(drawn.firstElementChild, box.left, box.top, box.right - box.left, box.bottom - box.top);
  for (const [corner, [x, y]] of Object.entries(CORNERS)) {
    const [handle, area] = drawn.querySelectorAll(`.handle-${corner}`);
    for (const [part, size] of [[handle, HANDLE_PX * scale], [area, TOUCH_PX * scale]]) {
      place(part, box[x] - size / 2, box[y] - size / 2, size, size);
    }
  }
}

function make(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function place(rect, x, y, width, height) {
  for (const [key, value] of Object.entries({ x, y, width, height })) rect.setAttribute(key, value);
}
