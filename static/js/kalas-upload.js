/* Uploads photos one by one, at most three at a time, from the picker, the camera, a drop or a paste.
 * Each file has its own line with progress, error and "try again". Without this module the form posts as a form.
 *
 *   <kalas-upload action="/annotate/upload/" target="#results" max-bytes="26214400"
 *                 data-waiting="…" data-sending="…" data-checking="…" data-failed="…" data-unreachable="…"
 *                 data-refused="…" data-too-large="…" data-uploaded="…">
 *     <form method="post" enctype="multipart/form-data">
 *       <input type="hidden" name="csrfmiddlewaretoken" value="…">
 *       <input type="file" name="photo" multiple>
 *       <button type="button" data-pick="files">…</button> <button type="button" data-pick="camera">…</button>
 *     </form>
 *     <p aria-live="polite" data-announce></p>
 *     <ul class="uploads"></ul>
 *     <template><li class="upload">.upload-name .upload-state progress .upload-error
 *       .upload-actions > [data-retry] [data-remove]</li></template>
 *   </kalas-upload>
 *
 * Answers: 201 + an HTML fragment, put first into the target; else {"title", "detail"} as problem+json,
 * with 422 where the photo itself is refused, which is not to be tried again.
 */

const PARALLEL = 3;

class KalasUpload extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.input = this.form.querySelector("input[type=file]");
    this.lines = this.querySelector(".uploads");
    this.queue = [];
    this.running = 0;
    this.listeners = new AbortController();
    const on = (target, name, listener) =>
      target.addEventListener(name, listener, { signal: this.listeners.signal });

    on(this, "click", (event) => {
      const pick = event.target.closest("[data-pick]");
      if (pick) this.pick(pick.dataset.pick);
    });
    on(this.input, "change", () => {
      this.addFiles(this.input.files);
      this.input.value = "";
    });
    on(this.form, "submit", (event) => event.preventDefault());
    on(document, "paste", (event) => this.addFiles(event.clipboardData.files));
    on(document, "dragover", (event) => this.hover(event, true));
    on(document, "dragleave", (event) => this.hover(event, event.relatedTarget !== null));
    on(document, "drop", (event) => {
      this.hover(event, false);
      this.addFiles(event.dataTransfer.files);
    });
  }

  disconnectedCallback() {
    this.listeners.abort();
  }

  pick(source) {
    this.input.toggleAttribute("multiple", source !== "camera");
    if (source === "camera") this.input.setAttribute("capture", "environment");
    else this.input.removeAttribute("capture");
    this.input.click();
  }

  hover(event, inside) {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault(); // else the browser leaves the page to show the file
    this.classList.toggle("is-dropping", inside);
  }

  addFiles(files) {
    for (const file of files) {
      const line = this.querySelector("template").content.firstElementChild.cloneNode(true);
      const upload = { file, line };
      line.querySelector(".upload-name").textContent = file.name;
      line.querySelector("[data-retry]").addEventListener("click", () => this.enqueue(upload));
      line.querySelector("[data-remove]").addEventListener("click", () => this.remove(upload));
      this.lines.append(line);
      this.enqueue(upload);
    }
  }

  remove({ line }) {
    const next = line.nextElementSibling ?? line.previousElementSibling;
    line.remove();
    (next?.querySelector("button:not([hidden])") ?? this.querySelector("[data-pick]")).focus();
  }

  enqueue(upload) {
    const progress = upload.line.querySelector("progress");
    upload.line.classList.remove("is-failed");
    upload.line.querySelector(".upload-error").hidden = true;
    upload.line.querySelector(".upload-actions").hidden = true;
    progress.hidden = false;
    progress.value = 0;
    this.say(upload, this.dataset.waiting);
    this.queue.push(upload);
    this.next();
  }

  next() {
    while (this.running < PARALLEL && this.queue.length) this.send(this.queue.shift());
  }

  send(upload) {
    const limit = Number(this.getAttribute("max-bytes"));
    if (limit && upload.file.size > limit) {
      this.fail(upload, this.dataset.tooLarge, { again: false });
      return;
    }
    const body = new FormData();
    body.append(this.input.name, upload.file, upload.file.name);
    const request = new XMLHttpRequest(); // fetch reports no upload progress
    request.open("POST", this.getAttribute("action"));
    request.setRequestHeader("X-CSRFToken", this.form.elements.csrfmiddlewaretoken.value);
    request.setRequestHeader("X-Requested-With", "XMLHttpRequest");
    request.upload.addEventListener("progress", (event) => this.show(upload, event));
    request.addEventListener("load", () => this.receive(upload, request));
    request.addEventListener("error", () => this.fail(upload, this.dataset.unreachable));
    request.addEventListener("loadend", () => {
      this.running -= 1;
      this.next();
    });
    this.running += 1;
    this.say(upload, this.dataset.sending);
    request.send(body);
  }

  show(upload, { loaded, total }) {
    const progress = upload.line.querySelector("progress");
    if (loaded < total) {
      progress.value = loaded / total;
    } else {
      progress.removeAttribute("value"); // sent; how long the check takes is unknown
      this.say(upload, this.dataset.checking);
    }
  }

  receive(upload, request) {
    if (request.status !== 201) {
      // 422 judges the photo itself: the same file would be refused again.
      const again = request.status !== 422;
      this.fail(upload, readDetail(request) ?? this.dataset.refused, { again });
      return;
    }
    const target = document.querySelector(this.getAttribute("target"));
    target.querySelector(".empty")?.remove();
    target.insertAdjacentHTML("afterbegin", request.responseText);
    target.firstElementChild.classList.add("arrives");
    window.htmx.process(target.firstElementChild);
    upload.line.remove();
    this.querySelector("[data-announce]").textContent = `${this.dataset.uploaded} ${upload.file.name}`;
    this.dispatchEvent(new CustomEvent("kalas:uploaded", { bubbles: true }));
  }

  fail(upload, detail, { again = true } = {}) {
    const error = upload.line.querySelector(".upload-error");
    upload.line.classList.add("is-failed");
    upload.line.querySelector("progress").hidden = true;
    upload.line.querySelector(".upload-actions").hidden = false;
    upload.line.querySelector("[data-retry]").hidden = !again;
    error.hidden = false;
    error.textContent = detail;
    this.say(upload, this.dataset.failed);
  }

  say(upload, text) {
    upload.line.querySelector(".upload-state").textContent = text;
  }
}

function readDetail(request) {
  if (!request.getResponseHeader("Content-Type")?.includes("json")) return undefined;
  const problem = JSON.parse(request.responseText);
  return problem.detail ?? problem.title;
}

customElements.define("kalas-upload", KalasUpload);
