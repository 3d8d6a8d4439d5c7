// Streets drawn from where the photos of an index were taken, for maps without tiles.

const NEAR_M = 32;
// Photos thinned to more than this do not show which way a street runs.
const COARSE_M = 20;
const STREET_M = 9;
const SAME_M = 3;
const EQUATOR_M = 40075016.7;

// Returns places of photos and line segments [x1, y1, x2, y2] between them, in pixels of
// the world at zoom 0, and the length of a metre.
function segmentsOf({ points, spacing_m }) {
  const { L } = window;
  const places = new Map();
  let metre = 0;
  for (const [latitude, longitude] of points) {
    const cosine = Math.cos((latitude * Math.PI) / 180);
    metre = 256 / (EQUATOR_M * Math.max(cosine, 0.05));
    const { x, y } = L.CRS.EPSG3857.latLngToPoint(L.latLng(latitude, longitude), 0);
    const cell = `${Math.round(x / (SAME_M * metre))} ${Math.round(y / (SAME_M * metre))}`;
    if (!places.has(cell)) places.set(cell, { x, y });
  }
  const corners = [...places.values()];
  return { corners, segments: connect(corners, nearM(spacing_m) * metre), metre };
}

function nearM(spacing_m) {
  return spacing_m > COARSE_M ? 0.001 : Math.max(NEAR_M, 2.3 * spacing_m);
}

// Connects places with near ones, but not past a third that lies between.
function connect(places, near) {
  const cells = new Map();
  const cellOf = (place, dx = 0, dy = 0) => `${Math.floor(place.x / near) + dx} ${Math.floor(place.y / near) + dy}`;
  for (const place of places) {
    const cell = cellOf(place);
    if (!cells.has(cell)) cells.set(cell, []);
    cells.get(cell).push(place);
  }
  const segments = [];
  for (const place of places) {
    const around = [];
    for (const dx of [-1, 0, 1]) for (const dy of [-1, 0, 1]) {
      for (const other of cells.get(cellOf(place, dx, dy)) ?? []) {
        const gap = Math.hypot(other.x - place.x, other.y - place.y);
        if (other !== place && gap <= near) around.push({ other, gap });
      }
    }
    around.sort((one, other) => one.gap - other.gap);
    const joined = [];
    for (const { other, gap } of around.slice(0, 12)) {
      if (joined.some((third) => Math.hypot(third.x - other.x, third.y - other.y) < gap)) continue;
      joined.push(other);
      segments.push([place.x, place.y, other.x, other.y]);
    }
    if (!joined.length) segments.push([place.x, place.y, place.x, place.y]);
  }
  return segments;
}

// Makes a layer of canvas tiles; `streets` is the answer of v1/indexes/NAME/streets.
export function streetsLayer(streets) {
  const { L } = window;
  const { corners, segments, metre } = segmentsOf(streets);
  const Streets = L.GridLayer.extend({
    createTile({ x, y, z }) {
      const size = this.getTileSize().x;
      const ratio = Math.min(3, window.devicePixelRatio || 1);
      const tile = L.DomUtil.create("canvas");
      tile.width = tile.height = size * ratio;
      const canvas = tile.getContext("2d");
      const scale = 2 ** z;
      canvas.scale(ratio, ratio);
      canvas.translate(-x * size, -y * size);
      canvas.lineCap = "round";
      const width = Math.min(26, Math.max(3, STREET_M * metre * scale));
      const reach = width + 2;
      const inTile = segments.filter(([x1, y1, x2, y2]) =>
        Math.max(x1, x2) * scale > x * size - reach && Math.min(x1, x2) * scale < (x + 1) * size + reach &&
        Math.max(y1, y2) * scale > y * size - reach && Math.min(y1, y2) * scale < (y + 1) * size + reach);
      const colours = getComputedStyle(document.documentElement);
      for (const [colour, more] of [["--casing", 2], ["--street", 0]]) {
        canvas.strokeStyle = colours.getPropertyValue(colour);
        canvas.lineWidth = width + more;
        canvas.beginPath();
        for (const [x1, y1, x2, y2] of inTile) {
          canvas.moveTo(x1 * scale, y1 * scale);
          canvas.lineTo(x2 * scale + 0.01, y2 * scale);
        }
        canvas.stroke();
      }
      canvas.fillStyle = colours.getPropertyValue("--photo");
      const radius = Math.min(3, Math.max(1.1, width / 7));
      canvas.beginPath();
      for (const corner of corners) {
        const [px, py] = [corner.x * scale, corner.y * scale];
        if (px < x * size - reach || px > (x + 1) * size + reach || py < y * size - reach || py > (y + 1) * size + reach) continue;
        canvas.moveTo(px + radius, py);
        canvas.arc(px, py, radius, 0, 2 * Math.PI);
      }
      canvas.fill();
      return tile;
    },
  });
  const layer = new Streets({ maxZoom: 22, noWrap: true, updateWhenZooming: false });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => layer.redraw());
  return layer;
}
