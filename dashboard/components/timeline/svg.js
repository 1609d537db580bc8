// The timeline's drawing: bands, events and axis as SVG, whose colors follow the page's theme.

import { readableTextColor } from "../colors.js";
import { createSvg } from "../dom.js";
import { LISTENING, NOT_MUSIC, placeSegments, SILENT, UNSURE } from "./scale.js";

const EVENTS_PX = 26;
const BANDS_PX = 76;
const AXIS_PX = 24;
const BANDS_TOP = EVENTS_PX + 4;
const AXIS_TOP = BANDS_TOP + BANDS_PX;
const HEIGHT_PX = AXIS_TOP + AXIS_PX;
const MIN_TEXT_PX = 56; // with less room, the text of an event is left out
const MIN_MARK_DISTANCE_PX = 7; // nearer events of one kind share a mark. The tooltip and the table list all events.
const HALF_MARK_PX = 6;
const MAX_TEXT_LENGTH = 200;
const MAX_CACHED_WIDTHS = 2000;
const MARKS = {
  title: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
  gap: "M-5 -4h10l-5 9z",
  device: "M-4 -4h8v8h-8z",
  state: "M0 -5.5L5.5 0L0 5.5L-5.5 0z",
};

export class TimelineDrawing {
  constructor(svg) {
    this.svg = svg;
    svg.setAttribute("height", HEIGHT_PX);
    svg.setAttribute("aria-hidden", "true"); // the frame and the table describe it
    this.groups = {};
    for (const name of ["axis", "bands", "names", "events", "marks"]) {
      this.groups[name] = createSvg("g", { class: name });
      svg.append(this.groups[name]);
    }
    this.ruler = document.createElement("canvas").getContext("2d");
    this.ruler.font = "600 13px system-ui, sans-serif";
    this.textWidths = new Map();
  }

