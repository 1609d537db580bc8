// The timeline of a session: drawing, table, legend, and the segment at the cursor.

import {
  createButton,
  createElement,
  createIcon,
  findPart,
  hasChanged,
  setText,
  updateChildren,
} from "../dom.js";
import { formatMessage } from "../i18n.js";
import { TimelineInput } from "./input.js";
import {
  indexAt,
  lastStartedIndex,
  MIN_TOTAL_SECONDS,
  parseSegments,
  SessionClock,
  SILENT,
} from "./scale.js";
import { TimelineDrawing } from "./svg.js";
import { createRow, createSwatch, describeSegment, listRows } from "./table.js";
import { TimelineTooltip } from "./tooltip.js";
import { TimelineView } from "./view.js";

const CLICK_TOLERANCE_PX = 3; // a click this near to a segment selects it
const ZOOM_FACTOR = 1.6;
const EVENT_TOLERANCE_PX = 8;
const TOOL_ICONS = {
  earlier: "M15 5l-7 7 7 7",
  later: "M9 5l7 7-7 7",
  out: "M5 12h14",
  in: "M5 12h14M12 5v14",
  all: "M4 7v10M20 7v10M8 12h8M8 12l2-2M8 12l2 2M16 12l-2-2M16 12l-2 2",
};

export class TimelinePage {
  constructor(root, data, send) {
    this.root = root.querySelector(".timeline");
    this.send = send;
    this.drawing = new TimelineDrawing(this.part("picture"));
    this.frame = this.part("frame");
    this.tooltip = new TimelineTooltip(this.part("tip"));
    this.view = new TimelineView(() => this.requestDraw());
    this.cursor = -1; // index of the segment under the pointer or the keys
    this.update(data);
    this.createTools();
    this.input = new TimelineInput(this);
    this.root.querySelector("details").addEventListener("toggle", () => this.requestDraw());
    this.resizes = new ResizeObserver(() => this.requestDraw());
    this.resizes.observe(this.frame);
  }

  stop() {
    this.resizes.disconnect();
    cancelAnimationFrame(this.drawRequest);
    this.drawRequest = null;
  }

  part(name) {
    return findPart(this.root, name);
  }

  say(name, text) {
    setText(this.part(name), text);
  }

  // ---- data ---------------------------------------------------------------------------------------

  update(data) {
    const content = JSON.stringify(data);
    if (content === this.content) return;
    this.content = content;
    const isSameSession = this.data?.session === data.session;
    const isNewLanguage = data.language !== this.data?.language;
    this.data = data;
    this.segments = parseSegments(data);
    this.clock = new SessionClock(data.language, data.started, navigator.languages);
    const end = Math.max(data.seconds, this.segments.at(-1)?.to ?? 0, MIN_TOTAL_SECONDS);
    if (isSameSession) {
      this.view.extend(end);
    } else {
      this.cursor = -1;
      this.view.open(end);
    }
    if (isNewLanguage) this.translate();
    this.root.dataset.session = data.session;
    this.showLegend();
    this.part("empty").textContent = this.segments.length || data.events.length ? "" : data.texts.empty;
    this.requestDraw();
  }

  translate() {
    const { texts } = this.data;
    this.say("heading", texts.heading);
    this.say("help", texts.help);
    this.say("hint", texts.hint);
    this.say("list-name", texts.list);
    this.frame.setAttribute("aria-label", texts.picture);
    const columns = [texts.time, texts.what, texts.length, texts.confidence, ""];
    this.part("columns").replaceChildren(...columns.map((name) => createElement("th", "", name)));
    for (const button of this.part("tools").children) this.nameTool(button);
  }

  /** Show each genre of the session with its color, since a narrow band has no room for its name. */
  showLegend() {
    const { genres, texts } = this.data;
    const shown = new Set(
      this.segments.filter(({ state }) => state !== SILENT).map((segment) => segment.shown),
    );
    const colors = genres
      .filter((_, index) => shown.has(index))
      .map(({ name, color }) => {
        const entry = createElement("li", "", name);
        entry.prepend(createSwatch(color));
        return entry;
      });
    const signs = [texts.unsure, texts.not_music, texts.corrected_mark].map((text) =>
      createElement("li", "secondary", text),
    );
    this.part("legend").setAttribute("aria-label", texts.legend);
    this.part("legend").replaceChildren(...colors, ...signs);
  }

  // ---- drawing ------------------------------------------------------------------------------------

  requestDraw() {
    if (this.drawRequest) return;
    this.drawRequest = requestAnimationFrame(() => {
      this.drawRequest = null;
      this.draw();
    });
  }

  draw() {
    const width = Math.floor(this.frame.clientWidth);
    if (!width) return; // collapsed; the observer calls again
    const startMs = performance.now();
    const { from, to } = this.view;
    this.scene = { data: this.data, segments: this.segments, view: { from, to }, clock: this.clock, width };
    this.drawing.draw(this.scene);
    this.showCursor();
    this.say("range", this.clock.range(from, to));
    const overview = this.part("overview");
    overview.hidden = this.view.showsAll;
    const visible = this.part("window");
    visible.style.left = `${(100 * from) / this.view.end}%`;
    visible.style.width = `${(100 * this.view.span) / this.view.end}%`;
    for (const button of this.part("tools").children) button.disabled = !this.isEnabled(button.dataset.tool);
    this.drawTable();
    this.root.dataset.drawnMs = (performance.now() - startMs).toFixed(1);
  }

