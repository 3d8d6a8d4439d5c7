// Photos on their way to the service: two at a time, again where it was busy.

import { RequestProblem, localize } from "./api.js";

const AT_ONCE = 2;
const TRIES = 6;
const WAIT_S = 3;

export class Queue {
  // fields: returns the fields of a request; changed: is told of each photo that changed.
  constructor(fields, changed) {
    this.fields = fields;
    this.changed = changed;
    this.waiting = [];
    this.numSent = 0;
  }

  // Localizes a photo, also once more.
  add(photo) {
    this.stop(photo);
    photo.tries = 0;
    this.#enqueue(photo);
  }

  // Forgets what is on its way of a photo.
  stop(photo) {
    photo.controller?.abort();
    clearInterval(photo.timer);
    photo.controller = null;
    this.waiting = this.waiting.filter((other) => other !== photo);
  }

  #enqueue(photo) {
    photo.state = "waiting";
    this.waiting.push(photo);
    this.changed(photo);
    this.#next();
  }

  #next() {
    while (this.numSent < AT_ONCE && this.waiting.length) this.#send(this.waiting.shift());
  }

  async #send(photo) {
    const controller = new AbortController();
    photo.controller = controller;
    photo.state = "sent";
    photo.tries += 1;
    this.numSent += 1;
    this.changed(photo);
    try {
      accept(photo, await localize(photo.file, photo.name, this.fields(), controller.signal));
    } catch (error) {
      if (!controller.signal.aborted) this.#fail(photo, error);
    } finally {
      this.numSent -= 1;
      if (!controller.signal.aborted) this.changed(photo);
      this.#next();
    }
  }

  #fail(photo, error) {
    if (!(error instanceof RequestProblem)) {
      console.error(error);
      refuse(photo, "The answer of the service cannot be read.");
    } else if (error.isBusy && photo.tries < TRIES) this.#wait(photo, error.retryAfter_s ?? WAIT_S);
    else refuse(photo, error.message, error.status);
  }

  #wait(photo, seconds) {
    photo.state = "busy";
    photo.seconds = seconds;
    photo.timer = setInterval(() => {
      photo.seconds -= 1;
      if (photo.seconds > 0) {
        this.changed(photo);
        return;
      }
      clearInterval(photo.timer);
      this.#enqueue(photo);
    }, 1000);
  }
}

// Marks a photo as refused, in words.
export function refuse(photo, problem, status = null) {
  photo.state = "refused";
  photo.problem = problem;
  photo.status = status;
}

function accept(photo, answer) {
  const [localization] = answer.localizations;
  if (!localization) {
    refuse(photo, answer.unreadable[0]?.reason ?? "The service does not say where it was taken.", 422);
    return;
  }
  photo.state = "answered";
  photo.answer = answer;
  photo.localization = localization;
}
