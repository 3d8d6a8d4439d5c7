// The answers as GeoJSON and GPX, made here: what was found is not sent again.

const GPX = "http://www.topografix.com/GPX/1/1";

// Returns a feature, without geometry if the place is not known.
function feature(kind, { latitude, longitude, ...properties }) {
  const geometry = latitude === null ? null : { type: "Point", coordinates: [longitude, latitude].map(rounded) };
  return { type: "Feature", geometry, properties: { kind, ...properties } };
}

const rounded = (degrees) => Number(degrees.toFixed(7));

// Returns the features that the service itself gives, and whom each answer is from.
// track: of a drive; null without.
export function geojson(photos, track) {
  const features = photos
    .filter((photo) => photo.state === "answered")
    .flatMap(({ answer, localization }) => {
      const { matches, ...found } = localization;
      const { index, model, request_id, threshold_m } = answer;
      const about = { num_matches: matches.length, index, model, request_id, threshold_m };
      const first = feature("localization", { ...found, ...about });
      if (found.status !== "localized") return [{ ...first, geometry: null }];
      const others = matches.map(({ inlier_points, ...match }) => feature("match", { photo: found.photo, ...match }));
      return [first, ...others];
    });
  if (track) features.push(trackFeature(track));
  return { type: "FeatureCollection", features };
}

// Returns longitudes and latitudes of each line of a track; none crosses the antimeridian.
function linesOf({ segments }) {
  const lines = [];
  for (const segment of segments) {
    let line = [];
    for (const { localization } of segment) {
      const point = [localization.longitude, localization.latitude].map(rounded);
      if (line.length && Math.abs(point[0] - line.at(-1)[0]) > 180) {
        lines.push(line);
        line = [];
      }
      line.push(point);
    }
    lines.push(line);
  }
  return lines.filter((line) => line.length > 1);
}

function trackFeature(track) {
  const lines = linesOf(track);
  const geometry = lines.length ? { type: "MultiLineString", coordinates: lines } : null;
  return { type: "Feature", geometry, properties: { kind: "track", photos: track.photos, times: track.times } };
}

// Returns the localized photos of a track as GPX, without times: the camera's clock is
// of no known zone.
export function gpx({ segments }) {
  const file = document.implementation.createDocument(GPX, "gpx");
  const add = (parent, name, text = "") => {
    const made = file.createElementNS(GPX, name);
    made.textContent = text;
    parent.append(made);
    return made;
  };
  file.documentElement.setAttribute("version", "1.1");
  file.documentElement.setAttribute("creator", "vpr_tf");
  const track = add(file.documentElement, "trk");
  for (const segment of segments) {
    const line = add(track, "trkseg");
    for (const { name, localization } of segment) {
      const point = add(line, "trkpt");
      point.setAttribute("lat", localization.latitude.toFixed(7));
      point.setAttribute("lon", localization.longitude.toFixed(7));
      add(point, "name", name);
      if (localization.confidence !== null) add(point, "cmt", localization.confidence.toFixed(3));
    }
  }
  return `<?xml version="1.0" encoding="UTF-8"?>\n${new XMLSerializer().serializeToString(file)}`;
}

// Lets the browser keep a text as a file.
export function download(text, name, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
