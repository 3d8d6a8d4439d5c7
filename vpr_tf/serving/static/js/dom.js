// Elements without HTML strings: whatever a text holds, it is shown as text.

const SVG = "http://www.w3.org/2000/svg";

// Returns the element of an id.
export const byId = (id) => document.getElementById(id);

// Makes an element; properties that are not its own become attributes.
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name in made && !name.startsWith("aria")) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// Makes an SVG element.
export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Returns terms and descriptions of a list; rows whose value is null are left out.
export function facts(rows) {
  return rows
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .flatMap(([name, value]) => [
      element("dt", {}, name),
      element("dd", {}, ...(Array.isArray(value) ? value : [value])),
    ]);
}
