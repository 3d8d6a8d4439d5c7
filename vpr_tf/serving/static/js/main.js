// The page that photos are dropped on.

import { RequestProblem, getJson, hasKey, indexPath } from "./api.js";
import { byId } from "./dom.js";
import { download, geojson, gpx } from "./geojson.js";
import { onPhotos } from "./intake.js";
import { askForKey, hideBanner, onKey, showBanner } from "./key.js";
import { OptionProblem, Options } from "./options.js";
import { PhotoList } from "./photo_list.js";
import { PlaceMap } from "./place_map.js";
import { Drive, Photo } from "./photos.js";
import { Queue, refuse } from "./queue.js";
import { result } from "./result.js";
import { bytes, count, stateInWords } from "./words.js";

class Page {
  constructor(settings) {
    this.settings = settings;
    this.photos = [];
    this.drive = null;
    this.chosen = null;
    this.chosenMatch = 0;
    this.showPoints = true;
    this.list = new PhotoList(byId("list"), (photo) => this.choose(photo));
    this.map = new PlaceMap(byId("map"), settings, {
      choose: (photo) => this.choose(photo),
      pick: (number) => this.pickMatch(number),
    });
    this.options = new Options(this.map, () => this.#showAgain());
    this.queue = new Queue((request) => this.#requestChanged(request));
    onPhotos((files) => this.take(files));
    onKey(() => this.open());
    byId("again").addEventListener("click", () => this.again());
    byId("clear").addEventListener("click", () => this.clear());
    byId("download").addEventListener("click", () =>
      download(JSON.stringify(geojson(this.photos, this.drive?.track), null, 2), "localizations.geojson", "application/geo+json"));
    byId("download-gpx").addEventListener("click", () => download(gpx(this.drive.track), "track.gpx", "application/gpx+xml"));
    byId("index").addEventListener("change", () => this.#useIndex(true).catch((error) => this.#tell(error)));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#escape();
    });
  }

  // Asks for the indexes and shows the first.
  async open() {
    if (this.settings.needs_key && !hasKey()) {
      askForKey();
      return;
    }
    try {
      const { indexes } = await getJson("v1/indexes");
      byId("key-form").hidden = true;
      hideBanner();
      this.indexes = indexes;
      byId("index").replaceChildren(...indexes.map(({ name }) => new Option(name, name)));
      byId("index-choice").hidden = indexes.length < 2;
      await this.#useIndex(false);
      // Photos that came too early, or were refused for want of a key.
      this.#sendAll(this.photos.filter(({ status }) => status === 401));
    } catch (error) {
      this.#tell(error);
    }
  }

  async #useIndex(wasChanged) {
    const name = byId("index").value;
    const index = this.indexes.find((one) => one.name === name);
    byId("index-link").href = `indexes/${encodeURIComponent(name)}`;
    byId("index-link").hidden = false;
    byId("index-said").textContent = indexInWords(index);
    if (wasChanged) this.#showAgain();
    const drawn = !this.settings.tiles && index.bounds;
    const streets = drawn ? await getJson(indexPath(name, "/streets")) : null;
    if (byId("index").value === name) this.map.showIndex(index, streets);
  }

