// Numbers of an answer, in words.

const POINTS = ["north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west"];
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August",
  "September", "October", "November", "December"];
const SHARES = [[0.5, "half"], [0.667, "two of three"], [0.75, "three of four"], [0.8, "four of five"],
  [0.9, "nine of ten"], [0.95, "19 of 20"]];
const EARTH_RADIUS_M = 6371008.8;

export const count = (number) => number.toLocaleString("en");

export function metres(value) {
  if (value < 1000) return `${value < 10 ? Number(value.toFixed(1)) : Math.round(value)}\u00a0m`;
  return `${(value / 1000).toLocaleString("en", { maximumFractionDigits: value < 10000 ? 1 : 0 })}\u00a0km`;
}

export const percent = (share) => `${Number((100 * share).toFixed(1))}\u00a0%`;

// Returns a probability as a share of positions, e.g. "two of three".
export function shareInWords(probability) {
  const known = SHARES.find(([share]) => Math.abs(share - probability) < 0.015);
  return known ? known[1] : percent(probability);
}

export function compass(heading_deg) {
  return POINTS[Math.round((((heading_deg % 360) + 360) % 360) / 45) % 8];
}

// Returns month and year of `YYYY[MM...]`; empty if not known.
export function taken(timestamp) {
  if (!/^\d{4}/.test(timestamp)) return "";
  const month = MONTHS[Number(timestamp.slice(4, 6)) - 1];
  return month ? `${month} ${timestamp.slice(0, 4)}` : timestamp.slice(0, 4);
}

export const year = (timestamp) => (/^\d{4}/.test(timestamp) ? timestamp.slice(0, 4) : "");

export function bytes(number) {
  return number < 1e6 ? `${Math.max(1, Math.round(number / 1e3))} kB` : `${Number((number / 1e6).toFixed(1))} MB`;
}

export const hasPosition = (place) => place.latitude !== null && place.longitude !== null;

// Returns metres between two places on the sphere; null if one is not known.
function distance(one, other) {
  if (!hasPosition(one) || !hasPosition(other)) return null;
  const [a, b] = [one.latitude, other.latitude].map((degrees) => (degrees * Math.PI) / 180);
  const half = (degrees) => Math.sin((degrees * Math.PI) / 360) ** 2;
  const chord = half(other.latitude - one.latitude) +
    Math.cos(a) * Math.cos(b) * half(other.longitude - one.longitude);
  return 2 * EARTH_RADIUS_M * Math.asin(Math.min(1, Math.sqrt(chord)));
}

// Returns how far a photo of the index is from a localization.
export function awayInWords(found, match) {
  const gap_m = distance(found, match);
  if (gap_m === null) return "Position not known";
  return gap_m < 1 ? "Less than 1\u00a0m away" : `${metres(gap_m)} away`;
}

// Returns whom photos are from and under which licence; empty if not known.
export const creditOf = ({ attribution, licence }) => [attribution, licence].filter(Boolean).join(", ");

export const coordinates = (place) => `${place.latitude.toFixed(5)}, ${place.longitude.toFixed(5)}`;

// Returns one line for the state of a photo.
export function stateInWords(photo) {
  const found = photo.localization;
  if (photo.state === "refused") return photo.problem;
  if (photo.state === "busy") return `The service is busy. Next try in ${photo.seconds} s.`;
  if (photo.state === "waiting") return "Waits";
  if (photo.state === "sent") return "Is being localized";
  if (found.status === "outside") return "No place found";
  const sure = found.confidence === null ? "" : `, confidence ${found.confidence.toFixed(2)}`;
  if (found.status === "withheld") return `Not sure enough${sure}`;
  if (found.accuracy_radius_m === null) return "Position found, its error is not known";
  return `Within about ${metres(found.accuracy_radius_m)}${sure}`;
}
