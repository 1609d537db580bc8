// Bars with the probability of each genre.

import { createElement, setText } from "../dom.js";

const NO_VALUE = "\u2013";

export class GenreBars {
  constructor(list) {
    this.list = list;
    this.rows = new Map(); // genre label -> elements of its row
  }

  get labels() {
    return [...this.rows.keys()];
  }

  /** Create a row for each label. `genreOf` returns the name and the color of a label. */
  layOut(labels, genreOf) {
    this.rows = new Map(
      labels.map((label) => {
        const { name, color } = genreOf(label);
        const row = {
          item: createElement("li"),
          fill: createElement("span", "fill"),
          share: createElement("span", "percent", NO_VALUE),
        };
        const track = createElement("span", "track");
        row.item.dataset.genre = label;
        row.fill.style.background = color;
        track.append(row.fill);
        row.item.append(createElement("span", "genre-name", name), track, row.share);
        return [label, row];
      }),
    );
    this.list.replaceChildren(...[...this.rows.values()].map(({ item }) => item));
  }

  /**
   * Show the probabilities.
   *
   * @param {string|null} top label of the genre in the headline
   * @param {((label: string) => number)|null} probability 0 to 1, or null while no genre has a probability
   */
  show(top, probability, translator) {
    for (const [label, { item, fill, share }] of this.rows) {
      const value = probability ? probability(label) : 0;
      setText(share, probability ? translator.percent(value) : NO_VALUE);
      fill.style.transform = `scaleX(${value})`;
      item.classList.toggle("top", label === top);
    }
  }
}
