// The photos of the page, one row each; arrow keys choose.

import { element } from "./dom.js";
import { picture } from "./result.js";
import { metres } from "./words.js";

export class PhotoList {
  // choose: called with the photo of the row that is chosen.
  constructor(container, choose) {
    this.container = container;
    this.choose = choose;
    this.photos = [];
    this.rows = new Map();
    container.addEventListener("keydown", (event) => this.#move(event));
  }

  // Shows photos, one of them chosen.
  show(photos, chosen) {
    for (const photo of this.rows.keys()) if (!photos.includes(photo)) this.rows.delete(photo);
    for (const photo of photos) if (!this.rows.has(photo)) this.rows.set(photo, this.#row(photo));
    if (this.photos.length !== photos.length || photos.some((photo, at) => photo !== this.photos[at])) {
      this.container.replaceChildren(...photos.map((photo) => this.rows.get(photo)));
    }
    photos.forEach((photo, number) => this.#update(photo, number, photo === chosen));
    const moved = this.chosen !== chosen;
    this.photos = [...photos];
    this.chosen = chosen;
    const row = this.rows.get(chosen);
    if (row) this.container.setAttribute("aria-activedescendant", row.id);
    else this.container.removeAttribute("aria-activedescendant");
    if (row && moved) scrollWithin(this.container, row);
  }

  #row(photo) {
    const row = element("div", { role: "option", onclick: () => this.choose(photo) },
      picture("small", "", (image) => { image.src = photo.url; }),
      element("span", { className: "title" }, photo.name),
      element("span", { className: "state" }));
    return row;
  }

  #update(photo, number, isChosen) {
    const row = this.rows.get(photo);
    row.id = `photo-${number}`;
    row.setAttribute("aria-selected", String(isChosen));
    const unsure = photo.state === "answered" && photo.localization.status !== "localized";
    row.className = `item ${photo.state === "refused" ? "failed" : ""} ${unsure ? "unsure" : ""}`;
    row.lastElementChild.replaceChildren(...shortState(photo));
  }

  #move(event) {
    const at = this.photos.indexOf(this.chosen);
    const last = this.photos.length - 1;
    const wanted = { ArrowDown: Math.min(at + 1, last), ArrowUp: Math.max(at - 1, 0), Home: 0, End: last }[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    this.choose(this.photos[wanted]);
  }
}

function shortState(photo) {
  if (photo.state === "refused") return ["not localized"];
  if (photo.state === "busy") return [`busy, ${photo.seconds} s`];
  if (photo.state !== "answered") return ["…"];
  const { status, accuracy_radius_m, confidence } = photo.localization;
  if (status === "outside") return ["outside"];
  const sure = confidence === null ? "" : ` · ${confidence.toFixed(2)}`;
  if (status === "withheld") return [`withheld${sure}`];
  return [element("b", {}, accuracy_radius_m === null ? "found" : metres(accuracy_radius_m)), sure];
}

// Scrolls the list alone, not the page.
function scrollWithin(container, row) {
  const top = row.offsetTop - container.offsetTop;
  if (top < container.scrollTop) container.scrollTop = top;
  else if (top + row.offsetHeight > container.scrollTop + container.clientHeight) {
    container.scrollTop = top + row.offsetHeight - container.clientHeight;
  }
}
