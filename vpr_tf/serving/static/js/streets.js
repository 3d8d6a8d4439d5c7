// Streets drawn from where the photos of an index were taken, for maps without tiles.

const NEAR_M = 32;
// Photos thinned to more than this do not show which way a street runs.
const COARSE_M = 20;
const STREET_M = 9;
const SAME_M = 3;
const EQUATOR_M = 40075016.7;

// Returns places of photos and pairs of them that a street joins, in pixels of the world
// at zoom 0, and the length of a metre.
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
  const some = [...places.values()];
  return { places: some, segments: connect(some, nearM(spacing_m) * metre), metre };
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
      segments.push([place, other]);
    }
    if (!joined.length) segments.push([place, place]);
  }
  return segments;
}

// Draws lines [x1, y1, x2, y2] and points [x, y] of a tile, in its pixels.
function draw(canvas, lines, points, width) {
  const colours = getComputedStyle(document.documentElement);
  canvas.lineCap = "round";
  for (const [colour, more] of [["--casing", 2], ["--street", 0]]) {
    canvas.strokeStyle = colours.getPropertyValue(colour);
    canvas.lineWidth = width + more;
    canvas.beginPath();
    for (const [x1, y1, x2, y2] of lines) {
      canvas.moveTo(x1, y1);
      canvas.lineTo(x2 + 0.01, y2);
    }
    canvas.stroke();
  }
  canvas.fillStyle = colours.getPropertyValue("--photo");
  const radius = Math.min(3, Math.max(1.6, width / 7));
  canvas.beginPath();
  for (const [x, y] of points) {
    canvas.moveTo(x + radius, y);
    canvas.arc(x, y, radius, 0, 2 * Math.PI);
  }
  canvas.fill();
}

// Says whether the box of two places reaches into a tile; sizes are of the world.
function overlaps(x, y, size, reach) {
  const isNear = (from, to, tile) =>
    Math.max(from, to) > tile * size - reach && Math.min(from, to) < (tile + 1) * size + reach;
  return (from, to) => isNear(from.x, to.x, x) && isNear(from.y, to.y, y);
}

// Makes a layer of canvas tiles; `streets` is the answer of v1/indexes/NAME/streets.
export function streetsLayer(streets) {
  const { L } = window;
  const { places, segments, metre } = segmentsOf(streets);
  const Streets = L.GridLayer.extend({
    createTile({ x, y, z }) {
      const size = this.getTileSize().x;
      const ratio = Math.min(3, window.devicePixelRatio || 1);
      const tile = L.DomUtil.create("canvas");
      tile.width = tile.height = size * ratio;
      const canvas = tile.getContext("2d");
      canvas.scale(ratio, ratio);
      const scale = 2 ** z;
      // From the tile's corner: a canvas rounds pixels of the whole world.
      const at = (place) => [place.x * scale - x * size, place.y * scale - y * size];
      const width = Math.min(26, Math.max(3, STREET_M * metre * scale));
      const isIn = overlaps(x, y, size / scale, (width + 2) / scale);
      const lines = segments.filter(([from, to]) => isIn(from, to)).map(([from, to]) => [...at(from), ...at(to)]);
      draw(canvas, lines, places.filter((place) => isIn(place, place)).map(at), width);
      return tile;
    },
  });
  const layer = new Streets({ maxZoom: 22, noWrap: true, updateWhenZooming: false });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => layer.redraw());
  return layer;
}