  #tell(error) {
    if (!(error instanceof RequestProblem)) throw error;
    if (error.status === 401) askForKey(hasKey() ? error.message : "");
    else showBanner(error.message, () => this.open());
  }

  // Returns the fields of a request.
  fields() {
    const fields = this.options.fields();
    if (this.indexes?.length) fields.index = byId("index").value;
    return fields;
  }

  // Localizes files.
  take(files) {
    const images = files.filter(({ type, name }) => type.startsWith("image/") || /\.(jpe?g|png|heic|webp)$/i.test(name));
    if (!images.length) {
      if (files.length) showBanner("None of these files is a photo.");
      return;
    }
    hideBanner();
    document.body.classList.add("has-photos");
    const photos = images.map((file) => new Photo(file, () => this.fields()));
    this.photos.push(...photos);
    this.#sendAll(photos);
    this.choose(photos[0]);
  }

  // Localizes photos each alone; of a drive, all of the page together.
  #sendAll(photos) {
    if (!photos.length) return;
    this.#stopDrive();
    if (!this.options.isDrive) {
      photos.forEach((photo) => this.#send(photo, [photo]));
      return;
    }
    this.photos.forEach((photo) => this.queue.stop(photo));
    this.drive = new Drive([...this.photos], () => this.fields());
    this.#send(this.drive, this.photos);
  }

  #send(request, photos) {
    photos.forEach((photo) => { photo.localization = null; });
    const [problem, status] = this.#refusal(photos);
    if (!problem) {
      this.queue.add(request);
      return;
    }
    refuse(request, problem, status);
    this.#requestChanged(request);
  }

  // Returns why photos are not sent, and the status that the service would answer.
  #refusal(photos) {
    const { max_photo_bytes: mostBytes, max_photos: most } = this.settings;
    const large = photos.find(({ file }) => file.size > mostBytes);
    if (large) {
      const which = photos.length > 1 ? large.name : "The photo";
      return [`${which} has ${bytes(large.file.size)}. This service takes photos of up to ${bytes(mostBytes)}.`, 413];
    }
    if (photos.length > most) return [`This service takes drives of up to ${count(most)} photos.`, 413];
    try {
      this.fields();
    } catch (error) {
      if (!(error instanceof OptionProblem)) throw error;
      return [error.message, 400];
    }
    return [];
  }

  #stopDrive() {
    if (this.drive) this.queue.stop(this.drive);
    this.drive = null;
  }

  again() {
    byId("again").hidden = true;
    this.#sendAll(this.photos);
  }

  clear() {
    this.#stopDrive();
    for (const photo of this.photos) {
      this.queue.stop(photo);
      URL.revokeObjectURL(photo.url);
    }
    this.photos = [];
    document.body.classList.remove("has-photos");
    byId("again").hidden = true;
    this.choose(null);
    this.map.showAll();
    byId("files").focus();
  }

  choose(photo) {
    this.chosen = photo;
    this.chosenMatch = 0;
    this.#showPhotos();
    this.#showDetail();
    this.map.fit(photo?.localization);
  }

  pickMatch(number) {
    this.chosenMatch = number;
    const hadFocus = byId("detail").contains(document.activeElement);
    this.#showPhotos();
    this.#showDetail();
    if (hadFocus) byId("detail").querySelectorAll(".match")[number]?.focus();
  }

  togglePoints() {
    this.showPoints = !this.showPoints;
    this.#showDetail();
    byId("detail").querySelector(".toggle-points").focus();
  }

  // A photo of a drive is a part of its request.
  #requestChanged(request) {
    if (!(request instanceof Drive)) {
      this.#changed(request);
      return;
    }
    request.share();
    request.photos.filter((photo) => photo !== this.chosen).forEach((photo) => this.#changed(photo));
    if (this.chosen) this.#changed(this.chosen);
    if (request.track) this.map.fitTrack(request.track);
  }

  #changed(photo) {
    if (photo.state === "refused" && photo.status === 401) askForKey(hasKey() ? photo.problem : "");
    this.#showPhotos();
    if (photo === this.chosen) {
      this.chosenMatch = 0;
      this.#showDetail();
      this.map.fit(photo.localization);
    }
    const done = photo.state === "answered" || photo.state === "refused";
    if (done || photo.state === "busy") this.#say(done ? `${photo.name}: ${stateInWords(photo)}` : "The service is busy.");
  }

  #say(text) {
    if (byId("live").textContent !== text) byId("live").textContent = text;
  }

  #showPhotos() {
    byId("list-block").hidden = this.photos.length === 0;
    byId("empty").hidden = this.photos.length > 0;
    byId("list").hidden = this.photos.length < 2;
    byId("list-title").textContent = this.photos.length === 1 ? "1 photo" : `${this.photos.length} photos`;
    byId("download").hidden = !this.photos.some(({ state }) => state === "answered");
    byId("download-gpx").hidden = !this.drive?.track?.segments.length;
    this.map.showTrack(this.drive?.track ?? null);
    this.list.show(this.photos, this.chosen);
    this.map.show(this.photos, this.chosen, this.chosenMatch);
  }

  #showDetail() {
    byId("detail").replaceChildren(...(this.chosen ? [result(this.chosen, this.chosenMatch, {
      pick: (number) => this.pickMatch(number),
      retry: (photo) => this.#sendAll([photo]),
      showPoints: this.showPoints,
      togglePoints: () => this.togglePoints(),
    })] : []));
  }

  #showAgain() {
    byId("again").hidden = this.photos.length === 0;
  }

  #escape() {
    if (this.options.stopPicking()) return;
    const options = byId("options");
    if (options.open) {
      options.open = false;
      options.querySelector("summary").focus();
    }
  }
}

function indexInWords({ name, num_photos, years }) {
  const known = Object.keys(years).sort();
  const span = known.length ? ` of ${[...new Set([known[0], known.at(-1)])].join(" to ")}` : "";
  return `Index ${name}: ${count(num_photos)} photos${span}.`;
}

async function start() {
  try {
    const page = new Page(await getJson("v1/page"));
    hideBanner();
    await page.open();
  } catch (error) {
    if (!(error instanceof RequestProblem)) throw error;
    showBanner(error.message, start);
  }
}

start();
