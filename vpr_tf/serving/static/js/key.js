// The field for the key of a service that needs one, and the line for what went wrong.

import { useKey } from "./api.js";
import { byId, element } from "./dom.js";

// Calls a function with each key that is entered.
export function onKey(entered) {
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    useKey(byId("key").value);
    hideBanner();
    entered();
  });
}

// Shows the field; with what was wrong with the last key.
export function askForKey(problem = "") {
  byId("key-form").hidden = false;
  if (problem) showBanner(problem);
  byId("key").focus();
}

// Shows what went wrong, and perhaps how to try again.
export function showBanner(text, retry = null) {
  const banner = byId("banner");
  banner.replaceChildren(element("div", {}, text));
  if (retry) banner.append(element("button", { type: "button", onclick: retry }, "Try again"));
  banner.hidden = false;
}

export function hideBanner() {
  byId("banner").hidden = true;
}
