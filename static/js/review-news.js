/* What others do while <kalas-review> is open, and answers of its own that the server did not take. */

import { keepDraft } from "./review-kept.js";

const HOLD_MS = 600; // a key that was on its way when the photo changed

/* What was typed is put over what is there now, after the photo that is being looked at; nothing of it is lost. */
export function comeBack(review, letter, item, reason, words) {
  if (letter.kept) keepDraft(item.id, { ...letter.kept, isBack: true });
  item.back = { reason, words };
  review.queue.putNext(item);
}

/* Reviewed or deleted elsewhere: it leaves at once, what was typed stays. */
export function hear(review, { type, id, state }) {
  if (type === "review" && state !== "claimed" && state !== "waiting" && !review.queue.mine.has(id)) lose(review, id, "taken");
  if (type === "annotation" && state === "gone") lose(review, id, "gone");
  if (type === "review") review.view.countLater(() => review.queue.refill());
}

export function lose(review, id, reason) {
  const isOpen = review.draft?.item.id === id;
  if (isOpen && review.draft.dirty && reason === "taken") return review.view.say("warning", "taken");
  if (!review.queue.drop(id) || !isOpen) return undefined;
  review.heldUntil = performance.now() + HOLD_MS;
  return review.view.say("info", reason);
}
