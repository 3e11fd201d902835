/* What the widget looks like. A page sets --kalas-accent, --kalas-on-accent, --kalas-radius and --kalas-font on
 * <kalas-similar>, styles ::part(open), and asks for a dark dialog by theme="dark" or theme="auto". */

export const TEMPLATE = `
<button type="button" data-part="open" part="open" aria-haspopup="dialog">
  <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M4 8V5a1 1 0 0 1 1-1h3M16 4h3a1 1 0 0 1 1 1v3M20 16v3a1 1 0 0 1-1 1h-3M8 20H5a1 1 0 0 1-1-1v-3"/><circle cx="11.5" cy="11.5" r="3.5"/><path d="m14.2 14.2 2.3 2.3"/></svg><span data-say="open"></span>
</button>
<dialog data-part="dialog" part="dialog" aria-labelledby="title">
  <div class="inside">
    <header><h2 id="title" data-say="title"></h2><button type="button" class="close"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M6 6l12 12M18 6 6 18"/></svg></button></header>
    <div class="line"><span class="spinner" data-part="spinner" hidden></span><p role="status" data-part="status"></p><button type="button" data-part="again" data-say="again" hidden></button></div>
    <ul data-part="results"></ul>
    <footer><button type="button" data-part="pick" data-say="pick"></button><input type="file" accept="image/*" data-part="file" hidden></footer>
  </div>
</dialog>`;

export const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
:host {
  --accent: var(--kalas-accent, #5443d6); --on-accent: var(--kalas-on-accent, #fff); --radius: var(--kalas-radius, 8px);
  --surface: #fff; --sunken: #f0f0f3; --ink: #16161b; --soft: #50505b; --line: #8a8a98;
  display: inline-block; font: 1rem/1.5 var(--kalas-font, inherit); color-scheme: light;
}
:host([hidden]) { display: none; }
:host([theme="dark"]) { --surface: #1a1a20; --sunken: #26262e; --ink: #f2f2f5; --soft: #b9b9c4; --line: #82828f; --accent: var(--kalas-accent, #b4a9ff); --on-accent: var(--kalas-on-accent, #16161b); color-scheme: dark; }
@media (prefers-color-scheme: dark) {
  :host([theme="auto"]) { --surface: #1a1a20; --sunken: #26262e; --ink: #f2f2f5; --soft: #b9b9c4; --line: #82828f; --accent: var(--kalas-accent, #b4a9ff); --on-accent: var(--kalas-on-accent, #16161b); color-scheme: dark; }
}
[hidden] { display: none !important; }
svg { width: 1.25rem; height: 1.25rem; flex: none; fill: none; stroke: currentcolor; stroke-width: 1.75; stroke-linecap: round; stroke-linejoin: round; }
button {
  display: inline-flex; align-items: center; justify-content: center; gap: .5rem; min-height: 2.75rem; padding: 0 1rem;
  border: 1px solid var(--line); border-radius: var(--radius); background: var(--surface); color: var(--ink);
  font: inherit; cursor: pointer;
}
button:hover { background: var(--sunken); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
[data-part="open"] { border-color: var(--accent); background: var(--accent); color: var(--on-accent); }
[data-part="open"]:hover { background: var(--accent); filter: brightness(.92); }
dialog {
  width: min(60rem, 100vw - 2rem); max-width: none; max-height: min(90dvh, 60rem); padding: 0; border: 0;
  border-radius: calc(var(--radius) * 1.5); background: var(--surface); color: var(--ink);
  box-shadow: 0 16px 48px rgb(22 22 40 / 24%);
}
dialog::backdrop { background: rgb(10 10 16 / 48%); }
.inside { display: flex; flex-direction: column; gap: 1rem; padding: 1rem 1.25rem 1.25rem; }
header { display: flex; align-items: center; justify-content: space-between; gap: 1rem; }
h2 { margin: 0; font: 600 1.25rem/1.3 inherit; font-size: 1.25rem; }
p { margin: 0; color: var(--soft); }
.close { min-width: 2.75rem; padding: 0; border-color: transparent; }
.line { display: flex; align-items: center; flex-wrap: wrap; gap: .75rem; min-height: 1.5rem; }
.spinner { width: 1.25rem; height: 1.25rem; border: 2px solid var(--sunken); border-top-color: var(--accent); border-radius: 50%; animation: turn .8s linear infinite; }
@keyframes turn { to { transform: rotate(1turn); } }
@media (prefers-reduced-motion: reduce) { .spinner { animation: none; } }
ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(9.5rem, 100%), 1fr)); gap: 1rem; margin: 0; padding: 0; list-style: none; }
ul:empty { display: none; }
li > * { display: flex; flex-direction: column; gap: .25rem; height: 100%; border-radius: var(--radius); color: inherit; text-decoration: none; }
li button { align-items: stretch; justify-content: flex-start; width: 100%; padding: 0; border: 0; background: none; text-align: start; }
li > :hover .title { text-decoration: underline; }
img { width: 100%; aspect-ratio: 3 / 4; object-fit: contain; border-radius: var(--radius); background: var(--sunken); }
.title { display: -webkit-box; overflow: hidden; -webkit-box-orient: vertical; -webkit-line-clamp: 2; font-size: .9375rem; line-height: 1.35; overflow-wrap: anywhere; }
.price { font-weight: 600; font-size: .9375rem; }
.note { color: var(--soft); font-size: .875rem; }
@media (max-width: 30rem) {
  dialog { width: 100vw; margin: auto 0 0; border-radius: calc(var(--radius) * 1.5) calc(var(--radius) * 1.5) 0 0; }
  ul { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .75rem; }
  footer button { width: 100%; }
}
`);
