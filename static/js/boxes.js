/* Boxes on a photo, for kalas-photo.js: { left, top, right, bottom } in pixels of the photo, right and bottom exclusive,
 * and the SVG parts that show them:
 *
 *   <g class="box drawn"><rect x="…" y="…" width="…" height="…"/> …handles…</g>
 */

const SVG = "http://www.w3.org/2000/svg";

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

export function make(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

export function place(rect, x, y, width, height) {
  for (const [key, value] of Object.entries({ x, y, width, height })) rect.setAttribute(key, value);
}
