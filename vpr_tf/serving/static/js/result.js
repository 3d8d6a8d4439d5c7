// What was found of one photo.

import { showPicture } from "./api.js";
import { element, facts, svg } from "./dom.js";
import { keyPoints } from "./key_points.js";
import {
  awayInWords, compass, coordinates, count, creditOf, hasPosition, metres, shareInWords, stateInWords, taken, year,
} from "./words.js";

// Returns a frame with a picture; without one it says so.
export function picture(className, alt, show) {
  const image = element("img", { alt, loading: "lazy", decoding: "async" });
  const frame = element("span", { className: `picture ${className}` }, image);
  const fail = () => {
    image.remove();
    frame.classList.add("empty-picture");
  };
  image.addEventListener("error", fail, { once: true });
  if (show) show(image);
  else fail();
  return frame;
}

const ofPhoto = (photo) => (image) => { image.src = photo.url; };
const ofMatch = (match) => match.thumbnail && ((image) => showPicture(image, match.thumbnail));

// Returns what is shown of a photo.
export function result(photo, chosenMatch, { pick, retry, showPoints, togglePoints }) {
  if (photo.state === "answered") return answered(photo, chosenMatch, { pick, showPoints, togglePoints });
  const failed = photo.state === "refused";
  const box = element("div", { className: `found ${failed ? "failed" : "waiting"}` },
    element("p", { className: "status" }, failed ? "Not localized" : "On its way"),
    element("p", { className: "headline name-of-photo" }, photo.name),
    element("p", { className: "reason" }, stateInWords(photo)));
  if (photo.state === "sent" || photo.state === "waiting") box.append(element("div", { className: "work" }));
  if (photo.state === "busy" || (failed && mayBeOtherwise(photo.status))) {
    box.append(element("div", { className: "actions" },
      element("button", { type: "button", onclick: () => retry(photo) }, failed ? "Try again" : "Try now")));
  }
  box.append(element("div", { className: "beside" }, queryFigure(photo)));
  return box;
}

// What a photo is refused for stays so; what the service could not do may pass.
const mayBeOtherwise = (status) => !status || status >= 500 || [401, 408, 429].includes(status);

function answered(photo, chosenMatch, { pick, showPoints, togglePoints }) {
  const { answer, localization: found } = photo;
  const [status, headline, reason] = inWords(found, answer);
  const box = element("div", { className: `found ${found.status}` },
    element("div", { className: "head" },
      element("div", {}, element("p", { className: "status" }, status), element("p", { className: "headline" }, headline),
        element("p", { className: "reason" }, reason)),
      found.confidence === null ? null : confidenceBlock(found, answer)));
  const points = found.matches[chosenMatch]?.inlier_points;
  box.append(beside(photo, found, chosenMatch, showPoints && points));
  if (points?.photo_xy.length) box.append(pointsBlock(points, showPoints, togglePoints));
  if (found.matches.length > 1) box.append(matchList(found, chosenMatch, pick));
  box.append(element("dl", { className: "facts" }, ...facts(factRows(found))));
  box.append(toKnow(answer));
  return box;
}

function inWords(found, answer) {
  if (found.status === "outside") {
    return ["Outside", "No place found",
      `Nothing that the index knows lies there: ${found.reason}. It may not cover the place.`];
  }
  const radius_m = found.accuracy_radius_m;
  const near = radius_m === null ? "somewhere near here" : `within about ${metres(radius_m)}`;
  if (found.status === "withheld") {
    return ["Withheld", `Not sure enough; perhaps ${near}`,
      `${sentence(found.reason)} The place on the map is not to be relied on.`];
  }
  return ["Localized", radius_m === null ? "Here, by the photos that look most alike" : sentence(near).slice(0, -1),
    radius_m === null
      ? "How near that is, is not known: the index is not calibrated."
      : `${sentence(shareInWords(found.accuracy_probability)).slice(0, -1)} such photos were taken within the circle on the map.`];
}

const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

function factRows(found) {
  return [
    ["Position", hasPosition(found) ? [coordinates(found), copyButton(coordinates(found))] : null],
    ["UTM", found.utm_zone
      ? `${Math.round(found.utm_east)} E ${Math.round(found.utm_north)} N, zone ${Math.abs(found.utm_zone)} ${found.utm_zone < 0 ? "south" : "north"}`
      : null],
    ["Looks to", found.heading_deg === null ? null : `${compass(found.heading_deg)}, ${Math.round(found.heading_deg)}°`],
    ["Rests on", found.status === "outside" ? null : `${count(found.matches.length)} of ${count(found.num_candidates)} photos found`],
  ];
}

