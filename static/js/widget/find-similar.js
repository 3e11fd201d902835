/* "Find similar" on a shop's own pages, from the shop's Kalas:
 *
 *   <script type="module" src="https://kalas.example.com/widget/find-similar.js" data-key="kal_…"></script>
 *
 * puts a button after the script, which opens what looks like the page's product, or like a photo of one's own. Which
 * product it is stands in data-product, else in the page's structured data (JSON-LD, og:image). With <kalas-similar>
 * elements of the page's own, which take the same attributes, no button is made. What may be set is in ATTRIBUTES.
 */

import { TEMPLATE, STYLE } from "./look.js";
import { readPage } from "./page.js";
import { nameSilence, Refused, Service } from "./service.js";
import { chooseWords } from "./words.js";

const ATTRIBUTES = ["key", "product", "image", "limit", "stock", "link", "language", "theme", "place"];
const HOST = new URL(import.meta.url).origin;

class KalasSimilar extends HTMLElement {
  connectedCallback() {
    if (this.shadowRoot) return;
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [STYLE]; // which a page's strict Content-Security-Policy lets pass
    root.innerHTML = TEMPLATE;
    this.find = (name) => root.querySelector(`[data-part=${name}]`);
    this.language = toTag(this.getAttribute("language") || this.closest("[lang]")?.lang || navigator.language);
    this.words = chooseWords(this.language);
    for (const element of root.querySelectorAll("[data-say]")) element.textContent = this.words[element.dataset.say];
    root.querySelector(".close").setAttribute("aria-label", this.words.close);
    this.find("open").addEventListener("click", () => this.open());
    root.querySelector(".close").addEventListener("click", () => this.find("dialog").close());
    this.find("again").addEventListener("click", () => this.ask(this.last));
    this.find("pick").addEventListener("click", () => this.find("file").click());
    this.find("file").addEventListener("change", () => this.askWithFile());
    this.find("dialog").addEventListener("click", (event) => event.target === event.currentTarget && event.target.close());
    this.find("dialog").addEventListener("close", () => this.asking?.abort());
    this.find("results").addEventListener("click", (event) => this.tell(event));
  }

  /* Also for the page: document.querySelector("kalas-similar").open() */
  open() {
    if (!this.emit("kalas-open", {})) return;
    this.find("dialog").showModal();
    this.ask((service, signal) => this.askForProduct(service, signal));
  }

  async askForProduct(service, signal) {
    const page = readPage(document);
    const product = this.getAttribute("product") ?? page.product;
    const image = this.getAttribute("image") ?? page.image;
    if (product) {
      try {
        const answer = await service.findLike({ external_id: product }, signal);
        if (answer.asked || !image) return answer; // else nobody has looked at its photos yet
      } catch (error) {
        if (!(error instanceof Refused && error.status === 404 && image)) throw error; // not in the catalogue yet
      }
    }
    return image ? service.findLikeAddress(new URL(image, document.baseURI).href, signal) : null;
  }

  askWithFile() {
    const [file] = this.find("file").files;
    this.find("file").value = "";
    if (file) this.ask((service, signal) => service.findLikeFile(file, signal));
  }

  async ask(question) {
    this.last = question;
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    const service = new Service(HOST, this.getAttribute("key"), {
      limit: Number(this.getAttribute("limit")) || 12,
      ...(this.getAttribute("stock") && { stock: this.getAttribute("stock") }),
    });
    this.say("searching", { busy: true });
    try {
      const answer = await question(service, asking.signal);
      if (asking.signal.aborted) return;
      if (answer === null) return this.say("own");
      this.show(answer.results);
    } catch (error) {
      if (asking.signal.aborted) return;
      if (error instanceof Refused) console.error(`Kalas: ${error.status} ${error.message}`);
      else console.error(`Kalas: no answer. Is ${location.origin} listed with the key?`, error);
      const reason = error.reason ?? nameSilence();
      this.say(reason, { again: !["photo", "large", "key"].includes(reason) });
    }
  }

  show(results) {
    const word = ["nothing", "one"][results.length] ?? "many";
    this.say(word, { number: results.length, items: results.map((match) => this.draw(match)) });
  }

  /* What is no answer takes the results of the last one away. */
  say(word, { busy = false, again = false, number, items = [] } = {}) {
    this.find("results").replaceChildren(...items);
    this.find("status").textContent = this.words[word].replace("%d", number);
    this.find("spinner").hidden = !busy;
    this.find("again").hidden = !again;
    this.find("dialog").setAttribute("aria-busy", String(busy));
  }

  draw({ product, thumbnail }) {
    const item = document.createElement("li");
    const address = this.addressOf(product);
    // Without an address it is the page that does something about kalas-select.
    const link = item.appendChild(document.createElement(address ? "a" : "button"));
    Object.assign(link, address ? { href: address } : { type: "button" });
    const image = link.appendChild(document.createElement("img"));
    // From the host that the page knows, whatever name Kalas has for itself.
    const source = thumbnail && HOST + new URL(thumbnail).pathname;
    Object.assign(image, { alt: "", loading: "lazy", decoding: "async", src: source });
    for (const [name, text] of [
      ["title", product.title || product.external_id],
      ["price", this.priceOf(product)],
      ["note", product.stock === "out-of-stock" ? this.words.soldOut : ""],
    ]) {
      if (text) link.appendChild(Object.assign(document.createElement("span"), { className: name, textContent: text }));
    }
    link.product = product;
    return item;
  }

  addressOf(product) {
    const pattern = this.getAttribute("link");
    const text = pattern ? pattern.replace("{id}", encodeURIComponent(product.external_id)) : product.url;
    return text && /^(https?:|\/(?![/\\]))/i.test(text) ? new URL(text, document.baseURI).href : "";
  }

  priceOf({ price, currency }) {
    if (price === null) return "";
    const options = currency ? { style: "currency", currency } : { minimumFractionDigits: 2 };
    try {
      return new Intl.NumberFormat(this.language, options).format(price);
    } catch {
      return `${price} ${currency}`; // which is no currency's code
    }
  }

  tell(event) {
    const link = event.target.closest("li > *");
    if (link?.product && !this.emit("kalas-select", { product: link.product })) event.preventDefault();
  }

  /* False where the page took over (event.preventDefault()). */
  emit(name, detail) {
    return this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable: true }));
  }
}

/* Many shops' templates write lang="en_US", which Intl refuses. */
function toTag(language) {
  try {
    return Intl.getCanonicalLocales(language.replaceAll("_", "-"))[0] ?? "en";
  } catch {
    return "en";
  }
}

function begin() {
  if (!customElements.get("kalas-similar")) customElements.define("kalas-similar", KalasSimilar);
  const script = [...document.scripts].find((each) => each.src === import.meta.url);
  if (!script || document.querySelector("kalas-similar")) return;
  const element = document.createElement("kalas-similar");
  for (const name of ATTRIBUTES) if (script.dataset[name]) element.setAttribute(name, script.dataset[name]);
  const place = script.dataset.place ? document.querySelector(script.dataset.place) : null;
  if (script.dataset.place && !place) console.error(`Kalas: nothing on this page is ${script.dataset.place}`);
  (place ?? (script.closest("body") ? script : document.querySelector("h1") ?? document.body.lastChild)).after(element);
}

begin();
