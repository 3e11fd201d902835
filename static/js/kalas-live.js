/* Keeps a page live: hints come over a WebSocket, the page refetches what they are about.
 *
 *   <kalas-live src="/ws/live/" data-state="connecting">
 *     <span class="connection" role="status"><span data-when="connecting">…</span>
 *       <span data-when="open">…</span> <span data-when="lost">…</span></span>
 *   </kalas-live>
 *   <article data-live="<id>" data-pending hx-get="…" hx-trigger="kalas:live" hx-swap="outerHTML">
 *   <section data-live-feed hx-get="…" hx-trigger="kalas:live" hx-swap="outerHTML">
 *
 * Every message is also an event "kalas:hint" of the document. {"type": "annotation", "id": "…"} fires kalas:live at
 * its elements and at every feed. A hint may be lost with the connection, so everything pending is refetched on each
 * (re)connect and, as a net, every 15 s.
 */

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;
const STEADY_MS = 5_000; // a socket that was open for less than this was not wanted
const POLL_MS = 15_000;
const FEED_PAUSE_MS = 400; // a burst of results refetches a feed once

class KalasLive extends HTMLElement {
  connectedCallback() {
    this.failures = 0;
    this.listeners = new AbortController();
    const { signal } = this.listeners;
    this.poll = setInterval(() => document.hidden || this.refetchPending(), POLL_MS);
    window.addEventListener("online", () => this.hurry(), { signal });
    document.addEventListener("visibilitychange", () => document.hidden || this.hurry(), { signal });
    this.connect();
  }

  disconnectedCallback() {
    this.listeners.abort();
    clearInterval(this.poll);
    clearTimeout(this.retry);
    clearTimeout(this.feed);
    clearTimeout(this.steady);
    this.socket.onclose = null;
    this.socket.close();
  }

  connect() {
    clearTimeout(this.retry);
    const url = new URL(this.getAttribute("src"), location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(url);
    this.socket.onopen = () => {
      // The server refuses on an open socket: only one that stays is a success.
      this.steady = setTimeout(() => { this.failures = 0; }, STEADY_MS);
      this.dataset.state = "open";
      this.refetchPending();
      this.refetchFeeds();
    };
    this.socket.onmessage = (event) => this.receive(JSON.parse(event.data));
    this.socket.onclose = () => {
      clearTimeout(this.steady);
      this.dataset.state = "lost";
      const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.failures);
      this.failures += 1;
      // Jitter: after a restart not every page comes back in the same instant.
      this.retry = setTimeout(() => this.connect(), wait * (0.5 + Math.random() / 2));
    };
  }

  /* Back online or looked at again: don't sit out the wait. */
  hurry() {
    this.refetchPending();
    if (this.socket.readyState === WebSocket.CLOSED) this.connect();
  }

  receive(hint) {
    document.dispatchEvent(new CustomEvent("kalas:hint", { detail: hint }));
    const { type, id, state } = hint;
    if (type !== "annotation") return;
    const selector = `[data-live="${CSS.escape(id)}"]`;
    if (state === "gone") document.querySelectorAll(selector).forEach((element) => element.remove());
    else fire(selector);
    this.refetchFeeds();
  }

  refetchPending() {
    fire("[data-live][data-pending]");
  }

  refetchFeeds() {
    clearTimeout(this.feed);
    this.feed = setTimeout(() => fire("[data-live-feed]"), FEED_PAUSE_MS);
  }
}

function fire(selector) {
  for (const element of document.querySelectorAll(selector)) window.htmx.trigger(element, "kalas:live");
}

customElements.define("kalas-live", KalasLive);
