/* What a key does in <kalas-review>: in a field that is open it chooses a value, else it is an action or opens a field:
 * <button data-field="pattern">, <button data-action="accept">. */

export function press(review, event) {
  if (event.defaultPrevented || event.target.closest("dialog, input, textarea, select")) {
    if (event.target === review.view.comment && (event.key === "Escape" || (event.key === "Enter" && !event.shiftKey))) {
      event.preventDefault();
      review.view.comment.blur();
    }
    return;
  }
  if (!review.draft && event.key.toLowerCase() !== "u") return;
  const { open } = review.panel;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (open && event.key === "Escape") return review.render();
  const plain = !event.ctrlKey && !event.altKey && !event.metaKey;
  if (open && plain) {
    const name = review.panel.valueOf(key);
    if (name !== undefined) {
      event.preventDefault();
      return review.setValue(open, name);
    }
    if (event.key === "Enter" && open === "colours") {
      event.preventDefault();
      return review.render();
    }
  }
  // On a button that is focused these press that button.
  if ((event.key === "Enter" || event.key === " ") && event.target.closest("a, button, summary")) return undefined;
  const action = review.keys.actionOf(event);
  const field = !action && plain && !open ? review.panel.fieldOf(key) : null;
  if (!action && !field) return undefined;
  event.preventDefault();
  return action ? review.act(action) : review.openField(field);
}
