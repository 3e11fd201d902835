/* What a person has said so far about one item of <kalas-review>, and how it differs from what was there. What is typed is
 * kept in the browser until it is sent, so that a closed page loses nothing. */

import { keepDraft, readDraft, reapply, setLabel } from "./review-kept.js";

const copy = (value) => structuredClone(value);
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

export class Draft {
  constructor(item, words) {
    this.item = item;
    this.words = words;
    this.comment = "";
    this.garments = item.garments.map(open);
    this.current = 0;
    this.restore();
  }

  get garment() {
    return this.garments[this.current] ?? null;
  }

  get dirty() {
    return this.comment !== "" || !same(this.garments.map(close), this.item.garments);
  }

  value(garment, field) {
    if (field === "category" || field === "object") return garment[field];
    if (field === "colours") return garment.colours.map((colour) => colour.name);
    return garment.labels.find((label) => label.key === field)?.name ?? null;
  }

  /* Whether the model was unsure of it, and whether a person has just changed it. */
  marks(garment, field) {
    const before = this.item.garments.find((each) => each.id === garment.id);
    const now = this.value(garment, field);
    const changed = before ? !same(now, this.value(open(before), field)) : now !== null && now.length > 0;
    return { changed, doubt: !changed && (this.item.doubts[garment.id] ?? []).includes(field) };
  }

  set(field, name) {
    const garment = this.garment;
    if (!garment) return;
    if (field === "category") this.setCategory(garment, name);
    else if (field === "object") garment.object = name;
    else if (field === "colours") toggleColour(garment, this.words.colours.get(name));
    else setLabel(garment, field, name);
    this.keep();
  }

  setCategory(garment, name) {
    garment.category = name;
    garment.object = this.words.categories.get(name)?.object ?? garment.object;
    garment.labels = garment.labels.filter((label) => this.words.applies(label.key, label.name, name));
  }

  setBox(box) {
    if (this.garment) this.garment.box = box;
    this.keep();
  }

  add(box) {
    const alternatives = this.item.alternatives ?? []; // of a model that saw no garment
    const category = this.garment?.category ?? alternatives[0]?.name ?? this.words.data.categories[0].name;
    const object = this.words.categories.get(category).object;
    const id = crypto.randomUUID();
    const first = { category, object, box, said: category, alternatives, labels: [], colours: [] };
    this.garments.push({ id, isNew: true, primary: this.garments.length === 0, confidence: 1, ...first });
    this.current = this.garments.length - 1;
    this.keep();
  }

  remove() {
    const [gone] = this.garments.splice(this.current, 1);
    if (gone?.primary && this.garments.length) this.garments[0].primary = true;
    this.current = Math.max(0, Math.min(this.current, this.garments.length - 1));
    this.keep();
  }

  makePrimary() {
    for (const garment of this.garments) garment.primary = garment === this.garment;
    this.keep();
  }

  /* Only what differs, as the server takes it. */
  payload() {
    const garments = [];
    for (const before of this.item.garments) {
      const after = this.garments.find((each) => each.id === before.id);
      const change = after ? this.changeOf(open(before), after) : { removed: true };
      if (Object.keys(change).length) garments.push({ id: before.id, ...change });
    }
    const added = this.garments.filter((each) => each.isNew).map((each) => ({
      id: each.id,
      category: each.category,
      object: each.object,
      box: toSides(each.box),
      attributes: Object.fromEntries(each.labels.map((label) => [label.key, label.name])),
      colours: each.colours.map((colour) => colour.name),
    }));
    return { ...(garments.length && { garments }), ...(added.length && { added }), ...(this.comment && { comment: this.comment }) };
  }

  changeOf(before, after) {
    const change = {};
    if (before.category !== after.category) change.category = after.category;
    const given = this.words.categories.get(after.category)?.object;
    if (before.object !== after.object && !(change.category && after.object === given)) change.object = after.object;
    if (!same(before.box, after.box)) change.box = toSides(after.box);
    if (!before.primary && after.primary) change.primary = true;
    const names = [before, after].map((each) => each.colours.map((colour) => colour.name));
    if (!same(...names)) change.colours = names[1];
    const attributes = {};
    for (const { key } of [...before.labels, ...after.labels]) {
      const [old, now] = [this.value(before, key), this.value(after, key)];
      if (old === now || (now === null && change.category && !this.words.applies(key, old, after.category))) continue;
      attributes[key] = now;
    }
    if (Object.keys(attributes).length) change.attributes = attributes;
    return change;
  }

  /* What it takes to say the same again, also about a later state of the item. */
  get kept() {
    return { version: this.item.version, base: this.item.garments, garments: this.garments, comment: this.comment };
  }

  keep() {
    keepDraft(this.item.id, this.dirty ? this.kept : null);
  }

  forget() {
    keepDraft(this.item.id, null);
  }

  /* Of another version only what was said here; what is new there stays. */
  restore() {
    const kept = readDraft(this.item.id);
    if (kept === null) return;
    this.comment = kept.comment;
    this.garments = kept.version === this.item.version ? kept.garments : reapply(kept, this.garments);
  }

  startOver() {
    this.forget();
    this.garments = this.item.garments.map(open);
    this.comment = "";
    this.current = 0;
  }
}

/* `said` is what the model called it, which stays on offer. */
const open = (garment) => ({ ...copy(garment), said: garment.category });

function close({ said, ...garment }) {
  return garment;
}

const toSides = ([left, top, right, bottom]) => ({ left, top, right, bottom });

function toggleColour(garment, colour) {
  const kept = garment.colours.filter((each) => each.name !== colour.name);
  if (kept.length === garment.colours.length) kept.push({ name: colour.name, hex: colour.hex, share: 0, origin: "human" });
  garment.colours = kept.slice(-5);
}
