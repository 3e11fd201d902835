/* Runs a passkey ceremony and posts its result with the form inside.
 *
 *   <kalas-passkey ceremony="create|get" [source="/url/of/options"]
 *       data-unsupported data-address data-cancelled data-known data-failed>
 *     <form method="post" action="…">
 *       <input type="hidden" name="credential"> [<input type="checkbox" name="passwordless">]
 *       <p role="alert" hidden></p> <button type="button" data-start>…</button>
 *     </form>
 *   </kalas-passkey>
 *
 * The options come from `source` as JSON, else from <script type="application/json" id="passkey-options">.
 */

const reasons = {
  SecurityError: "address",
  NotAllowedError: "cancelled",
  AbortError: "cancelled",
  InvalidStateError: "known",
};

class KalasPasskey extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.button = this.querySelector("[data-start]");
    if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) {
      this.button.disabled = true;
      this.complain("unsupported");
    } else {
      this.button.addEventListener("click", () => this.start());
    }
  }

  async start() {
    this.querySelector("[role=alert]").hidden = true;
    this.button.disabled = true;
    try {
      const credential = await this.ask(await this.options());
      this.form.elements.credential.value = JSON.stringify(credential);
      this.form.submit();
    } catch (error) {
      this.complain(reasons[error.name] ?? "failed");
      this.button.disabled = false;
    }
  }

  async options() {
    const source = this.getAttribute("source");
    if (!source) return JSON.parse(document.getElementById("passkey-options").textContent);
    const response = await fetch(source, { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(`${source} answered ${response.status}`);
    return response.json();
  }

  ask(options) {
    if (this.getAttribute("ceremony") === "get") {
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.request_options.publicKey);
      return navigator.credentials.get({ publicKey });
    }
    const wanted = options.creation_options.publicKey;
    const passwordless = this.form.elements.passwordless?.checked ?? false;
    wanted.authenticatorSelection = {
      ...wanted.authenticatorSelection,
      residentKey: passwordless ? "required" : "discouraged",
      requireResidentKey: passwordless,
      ...(passwordless && { userVerification: "required" }),
    };
    return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(wanted) });
  }

  complain(reason) {
    const message = this.querySelector("[role=alert]");
    message.textContent = this.dataset[reason];
    message.hidden = false;
  }
}

customElements.define("kalas-passkey", KalasPasskey);
