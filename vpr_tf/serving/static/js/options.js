// The options of a request, as the page's fields say them.

import { byId } from "./dom.js";
import { metres } from "./words.js";

const FIELDS = ["near", "radius", "exif", "heading", "confidence", "drive", "between"];
// What a drive is not asked with: its photos look where they like, and are not looked
// for one by one.
const ALONE = ["exif", "heading"];

// A field cannot be read.
export class OptionProblem extends Error {}

export class Options {
  // map: a PlaceMap; changed: called after each change that can be read.
  constructor(map, changed) {
    this.map = map;
    this.changed = changed;
    // A photo is searched in one circle: a place, or around its own position.
    byId("exif").addEventListener("input", () => { if (byId("exif").checked) byId("near").value = ""; });
    byId("near").addEventListener("input", () => { if (byId("near").value.trim()) byId("exif").checked = false; });
    for (const id of FIELDS) byId(id).addEventListener("input", () => this.#update());
    byId("pick-near").addEventListener("click", () => this.#pick(!this.map.picking));
    byId("centre-near").addEventListener("click", () => this.#search(map.centre));
    byId("clear-near").addEventListener("click", () => this.#clear());
  }

  // Stops to wait for a click on the map; returns whether it did.
  stopPicking() {
    if (!this.map.picking) return false;
    this.#pick(false);
    byId("pick-near").focus();
    return true;
  }

  #pick(wanted) {
    this.map.pickPlace(wanted ? (place) => {
      this.#search(place);
      this.#pick(false);
    } : null);
    byId("pick-near").setAttribute("aria-pressed", String(wanted));
    byId("map-said").hidden = !wanted;
    byId("map-said").textContent = "Click on the place to search near. Escape to leave.";
  }

  #search({ latitude, longitude }) {
    byId("exif").checked = false;
    byId("near").value = `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`;
    this.#update();
  }

  #clear() {
    byId("near").value = "";
    this.#update();
    byId("near").focus();
  }

  #update() {
    for (const id of FIELDS) byId(id).removeAttribute("aria-invalid");
    for (const id of ALONE) byId(id).disabled = this.isDrive;
    byId("between").disabled = !this.isDrive;
    byId("clear-near").hidden = byId("near").value.trim() === "";
    let said = "";
    try {
      const fields = this.fields();
      this.map.showNear(near());
      said = inWords(fields, this.isDrive);
    } catch (error) {
      if (!(error instanceof OptionProblem)) throw error;
      said = error.message;
      this.map.showNear(null);
    }
    byId("options-said").textContent = said;
    this.changed();
  }

  // Whether the photos are those of one camera.
  get isDrive() {
    return byId("drive").checked;
  }

  // Returns the fields of a request; raises OptionProblem where one cannot be read.
  fields() {
    const circle = near();
    const fields = {};
    if (circle) fields.within = `${circle.latitude},${circle.longitude},${circle.radius_m}`;
    if (byId("exif").checked && !this.isDrive) fields.exif_radius_m = number("radius", "The radius");
    const heading_deg = number("heading", "Where the photo looks to");
    if (heading_deg !== null && !this.isDrive) fields.heading_deg = heading_deg % 360;
    const least = number("confidence", "The least confidence");
    if (least !== null) fields.min_confidence = least;
    const between = this.isDrive ? number("between", "The seconds from one photo to the next") : null;
    if (between !== null) fields.seconds_between = between;
    return fields;
  }
}

function near() {
  const field = byId("near");
  const text = field.value.trim();
  if (!text) return null;
  const parts = text.split(/[\s,;]+/).map(Number);
  const [latitude, longitude] = parts;
  if (parts.length !== 2 || !(Math.abs(latitude) <= 90) || !(Math.abs(longitude) <= 180)) {
    field.setAttribute("aria-invalid", "true");
    throw new OptionProblem("The place must be a latitude and a longitude, such as 37.7051, -122.3941.");
  }
  return { latitude, longitude, radius_m: number("radius", "The radius") };
}

function number(id, what) {
  const field = byId(id);
  const value = field.valueAsNumber;
  if (field.value === "" && field.validity.valid && id !== "radius") return null;
  if (!field.validity.valid || Number.isNaN(value)) {
    field.setAttribute("aria-invalid", "true");
    throw new OptionProblem(`${what} must be a number from ${field.min} to ${field.max}.`);
  }
  return value;
}

function inWords(fields, isDrive) {
  const parts = isDrive ? ["one drive"] : [];
  if (fields.within) parts.push(`within ${metres(Number(fields.within.split(",")[2]))} of a place`);
  if (fields.exif_radius_m !== undefined) parts.push(`within ${metres(fields.exif_radius_m)} of the photo's own position`);
  if (fields.heading_deg !== undefined) parts.push(`looks to ${fields.heading_deg}°`);
  if (fields.min_confidence !== undefined) parts.push(`confidence of ${fields.min_confidence} or more`);
  return parts.length ? `— ${parts.join(", ")}` : "";
}
