/* What can be said about a garment, from the taxonomy's own rules; fetched once for <kalas-review words="/review/words/">.
 *
 * A field is "category", "colours", "object" or an attribute's key. */

export async function loadWords(url) {
  const response = await fetch(url, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(String(response.status));
  return new Words(await response.json());
}

const fold = (text) => text.toLocaleLowerCase().normalize("NFD").replace(/\p{M}/gu, "").replaceAll("ı", "i");

export class Words {
  constructor(data) {
    this.data = data;
    this.categories = new Map(data.categories.map((each) => [each.name, each]));
    this.attributes = new Map(data.attributes.map((each) => [each.key, each]));
    this.colours = new Map(data.colours.map((each) => [each.name, each]));
    this.objects = new Map(data.objects.map((each) => [each.name, each]));
  }

  /* The fields of a garment of this category, the attributes that apply to it between. */
  fieldsOf(category) {
    const keys = this.data.attributes.filter((each) => this.valuesOf(each.key, category).length).map((each) => each.key);
    return ["category", ...keys, "colours", "object"];
  }

  fieldTitle(field) {
    return this.data.fields[field] ?? this.attributes.get(field)?.title ?? field;
  }

  /* The values of an attribute that a garment of this category can have. */
  valuesOf(key, category) {
    const attribute = this.attributes.get(key);
    if (!attribute) return [];
    return attribute.values.filter((value) => (value.on.length ? value.on : attribute.on).includes(category));
  }

  applies(key, value, category) {
    if (!this.attributes.has(key)) return true; // of another taxonomy
    return this.valuesOf(key, category).some((each) => each.name === value);
  }

  /* What a field offers for a garment, the likely first: [{ name, title, hex }]. */
  optionsOf(field, garment) {
    if (field === "colours") return this.data.colours;
    if (field === "object") return this.data.objects;
    if (field !== "category") return this.valuesOf(field, garment.category);
    const likely = [garment.said, ...garment.alternatives.map((each) => each.name)];
    const rank = ({ name, object }) => {
      const place = likely.indexOf(name);
      return place >= 0 ? place : object === garment.object ? 100 : 200;
    };
    return [...this.data.categories].sort((a, b) => rank(a) - rank(b) || a.title.localeCompare(b.title));
  }

  valueTitle(field, name) {
    const found = {
      category: () => this.categories.get(name),
      colours: () => this.colours.get(name),
      object: () => this.objects.get(name),
    }[field];
    const value = found ? found() : this.attributes.get(field)?.values.find((each) => each.name === name);
    return value?.title ?? name;
  }

  /* Everything that a garment can be said to have and whose title has a word that begins so: [{ field, name, title }]. */
  search(text, garment) {
    const asked = fold(text).split(/\s+/).filter(Boolean);
    const found = [];
    for (const field of this.fieldsOf(garment.category)) {
      for (const value of this.optionsOf(field, garment)) {
        const words = fold(`${value.title} ${value.name} ${this.fieldTitle(field)}`).split(/[\s-]+/);
        if (!asked.every((each) => words.some((word) => word.startsWith(each)))) continue;
        const exact = fold(value.title).startsWith(asked[0] ?? "") ? 0 : 1;
        found.push({ field, ...value, rank: exact });
      }
    }
    return found.sort((a, b) => a.rank - b.rank).slice(0, 40);
  }
}
