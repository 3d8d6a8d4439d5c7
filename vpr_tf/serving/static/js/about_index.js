// The page about an index.

import { RequestProblem, getJson, hasKey, indexPath } from "./api.js";
import { baseMap, showBounds, showStreets } from "./base_map.js";
import { reliabilityDiagram, yearBars } from "./charts.js";
import { byId, element, facts } from "./dom.js";
import { askForKey, hideBanner, onKey, showBanner } from "./key.js";
import { count, metres, percent, shareInWords } from "./words.js";

const NUM_CLASSES = 5;
const NAME = decodeURIComponent(window.location.pathname.split("/").filter(Boolean).at(-1));

function showFacts(index) {
  const years = Object.keys(index.years).sort();
  byId("headline").replaceChildren(...[
    ["photos", count(index.num_photos)],
    ["years", years.length ? [...new Set([years[0], years.at(-1)])].join("–") : null],
    ["of the nearest photos are found", index.recall_at_1 === null ? null : percent(index.recall_at_1)],
    ["confidence needed", index.calibration ? index.calibration.min_confidence.toFixed(2) : null],
  ].filter(([, value]) => value !== null).map((row) => element("div", {}, ...facts([row]))));
  byId("search").replaceChildren(...facts([
    ["Encoder", index.model],
    ["Descriptor", `${count(index.descriptor_dim)} values`],
    ["Search", `${index.search}, ${index.is_exact ? "finds every true neighbour" : "may miss neighbours"}`],
    ["Recall", index.recall_at_1 === null ? "not measured"
      : `${percent(index.recall_at_1)} of the nearest photos are found, against exact search`],
    ["Changes", count(index.generation)],
  ]));
  byId("quality").replaceChildren(...facts([
    ["Without position", index.num_without_position ? count(index.num_without_position) : "none"],
    ["Quality", ["Not known: an index keeps no findings of ", element("code", {}, "vpr photos check"), "."]],
    ["From", index.attribution ?? "not said"],
    ["Licence", index.licence ?? "not said"],
  ]));
}

function showYears(years) {
  byId("years").replaceChildren(...(Object.keys(years).length
    ? yearBars(years)
    : [element("p", { className: "note" }, "It is not known when the photos were taken.")]));
}

function showCalibration(calibration) {
  const note = (...texts) => element("p", { className: "note" }, ...texts);
  if (!calibration) {
    byId("calibration").replaceChildren(note(
      "The index is not calibrated: localizations have no confidence and no accuracy, and none is withheld. ",
      element("code", {}, "vpr index calibrate"), " does it."));
    return;
  }
  const { reliability } = calibration;
  const parts = [element("p", {},
    `Calibrated on ${count(calibration.num_queries)} queries of ${calibration.fitted_on}. Right is an error of at most ` +
    `${metres(calibration.threshold_m)}. Positions below a confidence of ${calibration.min_confidence.toFixed(2)} are withheld: ` +
    `${percent(calibration.coverage)} of these queries are localized, ${percent(calibration.precision)} of them right.`)];
  if (reliability) {
    parts.push(...reliabilityDiagram(reliability.bins, calibration.min_confidence), note(
      `Each point: photos of similar confidence that the calibration did not know. On the dashed line, what was promised is so. ` +
      `Mean distance from it ${percent(reliability.expected_calibration_error)}; ` +
      `${percent(reliability.share_within_expected_error)} of the positions lay within their accuracy, ` +
      `where ${shareInWords(calibration.error_quantile)} are promised.`));
  } else {
    parts.push(note("There were too few queries to try it on others than those it was fitted on."));
  }
  if (typeof calibration.outside_answered === "number") {
    parts.push(note(`Of photos of places that the index does not know, ${percent(calibration.outside_answered)} would be localized, wrongly.`));
  }
  byId("calibration").replaceChildren(...parts);
}

