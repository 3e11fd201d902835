/* Finding by photo: the photo that was chosen is shown with a box to draw (kalas-photo.js) and searched with at once;
 * a filter that changes asks again. Without this module the form's own fields do the same.
 *
 *   <kalas-search>
 *     <form id="by-words">…</form>
 *     <form id="by-photo">… <input type="file" data-photo> <button type="button" data-pick="files|camera">
 *       <input type="number" name="left"> top right bottom …</form>
 *     <template><kalas-photo drawable><div class="photo-frame"><img><svg class="boxes"></svg></div></kalas-photo></template>
 *     <fieldset id="filters">…</fieldset>
 *     … <button data-facet name="category" value="shirt" form="by-words">Shirt 12</button>
 *   </kalas-search>
 */

class KalasSearch extends HTMLElement {
  connectedCallback() {
    this.words = this.querySelector("#by-words");
    this.form = this.querySelector("#by-photo");
    this.input = this.form.querySelector("[data-photo]");
    this.last = this.words;
    for (const part of this.querySelectorAll("[data-needs-script]")) part.hidden = false;
    this.input.addEventListener("change", () => this.show());
    this.form.addEventListener("click", (event) => this.pick(event.target.closest("[data-pick]")));
    for (const form of [this.words, this.form]) form.addEventListener("submit", () => (this.last = form));
    this.querySelector("#filters").addEventListener("change", () => this.last.requestSubmit());
    this.addEventListener("click", (event) => this.narrow(event, event.target.closest("[data-facet]")));
    // What was pressed in the results goes with them: the keyboard stays where it was.
    this.addEventListener("htmx:afterSettle", () => {
      const matches = this.querySelector("#matches");
      if (document.activeElement === document.body) matches.focus({ preventScroll: true });
      // On a phone they stand below the photo, where nobody would see that they came.
      if (matches.getBoundingClientRect().top > window.innerHeight * 0.75) matches.scrollIntoView();
    });
  }

  narrow(event, facet) {
    if (!facet) return;
    event.preventDefault();
    this.querySelector(`#filters [name="${facet.name}"]`).value = facet.value;
    this.last.requestSubmit();
  }

  disconnectedCallback() {
    URL.revokeObjectURL(this.address);
  }

  pick(button) {
    if (!button) return;
    this.input.toggleAttribute("capture", button.dataset.pick === "camera");
    if (button.dataset.pick === "camera") this.input.setAttribute("capture", "environment");
    this.input.click();
  }

  async show() {
    const [file] = this.input.files;
    if (!file) return;
    URL.revokeObjectURL(this.address);
    this.address = URL.createObjectURL(file);
    // Imported, not cloned: pictures of a template's own document are never loaded.
    const photo = document.importNode(this.querySelector("template").content, true).firstElementChild;
    const image = photo.querySelector("img");
    image.src = this.address;
    for (const side of this.form.querySelectorAll("input[type=number]")) side.value = "";
    try {
      await image.decode();
    } catch {
      return this.form.requestSubmit(); // the answer says what is wrong with it
    }
    const [width, height] = [image.naturalWidth, image.naturalHeight];
    for (const part of [photo, image]) {
      part.setAttribute("width", width);
      part.setAttribute("height", height);
    }
    photo.querySelector("svg").setAttribute("viewBox", `0 0 ${width} ${height}`);
    // The form's fields hold the box that is drawn, so it moves into the photo's element.
    const before = this.form.closest("kalas-photo") ?? this.form;
    const place = document.createComment("");
    before.replaceWith(place);
    photo.append(this.form);
    place.replaceWith(photo);
    return this.form.requestSubmit();
  }
}

customElements.define("kalas-search", KalasSearch);
