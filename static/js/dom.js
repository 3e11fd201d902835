/* Makes elements: h("li", { class: "chip", onclick: f }, "text", other) → <li class="chip">text…</li>. A value of null or
 * false leaves the attribute out; texts are never read as markup. */

export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function s(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value);
  }
  element.append(...children.flat());
  return element;
}

/* A copy of the icon that a <template data-icon="check"> on the page holds. */
export function icon(name) {
  const found = document.querySelector(`template[data-icon="${name}"]`);
  return found ? found.content.firstElementChild.cloneNode(true) : "";
}
