// The map of localized photos: position, accuracy, heading, and what it rests on.

import { baseMap, showBounds, showStreets } from "./base_map.js";
import { element, svg } from "./dom.js";
import { awayInWords, hasPosition, year } from "./words.js";

const WEDGE_DEG = 56;
const WEDGE_PX = 64;

const latLng = (place) => [place.latitude, place.longitude];

export class PlaceMap {
  // page: the answer of v1/page; choose: called with a photo, pick: with a match's number.
  constructor(container, page, { choose, pick }) {
    this.map = baseMap(container, page);
    this.choose = choose;
    this.pick = pick;
    this.track = window.L.layerGroup().addTo(this.map);
    this.others = window.L.layerGroup().addTo(this.map);
    this.found = window.L.layerGroup().addTo(this.map);
    this.near = window.L.layerGroup().addTo(this.map);
    this.picking = null;
    this.map.on("click", ({ latlng }) => this.#picked(latlng.wrap()));
  }

  // Shows an index whole; its streets, unless they are null.
  showIndex(index, streets) {
    this.hideStreets?.();
    this.hideStreets = streets ? showStreets(this.map, streets, index) : null;
    this.bounds = index.bounds;
    this.showAll();
  }

  showAll() {
    if (this.bounds) showBounds(this.map, this.bounds);
  }

  // Shows the chosen photo whole, the others as points.
  show(photos, chosen, chosenMatch) {
    this.others.clearLayers();
    this.found.clearLayers();
    for (const photo of photos) {
      if (photo !== chosen && photo.localization && hasPosition(photo.localization)) this.#addOther(photo);
    }
    const found = chosen?.localization;
    if (found && hasPosition(found)) this.#addFound(found, chosenMatch);
  }

  // Shows the lines of a drive; null for none.
  showTrack(track) {
    this.track.clearLayers();
    for (const segment of track?.segments ?? []) {
      const line = segment.map(({ localization }) => latLng(localization));
      window.L.polyline(line, { interactive: false, className: "track-casing" }).addTo(this.track);
      window.L.polyline(line, { interactive: false, className: "track-line" }).addTo(this.track);
    }
  }

  #addOther(photo) {
    const found = photo.localization;
    window.L.circleMarker(latLng(found), {
      radius: 6, className: `other-photo ${found.status === "localized" ? "" : "unsure"}`,
    }).bindTooltip(element("span", {}, photo.name))
      .on("click", () => this.choose(photo)).addTo(this.others);
  }

  #addFound(found, chosenMatch) {
    const { L } = window;
    const unsure = found.status !== "localized";
    if (found.accuracy_radius_m !== null) {
      L.circle(latLng(found), {
        radius: found.accuracy_radius_m, interactive: false, className: `accuracy ${unsure ? "unsure" : ""}`,
      }).addTo(this.found);
    }
    found.matches.forEach((match, number) => {
      if (hasPosition(match)) this.#addMatch(found, match, number, number === chosenMatch, unsure);
    });
    L.marker(latLng(found), {
      icon: hereIcon(found.heading_deg, unsure), interactive: false, keyboard: false, zIndexOffset: 1000,
    }).addTo(this.found);
  }

  #addMatch(found, match, number, isChosen, unsure) {
    const { L } = window;
    const names = `${isChosen ? "chosen" : ""} ${unsure ? "unsure-match" : ""}`;
    L.polyline([latLng(found), latLng(match)], { interactive: false, className: `to-match ${names}` }).addTo(this.found);
    const words = [awayInWords(found, match), year(match.timestamp)].filter(Boolean).join(", ");
    L.circleMarker(latLng(match), { radius: isChosen ? 7 : 5, className: `match-point ${names}` })
      .bindTooltip(element("span", {}, `Photo ${number + 1}: ${words}`))
      .on("click", () => this.pick(number)).addTo(this.found);
  }

  // Moves the map to a localization.
  fit(found) {
    if (!found || !hasPosition(found)) return;
    const { L } = window;
    const bounds = L.latLng(latLng(found)).toBounds(2 * Math.max(12, found.accuracy_radius_m ?? 0));
    for (const match of found.matches) if (hasPosition(match)) bounds.extend(latLng(match));
    this.map.fitBounds(bounds, { padding: [48, 48], maxZoom: 18.5, animate: false });
  }

  // Moves the map to a track.
  fitTrack({ segments }) {
    const points = segments.flat().map(({ localization }) => latLng(localization));
    if (points.length) this.map.fitBounds(points, { padding: [48, 48], maxZoom: 18.5, animate: false });
  }

  // Shows the circle that is searched; null for everywhere.
  showNear(circle) {
    this.near.clearLayers();
    if (circle) {
      window.L.circle(latLng(circle), {
        radius: circle.radius_m, interactive: false, className: "near-circle",
      }).addTo(this.near);
    }
  }

  // The next click on the map is given to a function; null to not wait for one.
  pickPlace(picked) {
    this.picking = picked;
    this.map.getContainer().classList.toggle("picking", picked !== null);
  }

  #picked({ lat, lng }) {
    const picked = this.picking;
    if (picked) picked({ latitude: lat, longitude: lng });
  }

  get centre() {
    const { lat, lng } = this.map.getCenter().wrap();
    return { latitude: lat, longitude: lng };
  }
}

function hereIcon(heading_deg, unsure) {
  const drawing = svg("svg", { width: 24, height: 24, viewBox: "-12 -12 24 24", "aria-hidden": "true" });
  if (heading_deg !== null) {
    const half = (WEDGE_DEG / 2) * (Math.PI / 180);
    const [x, y] = [WEDGE_PX * Math.sin(half), -WEDGE_PX * Math.cos(half)];
    drawing.append(svg("path", {
      class: "wedge", transform: `rotate(${heading_deg})`,
      d: `M0 0L${-x} ${y}A${WEDGE_PX} ${WEDGE_PX} 0 0 1 ${x} ${y}Z`,
    }));
  }
  drawing.append(svg("circle", { class: "ring", r: 11 }), svg("circle", { class: "dot", r: 7.5 }));
  return window.L.divIcon({
    html: drawing, className: `here ${unsure ? "unsure" : ""}`, iconSize: [24, 24], iconAnchor: [12, 12],
  });
}
