// Key points that two photos share, drawn on both: one colour is one point of the scene.

import { svg } from "./dom.js";

const HUES_DEG = 300; // from red at the left to violet at the right
const DOTS_ACROSS = 60;

// Returns drawings to lay over the photo and over the match; both are shown whole.
export function keyPoints(points) {
  const { photo_xy, match_xy, photo_width, photo_height, match_width, match_height } = points;
  const colours = photo_xy.map(([x, y]) =>
    `hsl(${Math.round((HUES_DEG * x) / photo_width)} 95% ${Math.round(40 + (25 * y) / photo_height)}%)`);
  return {
    photo: dots(photo_xy, photo_width, photo_height, colours),
    match: dots(match_xy, match_width, match_height, colours),
  };
}

function dots(xy, width, height, colours) {
  const radius = Math.max(width, height) / DOTS_ACROSS / 2;
  return svg("svg", { class: "key-points", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    ...xy.map(([x, y], number) => svg("circle", { cx: x, cy: y, r: radius, fill: colours[number] })));
}
