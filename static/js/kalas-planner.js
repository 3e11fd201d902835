/* What a threshold would do, while its slider moves. `data-steps`: of each hundredth of confidence [values, expected right].
 *
 *   <kalas-planner data-steps="[[3, 0.1], …]"><input type="range" min="0" max="100"><output></output>
 *     <span data-published></span> <span data-right></span> <span data-review></span></kalas-planner>
 */

class KalasPlanner extends HTMLElement {
  connectedCallback() {
    this.steps = JSON.parse(this.dataset.steps);
    this.slider = this.querySelector("input[type=range]");
    this.percent = new Intl.NumberFormat(document.documentElement.lang, { style: "percent" });
    this.slider.addEventListener("input", () => this.show());
    this.show();
  }

  show() {
    const threshold = Number(this.slider.value);
    const sums = this.steps.reduce(([published, right, review], [values, expected], number) => (
      number >= threshold ? [published + values, right + expected, review] : [published, right, review + values]), [0, 0, 0]);
    const [published, right, review] = sums;
    const all = published + review;
    this.querySelector("output").textContent = this.percent.format(threshold / 100);
    this.querySelector("[data-published]").textContent = all ? this.percent.format(published / all) : "—";
    this.querySelector("[data-right]").textContent = published ? this.percent.format(right / published) : "—";
    this.querySelector("[data-review]").textContent = new Intl.NumberFormat(document.documentElement.lang).format(review);
  }
}

customElements.define("kalas-planner", KalasPlanner);
