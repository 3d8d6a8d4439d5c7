"use strict";
// The page is complete without this: it adds themes, sorting, and moving about a map.

const root = document.documentElement;
const place = document.querySelector("nav li:last-child");
if (place) {
  const button = document.createElement("button");
  const isDark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const label = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.onclick = () => { root.dataset.theme = isDark() ? "light" : "dark"; label(); };
  label();
  place.append(button);
}

const quantity = (cell) => {
  const text = cell.textContent.replace(/,/g, "");
  const value = parseFloat(text);
  return text.includes(" km") ? value * 1000 : value;
};
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const sort = () => {
      const up = head.getAttribute("aria-sort") === "descending";
      const body = table.tBodies[0];
      const isText = head.classList.contains("text");
      const value = (row) => isText
        ? row.cells[column].textContent
        : quantity(row.cells[column]);
      const rows = [...body.rows].map((row) => [value(row), row]);
      rows.sort(([a], [b]) => {
        if (isText) return up ? a.localeCompare(b) : b.localeCompare(a);
        if (isNaN(a) || isNaN(b)) return isNaN(a) - isNaN(b);
        return up ? a - b : b - a;
      });
      body.append(...rows.map(([, row]) => row));
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
    };
    head.tabIndex = 0;
    head.onclick = sort;
    head.onkeydown = (event) => { if (event.key === "Enter") sort(); };
  });
}

for (const figure of document.querySelectorAll("figure.map")) {
  const frame = figure.querySelector(".frame");
  const svg = frame.querySelector("svg");
  const world = svg.querySelector(".world");
  const bar = frame.querySelector(".scale");
  const pointed = figure.querySelector(".pointed");
  const { width, height } = svg.viewBox.baseVal;
  let scale = 1, left = 0, top = 0;

  const show = () => {
    left = Math.min(0, Math.max(width * (1 - scale), left));
    top = Math.min(0, Math.max(height * (1 - scale), top));
    world.setAttribute("transform", `translate(${left} ${top}) scale(${scale})`);
    const across = svg.dataset.metres * width / scale;
    const power = 10 ** Math.floor(Math.log10(across * 0.22));
    const metres = [5, 2, 1].find((n) => n * power <= across * 0.22) * power;
    bar.style.width = `${100 * metres / across}%`;
    bar.firstChild.textContent = metres < 1000
      ? `${+metres.toPrecision(1)} m`
      : `${metres / 1000} km`;
  };
  const zoom = (factor, x = width / 2, y = height / 2) => {
    const next = Math.min(64, Math.max(1, scale * factor));
    left = x - (x - left) * next / scale;
    top = y - (y - top) * next / scale;
    scale = next;
    show();
  };
  const units = (event) => {
    const box = svg.getBoundingClientRect();
    return [
      (event.clientX - box.left) * width / box.width,
      (event.clientY - box.top) * height / box.height,
    ];
  };

  const buttons = document.createElement("div");
  buttons.className = "zoom";
  for (const [text, label, act] of [
    ["+", "Zoom in", () => zoom(1.6)],
    ["−", "Zoom out", () => zoom(1 / 1.6)],
    ["Whole map", "Whole map", () => zoom(0)],
  ]) {
    const button = document.createElement("button");
    button.textContent = text;
    button.setAttribute("aria-label", label);
    button.onclick = act;
    buttons.append(button);
  }
  frame.append(buttons);

  // The wheel scrolls the page until the map was clicked.
  svg.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && document.activeElement !== svg) return;
    event.preventDefault();
    zoom(event.deltaY < 0 ? 1.25 : 0.8, ...units(event));
  }, { passive: false });
  let grip = null;
  svg.onpointerdown = (event) => {
    grip = units(event);
    svg.setPointerCapture(event.pointerId);
  };
  svg.onpointermove = (event) => {
    if (!grip) return;
    const [x, y] = units(event);
    left += x - grip[0];
    top += y - grip[1];
    grip = [x, y];
    show();
  };
  svg.onpointerup = svg.onpointercancel = () => { grip = null; };
  svg.onkeydown = (event) => {
    if (event.key === "+") zoom(1.6);
    if (event.key === "-") zoom(1 / 1.6);
  };
  svg.onpointerover = (event) => {
    const query = event.target.closest(".q");
    if (query) pointed.textContent = query.querySelector("title").textContent;
  };
}
