/* The words beside the photo of <kalas-review>: each garment with its fields, each field with its values, all with the keys
 * that choose them. What is shown follows from the taxonomy's rules for the garment's category.
 *
 *   <div data-panel data-text='{"none": "None", "add": "Add", …}'></div>
 */

import { h, icon, s as svg } from "./dom.js";

const FEW = 12; // values of an open category before the rest is asked for

export class ReviewPanel {
  constructor(root, { words, keys, onOpen, onSet, onPick, onAction }) {
    Object.assign(this, { root, words, keys, onOpen, onSet, onPick, onAction });
    this.text = JSON.parse(root.dataset.text);
    this.open = null; // the field whose values are shown
    this.all = false;
  }

  show(draft, open = null, all = false) {
    this.draft = draft;
    this.open = open;
    this.all = all;
    const garments = draft.garments.map((garment, number) =>
      number === draft.current ? this.renderGarment(garment) : this.renderFolded(garment, number));
    const empty = h("p", { class: "review-empty muted" }, this.text.empty);
    this.root.replaceChildren(...(garments.length ? garments : [empty]));
    this.root.querySelector(".is-open")?.scrollIntoView({ block: "nearest" });
  }

  /* field → hint, and for an open field value → hint. */
  fieldOf(key) {
    return this.fields?.[this.keys.fieldHints().indexOf(key)] ?? null;
  }

  valueOf(key) {
    if (key === "-" || key === "Backspace" || key === "Delete") return this.mayBeNone(this.open) ? null : undefined;
    return this.values?.[this.keys.valueHints().indexOf(key)]?.name;
  }

  mayBeNone(field) {
    return field !== "category" && field !== "object" && field !== "colours";
  }

  renderFolded(garment, number) {
    const pick = () => this.onPick(number);
    return h("button", { class: `review-folded object-${garment.object}`, type: "button", onclick: pick },
      h("span", { class: "object-dot" }),
      h("span", { class: "grow truncate" }, this.words.valueTitle("category", garment.category)),
      garment.primary && h("span", { class: "badge" }, this.text.main));
  }

  renderGarment(garment) {
    this.fields = this.words.fieldsOf(garment.category);
    const hints = this.keys.fieldHints();
    const rows = this.fields.map((field, number) => this.renderField(garment, field, hints[number]));
    const several = this.draft.garments.length > 1;
    return h("section", { class: `review-garment object-${garment.object}`, "data-garment": garment.id },
      h("div", { class: "review-garment-head" },
        h("span", { class: "object-name" }, h("span", { class: "object-dot" }), this.words.valueTitle("object", garment.object)),
        several && garment.primary && h("span", { class: "badge" }, this.text.main),
        h("span", { class: "grow" }),
        several && !garment.primary && this.action("main"),
        this.action("box"),
        this.action("remove")),
      h("div", { class: "review-fields" }, rows));
  }

  action(name) {
    return h("button", { class: "button button-small button-quiet", type: "button", onclick: () => this.onAction(name) },
      this.text[name], h("kbd", {}, this.keys.title(name)));
  }

  renderField(garment, field, hint) {
    const { changed, doubt } = this.draft.marks(garment, field);
    const isOpen = this.open === field;
    const classes = ["review-field", changed && "is-changed", doubt && "is-doubt", isOpen && "is-open"];
    const button = h("button", {
      class: "review-field-head", type: "button", "aria-expanded": String(isOpen), "data-field": field,
      onclick: () => this.onOpen(isOpen ? null : field),
    },
    h("kbd", { "aria-hidden": "true" }, hint?.toUpperCase() ?? "·"),
    h("span", { class: "review-field-name" }, this.words.fieldTitle(field)),
    h("span", { class: "review-field-value" }, this.renderValue(garment, field)),
    h("span", { class: "review-field-note number" }, this.noteOf(garment, field, changed, doubt)));
    return h("div", { class: classes.filter(Boolean).join(" ") }, button, isOpen && this.renderValues(garment, field));
  }

  renderValue(garment, field) {
    const value = this.draft.value(garment, field);
    if (field === "colours") {
      if (!value.length) return h("span", { class: "muted" }, this.text.none);
      return value.map((name) => h("span", { class: "review-colour" }, this.swatch(garment, name), this.words.valueTitle(field, name)));
    }
    return value === null ? h("span", { class: "muted" }, "—") : this.words.valueTitle(field, value);
  }

  swatch(garment, name) {
    const hex = garment.colours.find((colour) => colour.name === name)?.hex ?? this.words.colours.get(name)?.hex;
    return svg("svg", { class: "swatch", viewBox: "0 0 1 1", "aria-hidden": "true" },
      svg("rect", { width: 1, height: 1, fill: hex ?? "none" }));
  }

  noteOf(garment, field, changed, doubt) {
    if (changed) return h("span", { class: "visually-hidden" }, this.text.changed);
    const label = garment.labels.find((each) => each.key === field);
    const confidence = field === "category" ? garment.category_confidence : label?.confidence;
    const origin = field === "category" ? garment.category_origin : label?.origin;
    if (origin === "human" || origin === "store") return this.text[origin];
    if (confidence === undefined) return "";
    return [doubt && h("span", { class: "visually-hidden" }, this.text.doubt), `${Math.round(confidence * 100)} %`];
  }

  renderValues(garment, field) {
    const options = this.words.optionsOf(field, garment);
    const few = field === "category" && !this.all ? options.slice(0, FEW) : options;
    const none = this.mayBeNone(field) ? [{ name: null, title: this.text.none }] : [];
    this.values = few;
    const hints = this.keys.valueHints();
    const chosen = this.draft.value(garment, field);
    const isOn = (name) => (Array.isArray(chosen) ? chosen.includes(name) : chosen === name);
    const confidence = new Map(garment.alternatives.map((each) => [each.name, each.confidence]));
    const chips = [...few, ...none].map((value, number) => h("button", {
      class: "chip", type: "button", "aria-pressed": String(isOn(value.name)), onclick: () => this.onSet(field, value.name),
    },
    h("kbd", { "aria-hidden": "true" }, value.name === null ? "-" : (hints[number] ?? "·").toUpperCase()),
    field === "colours" && this.swatch(garment, value.name),
    value.title,
    field === "category" && confidence.has(value.name) && h("span", { class: "chip-share" }, `${Math.round(confidence.get(value.name) * 100)} %`)));
    if (few.length < options.length) {
      chips.push(h("button", { class: "chip", type: "button", onclick: () => this.show(this.draft, field, true) },
        icon("more"), this.text.more));
    }
    return h("div", { class: "review-values", role: "group", "aria-label": this.words.fieldTitle(field) }, chips);
  }
}
