// The tooltip of the timeline: a segment and nearby events.

import { createElement } from "../dom.js";
import { describeEvent, describeSegment } from "./table.js";

const MAX_EVENTS = 4;

export class TimelineTooltip {
  /** @param {HTMLElement} element element of the tooltip, positioned within the timeline */
  constructor(element) {
    this.element = element;
  }

  /**
   * Show the tooltip.
   *
   * @param {{data: object, clock: object, view: object, width: number}} scene width in CSS pixels
   * @param {number} time position of the tooltip
   * @param {object|undefined} segment
   * @param {Array} events
   */
  show({ data, clock, view, width }, time, segment, events) {
    const lines = segment ? segmentLines(segment, data, clock) : [];
    if (!segment && !events.length) {
      lines.push(createElement("span", "", `${clock.time(time)} · ${data.texts.gap}`));
    }
    this.element.replaceChildren(...lines, ...eventLines(events, data, clock));
    this.element.hidden = false;
    const center = ((time - view.from) / view.span) * width;
    const { offsetWidth } = this.element;
    const left = Math.min(Math.max(center - offsetWidth / 2, 0), Math.max(0, width - offsetWidth));
    this.element.style.left = `${left}px`;
  }

  hide() {
    this.element.hidden = true;
  }
}

function segmentLines(segment, data, clock) {
  const { what, words, note, time, length, certainty } = describeSegment(segment, data, clock);
  const facts = [`${time} (${length})`, certainty].filter(Boolean).join(" · ");
  const lines = [createElement("strong", "", what)];
  if (note) lines.push(createElement("span", "", note));
  if (words) lines.push(createElement("span", "", words));
  lines.push(createElement("span", "", facts));
  return lines;
}

function eventLines(events, data, clock) {
  const texts = events
    .slice(0, MAX_EVENTS)
    .map((event) => `${clock.time(event[0])} · ${describeEvent(event, data)}`);
  if (events.length > MAX_EVENTS) texts.push(`+ ${events.length - MAX_EVENTS}`);
  return texts.map((text) => createElement("span", "event", text));
}
