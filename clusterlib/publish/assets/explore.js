// Ranks the units of the year that the map shows; it follows the map's slider and its list of places.
"use strict";
(() => {
  const page = document.getElementById("maps");
  const list = page.querySelector(".ranking ol");
  const slider = page.querySelector("input[type=range]");
  const places = page.querySelector(".places");
  const heads = [...page.querySelectorAll("thead th")];
  const rows = [...page.querySelectorAll("tbody tr")];
  const classes = [...page.querySelectorAll(".classes")];
  const fixed = page.querySelector(".fixed");
  const wanted = new Set(list.dataset.units.split(" "));

  function item(row, place, width, value) {
    const [entry, button, number, bar] = ["li", "button", "span", "i"].map((name) => document.createElement(name));
    entry.value = place;
    button.type = "button";
    button.dataset.u = row.dataset.u;
    number.textContent = row.cells[slider.value].textContent;
    bar.style.width = `${width}%`;
    bar.classList.toggle("below", value < 0);
    button.append(row.cells[0].textContent, number, bar);
    button.addEventListener("click", () => {
      places.value = places.value === row.dataset.u ? "" : row.dataset.u;
      places.dispatchEvent(new Event("change"));
    });
    entry.append(button);
    return entry;
  }

  function rank() {
    const figure = (row) => parseFloat(row.cells[slider.value].textContent);
    const ranked = rows.filter((row) => !isNaN(figure(row))).sort((a, b) => figure(b) - figure(a));
    const shown = ranked.filter((row) => wanted.has(row.dataset.u));
    const most = Math.max(...shown.map((row) => Math.abs(figure(row))));
    // Units of the same figure have the same place.
    const placeOf = (row) => 1 + ranked.findIndex((one) => figure(one) === figure(row));
    const widthOf = (row) => (most ? (100 * Math.abs(figure(row))) / most : 0);
    list.replaceChildren(...shown.map((row) => item(row, placeOf(row), widthOf(row), figure(row))));
    const counts = { year: heads[slider.value].dataset.text, shown: shown.length, all: ranked.length };
    page.querySelectorAll("[data-count]").forEach((node) => {
      node.textContent = node.dataset.count.replace(/\{(\w+)\}/g, (_, name) => counts[name]);
    });
    mark();
  }

  function mark() {
    list.querySelectorAll("button").forEach((one) => one.setAttribute("aria-pressed", one.dataset.u === places.value));
  }

  // Those of each year, and last those of all; known before the map is drawn with them.
  page.addEventListener("input", () => {
    const shown = fixed.checked ? classes.length - 1 : slider.value - 1;
    classes.forEach((one, k) => (one.hidden = k !== shown));
  }, true);
  fixed.addEventListener("input", () => slider.dispatchEvent(new Event("input")));
  slider.addEventListener("input", rank);
  places.addEventListener("change", mark);
  // A unit that is clicked on the map is the one chosen.
  page.querySelector(".pane").addEventListener("click", (event) => {
    const shape = event.target.closest("[data-u]");
    if (!shape) return;
    places.value = shape.dataset.u;
    mark();
  });
  rank();
  page.querySelector(`[data-view="${page.dataset.view}"]:is(button)`).click();
})();
