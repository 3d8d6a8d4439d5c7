// The answers as GeoJSON, made here: what was found is not sent again.

// Returns a feature, without geometry if the place is not known.
function feature(kind, { latitude, longitude, ...properties }) {
  const geometry = latitude === null ? null : { type: "Point", coordinates: [longitude, latitude].map(rounded) };
  return { type: "Feature", geometry, properties: { kind, ...properties } };
}

const rounded = (degrees) => Number(degrees.toFixed(7));

// Returns the features that the service itself gives, and whom each answer is from.
export function geojson(photos) {
  const features = photos
    .filter((photo) => photo.state === "answered")
    .flatMap(({ answer, localization }) => {
      const { matches, ...found } = localization;
      const { index, model, request_id, threshold_m } = answer;
      const about = { num_matches: matches.length, index, model, request_id, threshold_m };
      const first = feature("localization", { ...found, ...about });
      if (found.status !== "localized") return [{ ...first, geometry: null }];
      return [first, ...matches.map((match) => feature("match", { photo: found.photo, ...match }))];
    });
  return { type: "FeatureCollection", features };
}

// Lets the browser keep a text as a file.
export function download(text, name, type) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
