/* Which key does what in <kalas-review>. Two kinds: actions, which can be given other keys (<button data-action="skip"><kbd
 * data-key="skip">S</kbd></button>), and hints, by which a field and then its value is chosen. */

const NAME = "kalas.review.keys";
export const DIGITS = "1234567890";
const LETTERS = "abcdefghijklmnopqrstuvwxyz";

export const DEFAULTS = {
  accept: "Enter",
  skip: "s",
  undo: "u",
  comment: "m",
  search: "/",
  add: "a",
  remove: "x",
  next: "g",
  box: "d",
  main: "p",
  notGarment: "n",
  badPhoto: "b",
  reset: "r",
  help: "?",
};

export class Keys {
  constructor() {
    let changed = {};
    try { changed = JSON.parse(localStorage.getItem(NAME) ?? "{}"); } catch { /* as delivered */ }
    this.map = { ...DEFAULTS, ...changed };
  }

  actionOf(event) {
    if (event.altKey || event.metaKey) return null;
    if (event.ctrlKey) return event.key === "z" ? "undo" : null;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    return Object.keys(this.map).find((action) => this.map[action] === key) ?? null;
  }

  /* False where the key is taken or belongs to the fields. */
  change(action, key) {
    const wanted = key.length === 1 ? key.toLowerCase() : key;
    const taken = Object.entries(this.map).some(([other, each]) => other !== action && each === wanted);
    if (taken || DIGITS.includes(wanted) || ["Escape", "Tab", "Shift", "Control", "Alt", "Meta"].includes(wanted)) return false;
    this.map[action] = wanted;
    const changed = Object.fromEntries(Object.entries(this.map).filter(([name, each]) => DEFAULTS[name] !== each));
    try { localStorage.setItem(NAME, JSON.stringify(changed)); } catch { /* for this page only */ }
    return true;
  }

  reset() {
    this.map = { ...DEFAULTS };
    try { localStorage.removeItem(NAME); } catch { /* for this page only */ }
  }

  title(action) {
    const key = this.map[action];
    return { Enter: "⏎", " ": "␣", Backspace: "⌫", Delete: "Del" }[key] ?? (key.length === 1 ? key.toUpperCase() : key);
  }

  /* Hints for the fields: digits, then the letters that no action has. */
  fieldHints() {
    const taken = new Set(Object.values(this.map));
    return [...DIGITS, ...[...LETTERS].filter((letter) => !taken.has(letter))];
  }

  /* Hints for the values of an open field, where all letters are free. */
  valueHints() {
    return [...DIGITS, ...LETTERS];
  }

  show(root) {
    for (const key of root.querySelectorAll("kbd[data-key]")) key.textContent = this.title(key.dataset.key);
  }
}
