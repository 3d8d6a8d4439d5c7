// Photos of the page, each asked about alone or all as one drive.

import { localize } from "./api.js";
import { refuse } from "./queue.js";
import { hasPosition } from "./words.js";

// A photo; `fields` returns those of a request.
export class Photo {
  constructor(file, fields) {
    this.file = file;
    this.name = file.name || "pasted photo";
    this.url = URL.createObjectURL(file);
    this.fields = fields;
    this.localization = null;
  }

  ask(signal) {
    return localize("v1/localize", [this], { ...this.fields(), inlier_points: true }, signal);
  }

  accept(answer) {
    this.found(answer, answer.localizations[0], answer.unreadable[0]?.reason);
  }

  // Notes what an answer says of this photo.
  found(answer, localization, reason) {
    if (!localization) {
      refuse(this, reason ?? "The service does not say where it was taken.", 422);
      return;
    }
    this.state = "answered";
    this.answer = answer;
    this.localization = localization;
  }
}

// Photos that one camera took, in their order; `fields` returns those of a request.
export class Drive {
  constructor(photos, fields) {
    this.photos = photos;
    this.fields = fields;
    this.track = null;
  }

  // Names carry numbers, by which answers are told apart.
  ask(signal) {
    const named = this.photos.map(({ file, name }, number) => ({ file, name: `${number} ${name}` }));
    return localize("v1/sequence", named, this.fields(), signal);
  }

  accept(answer) {
    this.state = "answered";
    const numberOf = ({ photo }) => parseInt(photo, 10);
    const reasons = new Map(answer.unreadable.map((one) => [numberOf(one), one.reason]));
    const found = new Map(answer.localizations.map((one) => [numberOf(one), one]));
    this.photos.forEach((photo, number) => {
      const localization = found.get(number);
      photo.found(answer, localization && { ...localization, photo: photo.name }, reasons.get(number));
    });
    const photos = answer.localizations.map((one) => this.photos[numberOf(one)]);
    const { order, times, segments } = answer.track;
    // Local coordinates are no place of the map, nor of GPX.
    const drawn = segments
      .map((segment) => segment.map((number) => photos[number]).filter((photo) => hasPosition(photo.localization)))
      .filter((segment) => segment.length);
    this.track = {
      photos: order.map((number) => photos[number].name),
      times,
      segments: drawn,
    };
  }

  // Tells its photos what became of the request.
  share() {
    if (this.state === "answered") return;
    for (const photo of this.photos) {
      const { state, seconds, problem, status } = this;
      Object.assign(photo, { state, seconds, problem, status });
    }
  }
}
