// Requests on their way to the service: two at a time, again where it was busy.

import { RequestProblem } from "./api.js";

const AT_ONCE = 2;
const TRIES = 6;
const WAIT_S = 3;

export class Queue {
  // changed: is told of each request that changed. A request has `ask(signal)`, which
  // returns an answer, and `accept(answer)`: a photo, or a drive.
  constructor(changed) {
    this.changed = changed;
    this.waiting = [];
    this.numSent = 0;
  }

  // Sends a request, also once more.
  add(request) {
    this.stop(request);
    request.tries = 0;
    this.#enqueue(request);
  }

  // Forgets what is on its way of a request.
  stop(request) {
    request.controller?.abort();
    clearInterval(request.timer);
    request.controller = null;
    this.waiting = this.waiting.filter((other) => other !== request);
  }

  #enqueue(request) {
    request.state = "waiting";
    this.waiting.push(request);
    this.changed(request);
    this.#next();
  }

  #next() {
    while (this.numSent < AT_ONCE && this.waiting.length) this.#send(this.waiting.shift());
  }

  async #send(request) {
    const controller = new AbortController();
    request.controller = controller;
    request.state = "sent";
    request.tries += 1;
    this.numSent += 1;
    this.changed(request);
    try {
      request.accept(await request.ask(controller.signal));
    } catch (error) {
      if (!controller.signal.aborted) this.#fail(request, error);
    } finally {
      this.numSent -= 1;
      if (!controller.signal.aborted) this.changed(request);
      this.#next();
    }
  }

  #fail(request, error) {
    if (!(error instanceof RequestProblem)) {
      console.error(error);
      refuse(request, "The answer of the service cannot be read.");
    } else if (error.isBusy && request.tries < TRIES) this.#wait(request, error.retryAfter_s ?? WAIT_S);
    else refuse(request, error.message, error.status);
  }

  #wait(request, seconds) {
    request.state = "busy";
    request.seconds = seconds;
    request.timer = setInterval(() => {
      request.seconds -= 1;
      if (request.seconds > 0) {
        this.changed(request);
        return;
      }
      clearInterval(request.timer);
      this.#enqueue(request);
    }, 1000);
  }
}

// Marks a request as refused, in words.
export function refuse(request, problem, status = null) {
  request.state = "refused";
  request.problem = problem;
  request.status = status;
}
