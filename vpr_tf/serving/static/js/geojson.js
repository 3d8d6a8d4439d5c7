// The answers as GeoJSON, made here: what was found is not sent again.

const point = (place) =>
  place.latitude === null || place.longitude === null
    ? null
    : { type: "Point", coordinates: [place.longitude, place.latitude] };

// Returns a feature for each photo and for each photo of the index that it rests on.
export function geojson(photos) {
  const features = photos
    .filter((photo) => photo.state === "answered")
    .flatMap(({ answer, localization }) => {
      const { latitude, longitude, matches, ...found } = localization;
      const about = { index: answer.index, model: answer.model, request_id: answer.request_id };
      return [
        { type: "Feature", geometry: point(localization), properties: { kind: "photo", ...found, ...about } },
        ...matches.map(({ latitude: _latitude, longitude: _longitude, thumbnail: _thumbnail, ...match }, rank) => ({
          type: "Feature",
          geometry: point(matches[rank]),
          properties: { kind: "match", photo: localization.photo, rank: rank + 1, ...match },
        })),
      ];
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
