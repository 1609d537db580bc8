// Segments and events as text, and the visible ones as a table.

import { createButton, createElement } from "../dom.js";
import { formatMessage } from "../i18n.js";
import { formatDuration, lastStartedIndex, LISTENING, SILENT } from "./scale.js";

const MAX_ROWS = 200;

/** Describe a segment: {what, words, time, length, confidence ("92%"), certainty ("92% sure"), note}. */
export function describeSegment(segment, data, clock) {
  const genre = data.genres[segment.genre]?.name ?? "";
  const state = data.states[segment.state];
  const recognized = segment.state === LISTENING ? genre : genre ? `${state} (${genre})` : state;
  const isCorrected = segment.correction >= 0;
  const percent = segment.confidence === null ? "" : clock.percentFormat.format(segment.confidence);
  return {
    what: isCorrected ? data.genres[segment.correction].name : recognized,
    words: segment.tags.map((tag) => data.tags[tag]).join(", "),
    time: `${clock.time(segment.from)} – ${clock.time(segment.to)}`,
    length: formatDuration(segment.to - segment.from),
    confidence: percent,
    certainty: percent && formatMessage(data.texts.sure, { percent }),
    note: isCorrected ? formatMessage(data.texts.corrected, { recognized }) : "",
  };
}

/** Describe an event. */
export function describeEvent([, kind, detail], data) {
  const name = data.kinds[kind] ?? kind;
  return detail ? `${name}: ${detail}` : name;
}

/** List the segments and events of a view: {rows, count}. There are at most MAX_ROWS rows; `count` counts all. */
export function listRows({ data, segments, view, clock }) {
  const started = segments.slice(Math.max(0, lastStartedIndex(segments, view.from)));
  const visible = started.filter((segment) => segment.from <= view.to && segment.to >= view.from);
  const events = data.events.filter(([time]) => time >= view.from && time <= view.to);
  const entries = [
    ...visible.map((segment) => ({ time: segment.from, segment })),
    ...events.map((event) => ({ time: event[0], event })),
  ].sort((one, other) => one.time - other.time);
  const rows = entries
    .slice(0, MAX_ROWS)
    .map(({ time, segment, event }) =>
      event ? eventRow(time, event, data, clock) : segmentRow(segment, data, clock),
    );
  return { rows, count: entries.length };
}

function eventRow(time, event, data, clock) {
  return { kind: "event", cells: [clock.time(time), describeEvent(event, data), "", ""], number: null };
}

function segmentRow(segment, data, clock) {
  const { time, what, words, note, length, confidence } = describeSegment(segment, data, clock);
  const label = note ? `${what} (${note})` : what;
  return {
    kind: segment.state === LISTENING || segment.correction >= 0 ? "sure" : "other",
    cells: [time, words ? `${label}: ${words}` : label, length, confidence],
    color: data.genres[segment.shown]?.color,
    number: segment.state === SILENT ? null : segment.number,
    isSelected: data.selected === segment.number,
  };
}

/** Create the element of a row. `onSelect` is called with the number of the row's segment. */
export function createRow(row, texts, onSelect) {
  const element = createElement("tr", row.kind);
  if (row.isSelected) element.setAttribute("aria-selected", "true");
  row.cells.forEach((text, column) => {
    const cell = createElement("td", "", text);
    if (column === 1 && row.color) cell.prepend(createSwatch(row.color));
    element.append(cell);
  });
  const last = createElement("td");
  if (row.number !== null) {
    const button = createButton("select", texts.correct, () => onSelect(row.number));
    button.dataset.number = row.number;
    button.setAttribute("aria-label", `${texts.correct}: ${row.cells[0]}, ${row.cells[1]}`);
    last.append(button);
  }
  element.append(last);
  return element;
}

/** Create a small square in a genre's color. */
export function createSwatch(color) {
  const square = createElement("span", "swatch");
  square.style.background = color;
  return square;
}