  /** @param {{data, segments, view, clock, width}} scene */
  draw(scene) {
    const { view, width } = scene;
    this.svg.setAttribute("width", width);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT_PX}`);
    const x = (time) => ((time - view.from) / (view.to - view.from)) * width;
    this.groups.axis.replaceChildren(...this.#createAxis(scene, x));
    const bands = placeSegments(scene.segments, view, width);
    this.groups.bands.replaceChildren(
      ...bands.flatMap(({ segment, left, right }) => createBand(scene.data, segment, left, right - left)),
    );
    this.groups.names.replaceChildren(...this.#createNames(scene.data, bands));
    this.groups.events.replaceChildren(...this.#createEvents(scene, x));
  }

  /** Draw frames around segments: [[kind, segment]], where kind is "cursor" or "selected". */
  frameSegments(scene, frames) {
    const { view, width } = scene;
    const scale = width / (view.to - view.from);
    this.groups.marks.replaceChildren(
      ...frames.map(([kind, segment]) => {
        const left = Math.max(-4, (segment.from - view.from) * scale);
        const right = Math.min(width + 4, (segment.to - view.from) * scale);
        return createSvg("rect", {
          class: kind,
          x: left,
          y: BANDS_TOP - 1,
          width: Math.max(3, right - left),
          height: BANDS_PX + 2,
          rx: 2,
        });
      }),
    );
  }

  #createAxis({ view, clock, width }, x) {
    const parts = [
      createSvg("rect", { class: "ground", x: 0, y: BANDS_TOP, width, height: BANDS_PX, rx: 3 }),
    ];
    for (const { time, text, startsDay } of clock.ticks(view, width)) {
      const tickX = Math.round(x(time)) + 0.5;
      parts.push(createSvg("line", { x1: tickX, x2: tickX, y1: BANDS_TOP, y2: AXIS_TOP + 5 }));
      const half = this.#textWidth(text) / 2;
      if (tickX < half || tickX > width - half) continue; // a text moved inwards would overlap its neighbor
      parts.push(createSvg("text", { x: tickX, y: AXIS_TOP + 19, class: startsDay ? "strong" : "" }, text));
    }
    return parts;
  }

  /** Create the names of the bands that have room. Neighbors with the same look share a name. */
  #createNames(data, bands) {
    const runs = [];
    for (const { segment, left, right } of bands) {
      const sure = segment.correction >= 0 || segment.state === LISTENING;
      const genre = sure || segment.state === UNSURE ? data.genres[segment.shown] : undefined;
      const last = runs.at(-1);
      if (last && last.genre === genre && last.sure === sure && left - last.right <= 1) last.right = right;
      else runs.push({ genre, sure, left, right });
    }
    return runs
      .filter(({ genre, left, right }) => genre && right - left >= this.#textWidth(genre.name) + 12)
      .map(({ genre, sure, left, right }) =>
        createSvg(
          "text",
          {
            x: (left + right) / 2,
            y: BANDS_TOP + BANDS_PX / 2 + 4.5,
            style: sure ? `fill: ${readableTextColor(genre.color)}` : "",
          },
          genre.name,
        ),
      );
  }

  #createEvents({ data, view, width }, x) {
    const visible = data.events.filter(([time]) => time >= view.from && time <= view.to);
    const parts = [];
    const lastX = {};
    visible.forEach(([time, kind, detail], index) => {
      const left = Math.round(x(time));
      const shape = MARKS[kind] ? kind : "state";
      if (left - (lastX[shape] ?? -99) < MIN_MARK_DISTANCE_PX) return;
      lastX[shape] = left;
      if (shape !== "title") {
        parts.push(
          createSvg("line", { x1: left + 0.5, x2: left + 0.5, y1: EVENTS_PX, y2: AXIS_TOP, class: shape }),
        );
      }
      const middle = EVENTS_PX / 2;
      const markX = Math.min(Math.max(left, HALF_MARK_PX), width - HALF_MARK_PX); // the whole mark, also at the edges
      parts.push(
        createSvg("path", {
          d: MARKS[shape],
          transform: `translate(${markX} ${middle})`,
          class: shape,
          "data-kind": kind,
        }),
      );
      const next = visible[index + 1];
      const room = (next ? Math.min(x(next[0]), width) : width) - left - 20;
      if (kind === "title" && room >= MIN_TEXT_PX) {
        parts.push(createSvg("text", { x: markX + 9, y: middle + 4.5 }, this.#shorten(detail, room)));
      }
    });
    return parts;
  }

  #textWidth(text) {
    if (!this.textWidths.has(text)) {
      if (this.textWidths.size > MAX_CACHED_WIDTHS) this.textWidths.clear();
      this.textWidths.set(text, this.ruler.measureText(text).width);
    }
    return this.textWidths.get(text);
  }

  /** Shorten a text to a width in pixels. */
  #shorten(text, room) {
    const letters = [...text.slice(0, MAX_TEXT_LENGTH)];
    if (this.#textWidth(letters.join("")) <= room) return letters.join("");
    while (letters.length && this.#textWidth(`${letters.join("")}…`) > room) {
      letters.length -= Math.ceil(letters.length / 20);
    }
    return `${letters.join("")}…`;
  }
}

function createBand(data, segment, left, width) {
  if (segment.state === SILENT && segment.correction < 0) return [];
  const genre = data.genres[segment.shown];
  const place = { x: left, y: BANDS_TOP, width, height: BANDS_PX, "data-number": segment.number };
  if (segment.correction >= 0) {
    const edge = { x: left, y: BANDS_TOP - 4, width: Math.max(2, width), height: 4, class: "corrected" };
    return [
      createSvg("rect", { ...place, fill: genre.color, "data-genre": genre.label }),
      createSvg("rect", edge),
    ];
  }
  if (segment.state === NOT_MUSIC) {
    return [
      createSvg("rect", { ...place, class: "not-music", y: BANDS_TOP + BANDS_PX / 2 - 1.5, height: 3 }),
    ];
  }
  if (!genre) return [createSvg("rect", { ...place, class: "unsure no-genre" })];
  return [
    createSvg("rect", {
      ...place,
      fill: genre.color,
      class: segment.state === UNSURE ? "unsure" : "sure",
      "data-genre": genre.label,
    }),
  ];
}
