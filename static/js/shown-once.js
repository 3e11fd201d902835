/* A secret that is shown once: a button that copies it, and an address with which a reload does not make another.
 *
 *   <section data-once="/shops/developers/">
 *     <input id="token" readonly value="…"> <button type="button" data-copy="token" data-done="Copied" hidden>Copy</button>
 *   </section>
 */

const shown = document.querySelector("[data-once]");
const button = shown.querySelector("[data-copy]");

history.replaceState(null, "", shown.dataset.once);

button.hidden = false;
button.addEventListener("click", async () => {
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
  } catch {
    document.execCommand("copy"); // without TLS there is no clipboard
  }
  button.textContent = button.dataset.done;
});
