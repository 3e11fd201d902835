/* Menus, dialogs and messages on every page; menus work without this, and links lead to pages that ask.
 *
 *   <details class="menu"><summary>…</summary><div class="menu-panel">…</div></details>
 *   <button type="button" data-dialog="delete-7">…</button>
 *   <dialog class="dialog" id="delete-7">… <button type="button" data-close>…</button></dialog>
 *   <a hx-post="…" hx-confirm="Delete shirt.jpg?" data-yes="Delete">…</a> asks in the page's <dialog id="confirm">
 *   <li class="message">… <button type="button" data-dismiss hidden>…</button></li>
 */

const OPEN_MENU = "details.menu[open]";

function closeMenus(except) {
  for (const menu of document.querySelectorAll(OPEN_MENU)) {
    if (menu !== except) menu.open = false;
  }
}

document.addEventListener("click", (event) => {
  closeMenus(event.target.closest(OPEN_MENU));

  const opener = event.target.closest("[data-dialog]");
  if (opener) document.getElementById(opener.dataset.dialog)?.showModal();

  if (event.target.closest("[data-close]")) event.target.closest("dialog")?.close();
  if (event.target.closest("[data-dismiss]")) event.target.closest(".message").remove();
});

document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector(OPEN_MENU);
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

document.addEventListener("focusin", (event) => closeMenus(event.target.closest(OPEN_MENU)));

document.addEventListener("htmx:confirm", (event) => {
  const { elt, question, issueRequest } = event.detail;
  if (!question) return;
  event.preventDefault();
  const dialog = document.getElementById("confirm");
  const yes = dialog.querySelector("[data-yes]");
  dialog.querySelector("#confirm-question").textContent = question;
  yes.textContent = elt.dataset.yes ?? yes.dataset.yes;
  dialog.querySelector("form").onsubmit = () => issueRequest(true);
  dialog.showModal();
});

for (const button of document.querySelectorAll("[data-dismiss]")) button.hidden = false;
