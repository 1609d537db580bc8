// Helpers for elements: creation, lookup, and updates that leave equal content untouched.
// Untrusted text reaches the page through `textContent` only.

const SVG_NAMESPACE = "http://www.w3.org/2000/svg";

/** Create an HTML element. */
export function createElement(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

/** Create an SVG element. */
export function createSvg(tag, attributes = {}, text = "") {
  const element = document.createElementNS(SVG_NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text) element.textContent = text;
  return element;
}

/** Create an icon from one path within a square of 24 units. Unlike symbols of a font, a path looks the same everywhere. */
export function createIcon(path) {
  const icon = createSvg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" });
  icon.append(createSvg("path", { d: path }));
  return icon;
}

/** Create a button that does not submit a form. */
export function createButton(className, text, onClick) {
  const button = createElement("button", className, text);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
}

/** Find an element by its `data-part` or `data-testid`. */
export function findPart(root, name) {
  return root.querySelector(`[data-part="${name}"], [data-testid="${name}"]`);
}

/** Set an element's text. Equal text stays untouched, so that no selection, click or screen reader loses its place. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Set an element's text and hide the element if the text is empty. */
export function showText(element, text) {
  setText(element, text);
  element.hidden = !text;
}

const displayed = new WeakMap(); // element -> JSON of the items that it shows

/**
 * Rebuild the children of an element, one for each item. Children of unchanged items stay, since the user may be
 * pressing a button in them.
 */
export function updateChildren(element, items, build) {
  items.forEach((item, place) => {
    const child = element.children[place];
    if (child && !hasChanged(child, item)) return;
    const built = build(item);
    hasChanged(built, item);
    if (child) child.replaceWith(built);
    else element.append(built);
  });
  while (element.children.length > items.length) element.lastElementChild.remove();
}

/** Remember the content that an element shows. Returns false if the element shows equal content already. */
export function hasChanged(element, content) {
  const json = JSON.stringify(content);
  if (displayed.get(element) === json) return false;
  displayed.set(element, json);
  return true;
}
