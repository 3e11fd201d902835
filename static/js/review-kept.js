/* What was typed about an item of <kalas-review> and is not saved yet, in the browser's storage: the
 * <textarea> of its comment, its garments' values and boxes. */

const PREFIX = "kalas.review.draft.";
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

let owner = "";

/* Who shares the browser does not see it. */
export function keepFor(who) {
  owner = `${who}.`;
}

export function keepDraft(id, kept) {
  store(PREFIX + owner + id, kept === null ? null : JSON.stringify(kept));
}

export function reapply({ base, garments }, fresh) {
  const isGone = ({ id }) => base.some((each) => each.id === id) && !garments.some((each) => each.id === id);
  const again = fresh.filter((garment) => !isGone(garment));
  for (const garment of again) {
    const [before, after] = [base, garments].map((list) => list.find((each) => each.id === garment.id));
    if (!before || !after) continue;
    for (const part of ["category", "object", "box", "primary", "colours"]) {
      if (!same(before[part], after[part])) garment[part] = after[part];
    }
    const labels = new Map(before.labels.map((label) => [label.key, label.name]));
    for (const label of after.labels) if (labels.get(label.key) !== label.name) setLabel(garment, label.key, label.name);
    for (const key of labels.keys()) if (!after.labels.some((label) => label.key === key)) setLabel(garment, key, null);
  }
  return [...again, ...garments.filter((each) => each.isNew)];
}

export function readDraft(id) {
  try { return JSON.parse(read(PREFIX + owner + id) ?? "null"); } catch { return null; }
}

export function setLabel(garment, key, name) {
  const found = garment.labels.find((label) => label.key === key);
  if (found?.name === name) return;
  garment.labels = garment.labels.filter((label) => label.key !== key);
  if (name !== null) garment.labels.push({ key, name, confidence: 1, origin: "human" });
}

/* Private windows and full disks have no storage: then the page itself is all that remembers. */
function read(name) {
  try { return localStorage.getItem(name); } catch { return null; }
}

function store(name, text) {
  try {
    if (text === null) localStorage.removeItem(name);
    else localStorage.setItem(name, text);
  } catch { /* see above */ }
}
