// One bar for each genre, and the marks beside the spectrogram.

class GenreBars {
  constructor(list) {
    this.list = list;
    this.lines = new Map();
  }

  get labels() {
    return [...this.lines.keys()];
  }

  /** @param {(label: string) => {name: string, colour: string}} look name and colour of a genre */
  lay(labels, look) {
    this.lines = new Map(labels.map((label) => {
      const { name, colour } = look(label);
      const line = { item: make("li", ""), fill: make("span", "fill"), share: make("span", "percent", "\u2013") };
      const track = make("span", "track");
      line.item.dataset.genre = label;
      line.fill.style.background = colour;
      track.append(line.fill);
      line.item.append(make("span", "genre-name", name), track, line.share);
      return [label, line];
    }));
    this.list.replaceChildren(...[...this.lines.values()].map(({ item }) => item));
  }

  /**
   * @param {string|null} top the genre in the headline
   * @param {((label: string) => number)|null} confidence 0..1; null: there is nothing to say about any
   */
  show(top, confidence, words) {
    for (const [label, { item, fill, share }] of this.lines) {
      const value = confidence ? confidence(label) : 0;
      setText(share, confidence ? words.percent(value) : "\u2013");
      fill.style.transform = `scaleX(${value})`;
      item.classList.toggle("top", label === top);
    }
  }
}

/** Evenly spaced moments under a picture, from `first` minutes or seconds ago (`unit`) to now. */
function layMoments(box, first, parts, unit, words) {
  box.replaceChildren(...[...Array(parts + 1).keys()].map((part) => {
    const ago = first - (part * first) / parts;
    const said = part === 0 ? words.say(`timeline.${unit}`, { [unit]: ago }) : String(ago);
    return make("span", "", part === parts ? words.say("timeline.now") : said);
  }));
}

/** `edges` in Hz, lowest first, of bands as high as each other on the picture; none: no marks. */
function layFrequencies(box, edges) {
  if (box.dataset.edges === edges.join()) return;
  box.dataset.edges = edges.join();
  const top = edges.at(-1) ?? -1;
  const wanted = edges.length > 2 ? [200, 1000, 4000, 8000] : top >= 8000 ? [0, 5000, top] : [0, top];
  const marks = wanted.filter((hz) => hz >= edges[0] && hz <= top);
  box.replaceChildren(...marks.map((hz) => {
    const mark = make("span", "", hz === 0 ? "0" : hz < 1000 ? `${hz} Hz` : `${Math.round(hz / 1000)} kHz`);
    // The outer two move inwards, or half of them would lie beyond the picture.
    mark.style.bottom = `${Math.min(Math.max(heightOf(hz, edges) * 100, 6), 93)}%`;
    return mark;
  }));
}

/** Place of a frequency on the picture, 0 at its bottom and 1 at its top. */
function heightOf(hz, edges) {
  const above = edges.findIndex((edge) => edge > hz);
  if (above < 0) return 1;
  return (above - 1 + (hz - edges[above - 1]) / (edges[above] - edges[above - 1])) / (edges.length - 1);
}

/** The list, if it is one of two or more numbers that rise. */
function risingOr(value, fallback) {
  const rises = Array.isArray(value) && value.length > 1
    && value.every((each, at) => Number.isFinite(each) && (at === 0 || each > value[at - 1]));
  return rises ? value : fallback;
}
