// Small parts of the songs' page. Texts from outside reach the page through textContent only.

const ICONS = {
  // paths in a square of 24; drawn here, because what signs a font has differs from machine to machine
  like: "M12 21C4 14 3 11 3 8a5 5 0 0 1 9-3 5 5 0 0 1 9 3c0 3-1 6-9 13z",
  pin: "M8 3h8v2h-1v6l3 3v2h-5v6h-2v-6H6v-2l3-3V5H8z",
  skip: "M4 5l9 7-9 7zM14 5l6 7-6 7z",
  ban: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zM6.4 7.8l9.8 9.8A7 7 0 0 1 6.4 7.8zM7.8 6.4a7 7 0 0 1 9.8 9.8z",
};

function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(svg.namespaceURI, "path");
  shape.setAttribute("d", ICONS[name]);
  svg.append(shape);
  return svg;
}

/** Set only what is different: a screen reader, a selection or a click must not lose its text. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text;
}

/** Fill the names in braces; a function, so that a `$` in a title means nothing. */
function fill(template, values) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** Rebuild an element's children when what they show has changed, and only then. */
function fillList(element, shown, build) {
  const content = JSON.stringify(shown);
  if (element.shown === content) return;
  element.shown = content;
  element.replaceChildren(...shown.map(build));
}

/** A link to another place, in a tab of its own; `opened` is called when it is followed. */
function makeLink({ place, address, said, tip }, opened = () => {}) {
  const anchor = make("a", "", place);
  anchor.href = isWeb(address) ? address : "about:blank";
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer";
  anchor.title = tip;
  anchor.setAttribute("aria-label", said);
  anchor.addEventListener("click", opened);
  anchor.addEventListener("auxclick", (event) => event.button === 1 && opened());
  return anchor;
}

function isWeb(address) {
  return /^https:\/\//.test(address);
}