// The probability that a confidence is, with what is needed of it.
function confidenceBlock({ confidence, min_confidence }, { threshold_m }) {
  return element("div", { className: "sure" },
    element("p", {}, element("b", {}, confidence.toFixed(2)), " confidence"), confidenceScale(confidence, min_confidence),
    element("p", {}, [
      threshold_m === null ? "" : `that the error is at most ${metres(threshold_m)}`,
      min_confidence ? `${min_confidence.toFixed(2)} is needed` : "",
    ].filter(Boolean).join("; ")));
}

function confidenceScale(confidence, least) {
  const drawing = svg("svg", { class: "scale", viewBox: "0 0 100 6", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { class: "track", y: 1, width: 100, height: 4 }),
    svg("rect", { class: "value", y: 1, width: 100 * confidence, height: 4 }));
  if (least) drawing.append(svg("line", { class: "least", x1: 100 * least, x2: 100 * least, y1: 0, y2: 6, "vector-effect": "non-scaling-stroke" }));
  return drawing;
}

function copyButton(text) {
  const button = element("button", { type: "button", "aria-label": `Copy ${text}` }, "Copy");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      // Browsers copy on secure pages only; the text can be marked.
      button.textContent = "Mark it to copy";
    }
  });
  return button;
}

const queryFigure = (photo) => element("figure", {},
  picture("", `Your photo ${photo.name}`, ofPhoto(photo)),
  element("figcaption", {}, element("b", {}, "Your photo"), element("span", { className: "name", title: photo.name }, photo.name)));

// points: key points to draw on both photos; null for none.
function beside(photo, found, chosenMatch, points) {
  const row = element("div", { className: `beside ${points ? "whole" : ""}` }, queryFigure(photo));
  const match = found.matches[chosenMatch];
  if (match) {
    row.append(element("figure", { className: "chosen-match" },
      ofMatch(match) ? picture("", `Photo ${chosenMatch + 1} of the index`, ofMatch(match)) : null,
      element("figcaption", {}, element("b", {}, awayInWords(found, match)), element("br"),
        [...likeness(match), taken(match.timestamp)].filter(Boolean).join(", "),
        element("span", { className: "name", title: match.key }, match.key), ...credit(match))));
  }
  if (points) {
    const drawn = keyPoints(points);
    row.querySelector("figure .picture").append(drawn.photo);
    row.querySelector(".chosen-match .picture")?.append(drawn.match);
  }
  return row;
}

function pointsBlock({ photo_xy }, isShown, toggle) {
  return element("p", { className: "points-said" },
    element("button", { type: "button", className: "toggle-points", "aria-pressed": String(isShown), onclick: toggle },
      "Key points"),
    ` ${count(photo_xy.length)} points fit one scene; those of one colour are the same.`);
}

function likeness(match) {
  const similarity = `similarity ${match.similarity.toFixed(2)}`;
  return match.inliers === null ? [similarity] : [similarity, `${count(match.inliers)} key points`];
}

function credit(match) {
  const text = creditOf(match);
  return text ? [element("span", { className: "credit" }, text)] : [];
}

function matchList(found, chosenMatch, pick) {
  const title = "Photos of the index that the position rests on, most similar first";
  return element("ol", { className: "matches", "aria-label": title }, ...found.matches.map((match, number) =>
    element("li", {}, element("button", {
      type: "button", className: "match", "aria-pressed": String(number === chosenMatch), onclick: () => pick(number),
    },
    ofMatch(match) ? picture("", "", ofMatch(match)) : null,
    element("span", { className: "words" }, element("b", {}, awayInWords(found, match)),
      [...likeness(match), year(match.timestamp)].filter(Boolean).join(", "))))));
}

function toKnow(answer) {
  const texts = [...answer.warnings, ...answer.notes];
  const how = `Index ${answer.index}, change ${count(answer.index_generation)}, model ${answer.model}, ` +
    `${Math.round(answer.timings.total_ms)} ms, request ${answer.request_id}.`;
  return element("div", { className: "to-know" }, ...[...texts, how].map((text) => element("p", {}, text)));
}
