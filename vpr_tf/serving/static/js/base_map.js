// A Leaflet map with tiles or streets, scale and north: the ground of both pages.

import { element, svg } from "./dom.js";
import { streetsLayer } from "./streets.js";
import { creditOf } from "./words.js";

const MAX_ZOOM = 20;

// Makes a map; `page` is the answer of v1/page.
export function baseMap(container, page) {
  const { L } = window;
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const map = L.map(container, {
    maxZoom: MAX_ZOOM, zoomSnap: 0.5, attributionControl: false,
    zoomAnimation: !still, fadeAnimation: !still, markerZoomAnimation: !still, inertia: !still,
  });
  map.setView([0, 0], 2);
  L.control.scale({ imperial: false, maxWidth: 140 }).addTo(map);
  addNorth(map);
  if (page.tiles) addTiles(map, page);
  return map;
}

function addNorth(map) {
  const north = new window.L.Control({ position: "topright" });
  north.onAdd = () => svg("svg", { class: "north", viewBox: "0 0 34 46", role: "img", "aria-label": "North is up" },
    svg("text", { x: 17, y: 13 }, "N"), svg("path", { d: "M17 17 25 42 17 36 9 42Z" }));
  north.addTo(map);
}

function addTiles(map, { tiles, tiles_attribution }) {
  const { L } = window;
  // Servers of tiles want to know who asks; more than the origin does not leave the page.
  L.tileLayer(tiles, { maxZoom: MAX_ZOOM, maxNativeZoom: 19, referrerPolicy: "origin" }).addTo(map);
  map.getPane("tilePane").classList.add("with-tiles");
  if (tiles_attribution) addCredit(map, tiles_attribution);
}

// Says on the map whom it is from.
function addCredit(map, text) {
  const control = new window.L.Control({ position: "bottomright" });
  control.onAdd = () => element("div", { className: "leaflet-control-attribution" }, ...withLinks(text));
  return control.addTo(map);
}

// Addresses in a text become links.
function withLinks(text) {
  return text.split(/(https?:\/\/[^\s<>"]+)/).map((part, number) =>
    number % 2 ? element("a", { href: part, rel: "noreferrer", target: "_blank" }, part) : part);
}

// Shows streets of the photos of an index; returns what takes them away again.
export function showStreets(map, streets, index) {
  const shown = [streetsLayer(streets).addTo(map)];
  const credit = creditOf(index);
  if (credit) shown.push(addCredit(map, `Photos: ${credit}`));
  return () => shown.forEach((one) => one.remove());
}

// Moves the map to [west, south, east, north].
export function showBounds(map, bounds) {
  const [west, south, east, north] = bounds;
  const eastOfWest = east < west ? east + 360 : east;
  map.fitBounds([[south, west], [north, eastOfWest]], { padding: [24, 24], maxZoom: 17, animate: false });
}
