// The shares of the genres in a session: one bar each, with name and duration.

import { createElement, hasChanged } from "../dom.js";

export default function mount({ parentElement, data }) {
  let root = parentElement.querySelector(".timeline");
  if (!root) {
    root = createElement("section", "timeline");
    root.dataset.testid = "shares";
    root.append(createElement("h2"), createElement("ul"));
    parentElement.append(root);
  }
  if (!hasChanged(root, data)) return;
  root.querySelector("h2").textContent = data.heading;
  root.querySelector("ul").replaceChildren(...data.shares.map(createBar));
}

function createBar({ name, color, share, text }) {
  const item = createElement("li", color ? "" : "other");
  const track = createElement("span", "track");
  const fill = createElement("span", "fill");
  fill.style.width = `${100 * Math.min(Math.max(share, 0), 1)}%`;
  fill.style.background = color;
  track.append(fill);
  item.append(createElement("span", "name", name), track, createElement("span", "text", text));
  return item;
}
