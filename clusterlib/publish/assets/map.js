// Moves, zooms and reads the maps of a page; what a map shows stands in the table below it.
"use strict";
(() => {
  const page = document.getElementById("maps");
  const words = page.dataset;
  // Lengths of the scale bar in kilometres, which are the unit of the drawings.
  const BARS = [1000, 500, 200, 100, 50, 20, 10];
  const NARROWEST = 120;
  const STEP = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const between = (low, value, high) => Math.min(Math.max(value, low), high);

  function setUp(section) {
    const find = (what) => section.querySelector(what);
    const all = (what) => [...section.querySelectorAll(what)];
    const [map, view, pane, readout, table, places] = [".map", ".view", ".pane", ".readout", "table", ".places"].map(find);
    const slider = find("input[type=range]");
    const filters = all("select[data-column]");
    const heads = [...table.tHead.rows[0].cells];
    const rows = [...table.tBodies[0].rows];
    const marks = all(".view [data-u]");
    const circles = all(".circles circle");
    const boxes = all(".legend rect").map((rect) => rect.parentNode);
    const bar = [find(".bar path"), find(".bar text")];
    const whole = view.getAttribute("viewBox").split(" ").map(Number);
    const ratio = whole[3] / whole[2];
    const unitsOf = (node) => node.dataset.u.split(" ");
    let [x, y, width] = whole;
    let chosen = "";

    // The view

    function show(toX, toY, toWidth) {
      width = between(NARROWEST, toWidth, whole[2]);
      const height = width * ratio;
      // The middle stays over the country and the sea to its south.
      x = between(whole[0], toX + toWidth / 2, whole[0] + whole[2]) - width / 2;
      y = between(whole[1], toY + (toWidth * ratio) / 2, whole[1] + 1.35 * whole[3]) - height / 2;
      view.setAttribute("viewBox", [x, y, width, height].map((v) => v.toFixed(1)).join(" "));
      const scale = width / whole[2];
      circles.forEach((circle) => circle.setAttribute("r", (circle.dataset.size * scale).toFixed(2)));
      all("pattern").forEach((pattern) => pattern.setAttribute("patternTransform", `scale(${5 * scale})`));
      // Hatches have the same size in the legend.
      boxes.forEach((box) => box.setAttribute("viewBox", `0 0 ${130 * scale} ${70 * scale}`));
      const length = BARS.find((one) => one < width / 6);
      bar[0].setAttribute("d", bar[0].getAttribute("d").replace(/h[\d.]+/, `h${(length * map.viewBox.baseVal.width) / width}`));
      bar[1].textContent = `${length} ${words.km}`;
      // With all of China in view, a finger scrolls the page.
      pane.classList.toggle("near", scale < 1);
    }

    function zoom(factor, atX = x + width / 2, atY = y + (width * ratio) / 2) {
      const to = between(NARROWEST, width * factor, whole[2]);
      show(atX - ((atX - x) * to) / width, atY - ((atY - y) * to) / width, to);
    }

    function place(event) {
      const box = map.getBoundingClientRect();
      return [x + ((event.clientX - box.left) * width) / box.width, y + ((event.clientY - box.top) * width) / box.width];
    }

    // What is drawn and read

    function draw() {
      const open = rows.filter((row) => !row.hidden);
      const shown = new Set(open.map((row) => row.dataset.u));
      const count = {};
      open.flatMap(unitsOf).forEach((unit) => (count[unit] = (count[unit] || 0) + 1));
      circles.forEach((circle) => (circle.dataset.size = circle.parentNode.dataset.r * Math.sqrt(count[circle.dataset.u] || 0)));
      marks.filter((mark) => mark.tagName !== "circle").forEach((mark) => mark.classList.toggle("out", !shown.has(mark.dataset.u)));
      find("summary span").textContent = open.length < rows.length ? ` (${open.length})` : "";
      if (slider) drawYear(Number(slider.value));
      show(x, y, width);
      read(chosen);
    }

    function drawYear(column) {
      const steps = all(".classes:not([hidden]) [data-low]").reverse();
      const fills = {};
      rows.forEach((row) => {
        const value = parseFloat(row.cells[column].textContent);
        const box = steps.find((one) => Number(one.dataset.low) < value);
        fills[row.dataset.u] = (box || find(".legend li:last-child rect")).getAttribute("fill");
      });
      marks.forEach((mark) => mark.setAttribute("fill", fills[mark.dataset.u]));
      heads.forEach((head, k) => head.classList.toggle("shown", k === column));
      const year = heads[column].dataset.text;
      slider.setAttribute("aria-valuetext", year);
      slider.nextElementSibling.textContent = year;
    }

    function said(row) {
      const cell = (k) => row.cells[k].textContent;
      if (slider) return `${cell(slider.value)} (${heads[slider.value].dataset.text})`;
      if (table.dataset.said) return table.dataset.said.split(" ").map(cell).join(" · ");
      return heads.slice(1).map((head, k) => `${head.dataset.text} ${cell(k + 1)}`).join(", ");
    }

    function read(units) {
      const wanted = units ? units.split(" ") : [];
      const holds = (node) => wanted.length > 0 && wanted.every((unit) => unitsOf(node).includes(unit));
      marks.forEach((mark) => mark.classList.toggle("on", holds(mark)));
      const found = rows.filter((row) => !row.hidden && holds(row)).map(said);
      const more = found.length > 4 ? `; … ${found.length} ${words.rows}` : "";
      const name = [...places.options].find((option) => option.value === units && units);
      readout.textContent = (name ? `${name.textContent}: ` : "") + found.slice(0, 4).join("; ") + more;
    }

    // Pointer: one finger or the mouse moves, two fingers or the wheel zoom

    const down = new Map();
    const spread = () => {
      const [a, b] = [...down.values()];
      return Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
    };
    pane.addEventListener("pointerdown", (event) => down.set(event.pointerId, event));
    pane.addEventListener("pointermove", (event) => {
      const before = down.get(event.pointerId);
      if (!before) {
        const mark = event.target.closest("[data-u]");
        return read(mark ? mark.dataset.u : chosen);
      }
      const apart = down.size === 2 ? spread() : 0;
      const from = place(before);
      down.set(event.pointerId, event);
      const to = place(event);
      if (apart) zoom(apart / spread(), ...to);
      else {
        pane.setPointerCapture(event.pointerId);
        show(x + from[0] - to[0], y + from[1] - to[1], width);
      }
    });
    pane.addEventListener("click", (event) => {
      const mark = event.target.closest("[data-u]");
      if (mark) read(mark.dataset.u);
    });
    ["pointerup", "pointercancel", "pointerleave"].forEach((end) =>
      pane.addEventListener(end, (event) => {
        down.delete(event.pointerId);
        if (end === "pointerleave" && event.pointerType === "mouse") read(chosen);
      })
    );
    pane.addEventListener("wheel", (event) => {
      // A page that is scrolled past a map is not caught by it.
      if (!event.ctrlKey && document.activeElement !== pane) return;
      event.preventDefault();
      zoom(event.deltaY < 0 ? 0.83 : 1.2, ...place(event));
    }, { passive: false });

    // Keys, buttons, slider, filters, places

    pane.tabIndex = 0;
    pane.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const step = STEP[event.key];
      if (step) show(x + (step[0] * width) / 8, y + (step[1] * width) / 8, width);
      else if (event.key === "+" || event.key === "=") zoom(0.7);
      else if (event.key === "-") zoom(1.43);
      else if (event.key === "0") show(...whole);
      else return;
      event.preventDefault();
    });
    all("[data-zoom]").forEach((button) => button.addEventListener("click", () => zoom(Number(button.dataset.zoom))));
    all("[data-view]").forEach((button) =>
      button.addEventListener("click", () => show(...button.dataset.view.split(" ").map(Number)))
    );
    if (slider) slider.addEventListener("input", draw);
    filters.forEach((filter) => {
      const found = new Set(rows.map((row) => row.cells[filter.dataset.column].textContent));
      [words.all, ...found].forEach((text, k) => filter.add(new Option(text, k ? text : "")));
      filter.addEventListener("change", () => {
        const fits = (row) => filters.every((one) => !one.value || row.cells[one.dataset.column].textContent === one.value);
        rows.forEach((row) => (row.hidden = !fits(row)));
        draw();
      });
    });
    places.addEventListener("change", () => {
      chosen = places.value;
      read(chosen);
      const mark = marks.find((one) => one.dataset.u === chosen);
      if (!mark || width === whole[2]) return;
      const box = mark.getBBox();
      show(box.x + (box.width - width) / 2, box.y + (box.height - width * ratio) / 2, width);
    });

    // A click on a head sorts the table; what is no number comes last

    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.dataset.text = head.textContent;
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const key = (row) => row.cells[column].textContent;
        const numeric = rows.some((row) => !isNaN(Number(key(row))));
        const before = head.getAttribute("aria-sort") || (numeric ? "ascending" : "descending");
        const up = before === "descending" ? 1 : -1;
        heads.forEach((one) => one.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up > 0 ? "ascending" : "descending");
        const value = (row) => (isNaN(Number(key(row))) ? Infinity * up : Number(key(row)));
        const order = (a, b) => up * (numeric ? value(a) - value(b) || 0 : key(a).localeCompare(key(b), document.documentElement.lang));
        table.tBodies[0].append(...[...rows].sort(order));
      });
    });

    find(".controls").hidden = false;
    draw();
  }

  page.querySelectorAll(".atlas").forEach(setUp);
})();