  drawTable() {
    if (!this.root.querySelector("details").open) return;
    const { texts, language } = this.data;
    const { rows, count } = listRows(this.scene);
    const body = this.part("rows");
    const focused = this.root.getRootNode().activeElement?.dataset?.number;
    if (!hasChanged(body, [rows, language])) return;
    const items = rows.map((row) => ({ row, language }));
    updateChildren(body, items, ({ row }) => createRow(row, texts, (number) => this.select(number)));
    const rest = count > rows.length ? ` ${formatMessage(texts.more, { count: rows.length })}` : "";
    this.say("count", formatMessage(texts.listed, { count }) + rest);
    if (focused) body.querySelector(`[data-number="${focused}"]`)?.focus();
  }

  /** Frame the selected segment and the segment at the cursor, and describe the cursor to screen readers. */
  showCursor() {
    const frames = [];
    const selected = this.segments.find((segment) => segment.number === this.data.selected);
    const current = this.segments[this.cursor];
    if (selected) frames.push(["selected", selected]);
    if (current) frames.push(["cursor", current]);
    if (this.scene) this.drawing.frameSegments(this.scene, frames);
    this.frame.setAttribute("aria-valuemin", "0");
    this.frame.setAttribute("aria-valuemax", String(Math.max(0, this.segments.length - 1)));
    this.frame.setAttribute("aria-valuenow", String(Math.max(0, this.cursor)));
    this.frame.setAttribute(
      "aria-valuetext",
      current ? this.segmentText(current) : this.clock.range(0, this.view.end),
    );
  }

  segmentText(segment) {
    const { what, words, note, time, length, certainty } = describeSegment(segment, this.data, this.clock);
    return [what, words, note, time, length, certainty].filter(Boolean).join(", ");
  }

  /** Show the tooltip at `time` with the segment at the cursor and with events. */
  showTooltip(time, events) {
    const { data, clock, view, segments, cursor } = this;
    this.tooltip.show({ data, clock, view, width: this.frame.clientWidth }, time, segments[cursor], events);
  }

  // ---- pointer and cursor -------------------------------------------------------------------------

  timeAt(clientX) {
    const box = this.frame.getBoundingClientRect();
    return this.view.from + ((clientX - box.left) / Math.max(1, box.width)) * this.view.span;
  }

  get secondsPerPixel() {
    return this.view.span / Math.max(1, this.frame.clientWidth);
  }

  /** Move the cursor to the pointer, and show the segment and the events there. */
  pointAt(clientX) {
    const time = this.timeAt(clientX);
    this.cursor = indexAt(this.segments, time, this.secondsPerPixel);
    const tolerance = EVENT_TOLERANCE_PX * this.secondsPerPixel;
    this.showTooltip(
      time,
      this.data.events.filter(([eventTime]) => Math.abs(eventTime - time) <= tolerance),
    );
    this.showCursor();
  }

  click(clientX) {
    const tolerance = CLICK_TOLERANCE_PX * this.secondsPerPixel;
    const index = indexAt(this.segments, this.timeAt(clientX), tolerance);
    this.pointAt(clientX);
    if (index >= 0) this.select(this.segments[index].number);
  }

  /** Remove the cursor, because the pointer has left the timeline. */
  leave() {
    this.cursor = -1;
    this.tooltip.hide();
    this.showCursor();
  }

  /** Move the cursor by some segments. Without a cursor, set it to the middle of the view. */
  moveCursor(steps) {
    if (this.cursor < 0) this.setCursor(Math.max(0, lastStartedIndex(this.segments, this.view.middle)));
    else this.setCursor(this.cursor + steps);
  }

  setCursor(index) {
    if (!this.segments.length) return;
    this.cursor = Math.min(Math.max(index, 0), this.segments.length - 1);
    const { from, to } = this.segments[this.cursor];
    const center = (from + to) / 2;
    if (center !== this.view.clamp(center)) this.view.move(center - this.view.middle);
    this.showTooltip(this.view.clamp(center), []);
    this.showCursor();
  }

  zoomAtCursor(factor) {
    const segment = this.segments[this.cursor];
    this.view.zoom(factor, segment ? this.view.clamp((segment.from + segment.to) / 2) : this.view.middle);
  }

  selectAtCursor() {
    if (this.segments[this.cursor]) this.select(this.segments[this.cursor].number);
  }

  select(number) {
    this.send("selected", { session: this.data.session, number });
  }

  // ---- buttons ------------------------------------------------------------------------------------

  createTools() {
    for (const [name, path] of Object.entries(TOOL_ICONS)) {
      const button = createButton("", "", () => this.runTool(name));
      button.dataset.tool = name;
      button.append(createIcon(path));
      this.part("tools").append(button);
      this.nameTool(button);
    }
  }

  nameTool(button) {
    button.title = this.data.texts[button.dataset.tool];
    button.setAttribute("aria-label", button.title);
  }

  isEnabled(tool) {
    const { view } = this;
    if (tool === "in") return view.canZoomIn;
    if (tool === "earlier") return view.canMoveBack;
    if (tool === "later") return view.canMoveForward;
    return !view.showsAll;
  }

  runTool(tool) {
    if (tool === "all") this.view.set(0, this.view.end);
    else if (tool === "in") this.zoomAtCursor(ZOOM_FACTOR);
    else if (tool === "out") this.zoomAtCursor(1 / ZOOM_FACTOR);
    else this.view.move((tool === "earlier" ? -this.view.span : this.view.span) / 2);
  }
}

const pages = new WeakMap(); // parent element from Streamlit -> TimelinePage

export default function mount({ parentElement, data, setTriggerValue }) {
  if (pages.has(parentElement)) pages.get(parentElement).update(data);
  else pages.set(parentElement, new TimelinePage(parentElement, data, setTriggerValue));
  const page = pages.get(parentElement);
  page.send = setTriggerValue;
  const call = {};
  page.lastCall = call;
  return () => {
    if (page.lastCall !== call) return; // a newer call uses this timeline
    page.stop();
    pages.delete(parentElement);
  };
}