// Returns the least number of photos of each class, about equally many cells in each.
function classesOf(counts) {
  const sorted = [...counts].sort((one, other) => one - other);
  const bounds = Array.from({ length: NUM_CLASSES }, (_, number) => sorted[Math.floor((number * sorted.length) / NUM_CLASSES)]);
  return [...new Set(bounds)];
}

function showCoverage(map, coverage) {
  const { L } = window;
  const counts = coverage.features.map(({ properties }) => properties.photos).filter((photos) => photos > 0);
  const least = classesOf(counts);
  const shade = (number) => Math.round((number * (NUM_CLASSES - 1)) / Math.max(1, least.length - 1));
  const nameOf = ({ photos }) => photos ? `cell cell${shade(least.findLastIndex((bound) => photos >= bound))}` : "cell missing";
  L.geoJSON(coverage, {
    style: ({ properties }) => ({ className: nameOf(properties) }),
    onEachFeature: ({ properties }, layer) => layer.bindTooltip(element("span", {}, cellInWords(properties))),
  }).addTo(map);
  const { summary } = coverage;
  byId("coverage-said").textContent = `Cells of ${metres(summary.cell_size_m)}: ${count(summary.num_covered)} with photos ` +
    `(${summary.covered_km2.toLocaleString("en", { maximumSignificantDigits: 2 })} km²), ${count(summary.num_few)} with few, ` +
    `${count(summary.num_missing)} gaps in a line of photos` + (summary.old_before ? `, ${count(summary.num_old)} without a photo since ${summary.old_before}.` : ".");
  byId("legend").replaceChildren(
    ...least.map((bound, number) => legendRow(`cell${shade(number)}`, bound, least[number + 1])),
    ...(summary.num_missing ? [element("li", {}, element("span", { className: "swatch missing" }), "gap")] : []));
}

function legendRow(name, bound, next) {
  const text = next === undefined ? `${photosOf(bound)} or more` : next === bound + 1 ? photosOf(bound) : `${count(bound)} to ${count(next - 1)} photos`;
  return element("li", {}, element("span", { className: `swatch ${name}` }), text);
}

const photosOf = (number) => `${count(number)} ${number === 1 ? "photo" : "photos"}`;

function cellInWords({ photos, newest_year, oldest_year }) {
  if (!photos) return "A gap in a line of photos";
  const years = newest_year === null ? "" : `, ${oldest_year === newest_year ? newest_year : `${oldest_year}–${newest_year}`}`;
  return photosOf(photos) + years;
}

async function showMap(index, page) {
  if (!index.bounds) {
    byId("coverage-said").textContent = "No photo has a latitude and a longitude.";
    byId("map").hidden = true;
    return;
  }
  const map = baseMap(byId("map"), page);
  showBounds(map, index.bounds);
  if (!page.tiles) showStreets(map, await getJson(indexPath(NAME, "/streets")), index);
  byId("coverage-said").textContent = "The photos of each cell are being counted.";
  showCoverage(map, await getJson(`v1/coverage?index=${encodeURIComponent(NAME)}`));
}

async function open(page) {
  if (page.needs_key && !hasKey()) {
    askForKey();
    return;
  }
  try {
    const index = await getJson(indexPath(NAME));
    byId("key-form").hidden = true;
    hideBanner();
    byId("content").hidden = false;
    showFacts(index);
    showYears(index.years);
    showCalibration(index.calibration);
    await showMap(index, page);
  } catch (error) {
    if (!(error instanceof RequestProblem)) throw error;
    if (error.status === 401) askForKey(hasKey() ? error.message : "");
    else showBanner(error.message, () => window.location.reload());
  }
}

async function start() {
  byId("name").textContent = NAME;
  document.title = `Index ${NAME}`;
  try {
    const page = await getJson("v1/page");
    onKey(() => open(page));
    await open(page);
  } catch (error) {
    if (!(error instanceof RequestProblem)) throw error;
    showBanner(error.message, () => window.location.reload());
  }
}

start();
