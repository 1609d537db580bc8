// The genres of a file over time: colored bands with times below and a legend.

import { createElement, hasChanged } from "../dom.js";

export default function mount({ parentElement, data }) {
  let root = parentElement.querySelector(".genre-bands");
  if (!root) {
    root = createElement("div", "genre-bands");
    parentElement.append(root);
  }
  if (!hasChanged(root, data)) return;
  const bands = createElement("div", "bands");
  bands.setAttribute("role", "img");
  bands.setAttribute("aria-label", data.description);
  bands.append(...data.bands.map(createBand));
  const times = createElement("div", "times");
  times.setAttribute("aria-hidden", "true");
  times.append(...data.times.map((time) => createElement("span", "", time)));
  const legend = createElement("div", "legend");
  legend.append(...data.legend.map(createLegendEntry));
  root.replaceChildren(bands, times, legend);
}

/** Create a band. `start` and `length` are shares of the whole file. */
function createBand({ color, start, length, sure, tooltip }) {
  const band = createElement("span", sure ? "" : "guess");
  band.title = tooltip;
  band.style.left = `${100 * start}%`;
  band.style.width = `${100 * length}%`;
  band.style.background = color;
  return band;
}

function createLegendEntry({ color, name }) {
  const swatch = createElement("span", "swatch");
  swatch.style.background = color;
  const entry = createElement("span");
  entry.append(swatch, name);
  return entry;
}
