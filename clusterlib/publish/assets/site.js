// What a page can do besides being read: light or dark, a language switch that keeps the place, search.
(() => {
  "use strict";
  const root = document.documentElement;
  const store = {
    get: () => { try { return localStorage.getItem("theme"); } catch { return null; } },
    set: (theme) => { try { localStorage.setItem("theme", theme); } catch { /* kept for this page only */ } },
  };
  if (store.get()) root.dataset.theme = store.get();

  function themeButton(button) {
    const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
    const show = () => button.setAttribute("aria-pressed", String(dark()));
    button.hidden = false;
    show();
    button.addEventListener("click", () => {
      root.dataset.theme = dark() ? "light" : "dark";
      store.set(root.dataset.theme);
      show();
    });
  }

  // Sections, results and cells of code are named alike in both languages.
  function placeInView() {
    const named = document.querySelectorAll('main h2[id], main [id^="result-"], main .code[id]');
    let last = "";
    for (const one of named) {
      if (one.getBoundingClientRect().top > 120) break;
      last = one.id;
    }
    return scrollY > 60 ? last : "";
  }

  function keepPlace(link) {
    const to = link.getAttribute("href");
    const set = () => { const id = placeInView(); link.setAttribute("href", id ? `${to}#${id}` : to); };
    for (const event of ["pointerdown", "focus", "click"]) link.addEventListener(event, set);
  }

  // The index is a script that calls back, since a page opened from a folder may not read files.
  let index = null;
  function loadIndex(then) {
    if (index) return then();
    window.clusterlibSearch = (pages) => { index = pages; then(); };
    if (document.getElementById("search-index")) return undefined;
    const script = document.createElement("script");
    script.id = "search-index";
    script.src = `${document.body.dataset.up}assets/search.${root.lang.slice(0, 2)}.js`;
    document.head.append(script);
    return undefined;
  }

  function find(query) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const found = [];
    for (const [file, title, sections] of index) {
      const name = title.toLowerCase();
      const hits = [];
      let score = words.every((word) => name.includes(word)) ? 100 : 0;
      for (const [anchor, heading, text] of sections) {
        const whole = `${title} ${heading} ${text}`.toLowerCase();
        // Not for the title alone: a section that says nothing of it is no hit.
        const own = `${heading} ${text}`.toLowerCase();
        if (words.every((word) => whole.includes(word)) && words.some((word) => own.includes(word))) {
          hits.push([anchor, heading, snippet(text, words)]);
          score += words.every((word) => heading.toLowerCase().includes(word)) ? 10 : 1;
        }
      }
      if (hits.length || score) found.push({ file, title, hits, score });
    }
    return found.sort((a, b) => b.score - a.score);
  }

  function snippet(text, words) {
    const low = text.toLowerCase();
    const at = Math.min(...words.map((word) => low.indexOf(word)).filter((place) => place >= 0));
    if (!Number.isFinite(at)) return text.slice(0, 120);
    const start = Math.max(0, at - 40);
    return (start ? "…" : "") + text.slice(start, at + 100) + (text.length > at + 100 ? "…" : "");
  }

  // Text is set as text: nothing that was found becomes markup.
  function marked(element, text, words) {
    const low = text.toLowerCase();
    let place = 0;
    while (place < text.length) {
      const next = words.map((word) => [low.indexOf(word, place), word.length]).filter(([at]) => at >= 0);
      if (!next.length) break;
      const [at, long] = next.reduce((a, b) => (b[0] < a[0] ? b : a));
      const mark = document.createElement("mark");
      mark.textContent = text.slice(at, at + long);
      element.append(text.slice(place, at), mark);
      place = at + long;
    }
    element.append(text.slice(place));
  }

  function show(panel, query) {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    const found = find(query);
    const hits = panel.querySelector(".hits");
    hits.replaceChildren();
    panel.hidden = !words.length;
    panel.querySelector(".count").textContent = found.length ? `${found.length} ${panel.dataset.some}` : panel.dataset.none;
    for (const page of found.slice(0, 30)) {
      const head = document.createElement("h2");
      const list = document.createElement("ul");
      head.append(link(page.file, page.title, words));
      for (const [anchor, heading, text] of page.hits.slice(0, 4)) {
        const item = document.createElement("li");
        if (heading) item.append(link(`${page.file}#${anchor}`, heading, words), " ");
        marked(item, text, words);
        list.append(item);
      }
      hits.append(head, list);
    }
  }

  function link(to, text, words) {
    const made = document.createElement("a");
    made.href = document.body.dataset.up + to;
    marked(made, text, words);
    return made;
  }

  function searchBox(form, panel) {
    const box = form.querySelector("input");
    const look = () => loadIndex(() => show(panel, box.value));
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      panel.querySelector("a")?.focus();
    });
    box.addEventListener("focus", () => loadIndex(() => {}), { once: true });
    box.addEventListener("input", look);
    addEventListener("keydown", (event) => {
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
      if (event.key === "/" && !typing) {
        event.preventDefault();
        box.focus();
      } else if (event.key === "Escape" && !panel.hidden) {
        panel.hidden = true;
        box.focus();
      } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        const stops = [box, ...panel.querySelectorAll("a")];
        const at = stops.indexOf(document.activeElement);
        if (panel.hidden || at < 0) return;
        event.preventDefault();
        stops[Math.max(0, Math.min(stops.length - 1, at + (event.key === "ArrowDown" ? 1 : -1)))].focus();
      }
    });
  }

  addEventListener("DOMContentLoaded", () => {
    const menu = document.getElementById("menu");
    const here = menu.querySelector("[aria-current]");
    if (here) menu.scrollTop = here.offsetTop - menu.clientHeight / 2;
    themeButton(document.querySelector("button.theme"));
    keepPlace(document.querySelector("a.language"));
    searchBox(document.querySelector("form.search"), document.getElementById("found"));
  });
})();
