// The picture: bands, events and axis as SVG, whose colours follow the page's theme by themselves.
// Texts from outside reach it through textContent only.

const EVENTS_PX = 26, BANDS_PX = 76, AXIS_PX = 24;
const BANDS_TOP = EVENTS_PX + 4;
const AXIS_TOP = BANDS_TOP + BANDS_PX;
const PICTURE_PX = AXIS_TOP + AXIS_PX;
const ROOM_PX = 56; // the least for an event's text
const SPOT_PX = 7; // events of one kind that are nearer than this are one mark
const MARK_PX = 6; // half of an event's mark
const SHAPES = {
  title: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
  gap: "M-5 -4h10l-5 9z",
  device: "M-4 -4h8v8h-8z",
  state: "M0 -5.5L5.5 0L0 5.5L-5.5 0z",
};

class Picture {
  constructor(svg) {
    this.svg = svg;
    svg.setAttribute("height", PICTURE_PX);
    svg.setAttribute("aria-hidden", "true"); // what it shows is said by its frame and by the list
    this.groups = {};
    for (const name of ["axis", "bands", "names", "events", "marks"]) {
      this.groups[name] = drawn("g", { class: name });
      svg.append(this.groups[name]);
    }
    this.ruler = document.createElement("canvas").getContext("2d");
    this.ruler.font = "600 13px system-ui, sans-serif";
    this.lengths = new Map();
  }

  /** @param {{data, segments, view, clock, width}} scene */
  draw(scene) {
    const { view, width } = scene;
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${PICTURE_PX}`);
    const x = (time) => ((time - view.from) / (view.to - view.from)) * width;
    this.groups.axis.replaceChildren(...this.axis(scene, x));
    const bands = drawnSegments(scene.segments, view, width);
    this.groups.bands.replaceChildren(
      ...bands.flatMap(({ segment, left, right }) => this.band(scene.data, segment, left, right - left)),
    );
    this.groups.names.replaceChildren(...this.names(scene.data, bands));
    this.groups.events.replaceChildren(...this.events(scene, x));
  }

  /** Frames around the segment under the pointer or the keys, and around the chosen one. */
  mark(scene, frames) {
    const { view, width } = scene;
    const scale = width / (view.to - view.from);
    this.groups.marks.replaceChildren(...frames.map(([kind, segment]) => {
      const left = Math.max(-4, (segment.from - view.from) * scale);
      const right = Math.min(width + 4, (segment.to - view.from) * scale);
      return drawn("rect", {
        class: kind, x: left, y: BANDS_TOP - 1, width: Math.max(3, right - left), height: BANDS_PX + 2, rx: 2,
      });
    }));
  }

  axis({ view, clock, width }, x) {
    const parts = [drawn("rect", { class: "ground", x: 0, y: BANDS_TOP, width, height: BANDS_PX, rx: 3 })];
    for (const { time, text, strong } of clock.ticks(view, width)) {
      const at = Math.round(x(time)) + 0.5;
      parts.push(drawn("line", { x1: at, x2: at, y1: BANDS_TOP, y2: AXIS_TOP + 5 }));
      const half = this.textLength(text) / 2;
      if (at < half || at > width - half) continue; // pushed inwards it would run into its neighbour
      parts.push(drawn("text", { x: at, y: AXIS_TOP + 19, class: strong ? "strong" : "" }, text));
    }
    return parts;
  }

  band(data, segment, left, width) {
    if (segment.state === SILENT && segment.correction < 0) return [];
    const genre = data.genres[segment.shown];
    const place = { x: left, y: BANDS_TOP, width, height: BANDS_PX, "data-number": segment.number };
    if (segment.correction >= 0) {
      const top = { x: left, y: BANDS_TOP - 4, width: Math.max(2, width), height: 4, class: "corrected" };
      return [drawn("rect", { ...place, fill: genre.colour, "data-genre": genre.label }), drawn("rect", top)];
    }
    if (segment.state === NOT_MUSIC) {
      return [drawn("rect", { ...place, class: "talk", y: BANDS_TOP + BANDS_PX / 2 - 1.5, height: 3 })];
    }
    if (!genre) return [drawn("rect", { ...place, class: "unsure none" })];
    const unsure = segment.state === UNSURE;
    return [drawn("rect", {
      ...place, fill: genre.colour, class: unsure ? "unsure" : "sure", "data-genre": genre.label,
    })];
  }

  /** Names where there is room, one for neighbours that look the same. */
  names(data, bands) {
    const runs = [];
    for (const { segment, left, right } of bands) {
      const sure = segment.correction >= 0 || segment.state === LISTENING;
      const genre = sure || segment.state === UNSURE ? data.genres[segment.shown] : undefined;
      const last = runs.at(-1);
      if (last && last.genre === genre && last.sure === sure && left - last.right <= 1) last.right = right;
      else runs.push({ genre, sure, left, right });
    }
    return runs
      .filter(({ genre, left, right }) => genre && right - left >= this.textLength(genre.name) + 12)
      .map(({ genre, sure, left, right }) => drawn("text", {
        x: (left + right) / 2, y: BANDS_TOP + BANDS_PX / 2 + 4.5, style: sure ? `fill: ${inkOn(genre.colour)}` : "",
      }, genre.name));
  }

  events({ data, view, width }, x) {
    const seen = data.events.filter(([at]) => at >= view.from && at <= view.to);
    const parts = [];
    const last = {};
    seen.forEach(([at, kind, detail], number) => {
      const left = Math.round(x(at));
      const shape = SHAPES[kind] ? kind : "state";
      if (left - (last[shape] ?? -99) < SPOT_PX) return; // on the same spot; the tip and the list have it
      last[shape] = left;
      if (shape !== "title") {
        parts.push(drawn("line", { x1: left + 0.5, x2: left + 0.5, y1: EVENTS_PX, y2: AXIS_TOP, class: shape }));
      }
      const middle = EVENTS_PX / 2;
      const whole = Math.min(Math.max(left, MARK_PX), width - MARK_PX); // at the edges, too
      const path = { d: SHAPES[shape], transform: `translate(${whole} ${middle})`, class: shape, "data-kind": kind };
      parts.push(drawn("path", path));
      const room = (number + 1 < seen.length ? Math.min(x(seen[number + 1][0]), width) : width) - left - 20;
      if (kind === "title" && room >= ROOM_PX) {
        parts.push(drawn("text", { x: whole + 9, y: middle + 4.5 }, this.cut(detail, room)));
      }
    });
    return parts;
  }

  textLength(text) {
    if (!this.lengths.has(text)) {
      if (this.lengths.size > 2000) this.lengths.clear();
      this.lengths.set(text, this.ruler.measureText(text).width);
    }
    return this.lengths.get(text);
  }

  cut(text, room) {
    const letters = [...text.slice(0, 200)];
    if (this.textLength(text.slice(0, 200)) <= room) return letters.join("");
    while (letters.length && this.textLength(`${letters.join("")}…`) > room) letters.length -= Math.ceil(letters.length / 20);
    return `${letters.join("")}…`;
  }
}

function drawn(tag, attributes, text) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Black or white, whichever reads better on a colour such as #1e4dff (WCAG's relative luminance). */
function inkOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 ? "#101114" : "#ffffff";
}
