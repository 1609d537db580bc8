// The most probable genres of a file, one bar each.

import { createElement, hasChanged } from "../dom.js";

export default function mount({ parentElement, data }) {
  let table = parentElement.querySelector(".probabilities");
  if (!table) {
    table = createElement("table", "probabilities");
    parentElement.append(table);
  }
  if (hasChanged(table, data)) table.replaceChildren(...data.map(createRow));
}

function createRow({ name, color, probability, percent }) {
  const fill = createElement("div", "fill");
  fill.style.width = `${100 * probability}%`;
  fill.style.background = color;
  const track = createElement("div", "track");
  track.append(fill);
  const bar = createElement("td", "bar");
  bar.append(track);
  const row = createElement("tr");
  row.append(createElement("td", "name", name), bar, createElement("td", "percent", percent));
  return row;
}
