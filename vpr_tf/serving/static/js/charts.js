// The charts of the page about an index, drawn as SVG; each has its numbers as a table.

import { element, svg } from "./dom.js";
import { count } from "./words.js";

const WIDTH = 480;
const HEIGHT = 200;
const LEFT = 42;
const BOTTOM = 26;
const TOP = 10;

// Returns bars of the photos of each year; years without photos are gaps.
export function yearBars(years) {
  const numbers = Object.keys(years).map(Number).sort((one, other) => one - other);
  const [first, last] = [numbers[0], numbers.at(-1)];
  const span = last - first + 1;
  const most = Math.max(...Object.values(years));
  const step = (WIDTH - LEFT) / span;
  const height = HEIGHT - BOTTOM - TOP;
  const chart = frame(`Photos by year, ${first} to ${last}`);
  for (const value of ticks(most)) {
    const y = HEIGHT - BOTTOM - (height * value) / most;
    chart.append(line("grid", LEFT, y, WIDTH, y), label(LEFT - 6, y + 4, count(value), "end"));
  }
  const every = Math.ceil(span / 10);
  for (let year = first; year <= last; year += 1) {
    const x = LEFT + (year - first) * step;
    const tall = (height * (years[year] ?? 0)) / most;
    const width = Math.min(Math.max(1, step * 0.74), 44);
    const middle = x + step / 2;
    chart.append(svg("rect", { class: "bar", x: middle - width / 2, y: HEIGHT - BOTTOM - tall, width, height: tall, rx: Math.min(2, width / 4) }));
    if ((last - year) % every === 0) chart.append(label(middle, HEIGHT - 8, String(year), "middle"));
  }
  chart.append(line("axis", LEFT, HEIGHT - BOTTOM, WIDTH, HEIGHT - BOTTOM));
  return [chart, table(["Year", "Photos"], numbers.map((year) => [year, count(years[year])]))];
}

// Returns promised confidence against what was right, of queries held out.
export function reliabilityDiagram(bins, leastConfidence) {
  const size = 300;
  const inner = size - LEFT - TOP - 14;
  const x = (share) => LEFT + share * inner;
  const y = (share) => TOP + (1 - share) * inner;
  const chart = frame("Share of right positions against confidence", size + 8, size);
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    chart.append(
      line("grid", x(0), y(share), x(1), y(share)), line("grid", x(share), y(0), x(share), y(1)),
      label(LEFT - 6, y(share) + 4, String(share), "end"), label(x(share), y(0) + 17, String(share), "middle"));
  }
  chart.append(line("ideal", x(0), y(0), x(1), y(1)));
  chart.append(line("least", x(leastConfidence), y(0), x(leastConfidence), y(1)));
  chart.append(label(x(leastConfidence) - 5, y(0) - 8, "withheld below", "end", "least-text"));
  const sorted = [...bins].sort((one, other) => one.mean_confidence - other.mean_confidence);
  chart.append(svg("polyline", { class: "curve", points: sorted.map((bin) => `${x(bin.mean_confidence)},${y(bin.precision)}`).join(" ") }));
  const most = Math.max(...bins.map((bin) => bin.num_queries));
  for (const bin of sorted) {
    chart.append(svg("circle", {
      class: "bin", cx: x(bin.mean_confidence), cy: y(bin.precision), r: 3 + 4 * Math.sqrt(bin.num_queries / most),
    }));
  }
  chart.append(label(x(0.5), y(0) + 34, "confidence", "middle"), label(x(0) + 6, y(1) + 15, "share right", "start"));
  chart.classList.add("square");
  const rows = sorted.map((bin) => [bin.mean_confidence.toFixed(2), count(bin.num_queries), bin.precision.toFixed(2)]);
  return [chart, table(["Confidence", "Queries", "Right"], rows)];
}

function frame(title, width = WIDTH, height = HEIGHT) {
  return svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
}

const line = (name, x1, y1, x2, y2) => svg("line", { class: name, x1, y1, x2, y2 });

const label = (x, y, text, anchor, name = "") => svg("text", { x, y, "text-anchor": anchor, class: name }, text);

// Returns up to five round numbers up to the largest.
function ticks(most) {
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
  const step = Math.max(1, [1, 2, 5, 10].find((factor) => factor * power >= rough) * power);
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, number) => number * step);
}

function table(heads, rows) {
  return element("details", { className: "table" }, element("summary", {}, "As a table"),
    element("table", {},
      element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, String(cell))))))));
}
