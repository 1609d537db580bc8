// The timeline of a session: which part is in view, the pointer, the keys, and what is said about it.

const CLICK_PX = 5; // a pointer that moved less has pressed, not dragged
const ZOOM = 1.6;
const TIP_EVENTS = 4;
const EVENT_PX = 8;
const ICONS = {
  earlier: "M15 5l-7 7 7 7", later: "M9 5l7 7-7 7", out: "M5 12h14", in: "M5 12h14M12 5v14",
  all: "M4 7v10M20 7v10M8 12h8M8 12l2-2M8 12l2 2M16 12l-2-2M16 12l-2 2",
};

class TimelinePage {
  constructor(root, data, send) {
    this.root = root.querySelector(".timeline");
    this.send = send;
    this.picture = new Picture(this.part("picture"));
    this.frame = this.part("frame");
    this.pointers = new Map(); // id -> { x, from }
    this.cursor = -1; // place of the segment under the pointer or the keys
    this.take(data);
    this.layTools();
    this.watch();
    this.sizes = new ResizeObserver(() => this.later());
    this.sizes.observe(this.frame);
  }

  stop() {
    this.sizes.disconnect();
    cancelAnimationFrame(this.asked);
    this.asked = null;
  }

  part(name) {
    return this.root.querySelector(`[data-part="${name}"]`);
  }

  say(name, text) {
    const element = this.part(name);
    if (element.textContent !== text) element.textContent = text;
  }

  // ---- data ---------------------------------------------------------------------------------------

  take(data) {
    const same = this.data?.session === data.session;
    const before = this.end;
    if (same && JSON.stringify(data) === this.content) return;
    this.content = JSON.stringify(data);
    const wording = data.language !== this.data?.language;
    this.data = data;
    this.segments = segmentsOf(data);
    this.clock = new Clock(data.language, data.started);
    this.end = Math.max(data.seconds, this.segments.at(-1)?.to ?? 0, SHORTEST_WHOLE);
    if (!same) this.cursor = -1;
    if (!same || this.whole) this.look(0, this.end);
    else if (this.view.to >= before - 1) this.look(this.view.from + this.end - before, this.end);
    if (wording) this.layWords();
    this.root.dataset.session = data.session;
    this.layLegend();
    this.part("empty").textContent = this.segments.length || data.events.length ? "" : data.words.empty;
    this.later();
  }

  layWords() {
    const { words } = this.data;
    this.say("heading", words.heading);
    this.say("help", words.help);
    this.say("hint", words.hint);
    this.say("list-name", words.list);
    this.frame.setAttribute("aria-label", words.picture);
    this.part("columns").replaceChildren(
      ...[words.time, words.what, words.length, words.confidence, ""].map((name) => made("th", "", name)),
    );
    for (const button of this.part("tools").children) this.nameTool(button);
  }

  /** Each genre of the session by its colour: a narrow band has no room for its name. */
  layLegend() {
    const { genres, words } = this.data;
    const shown = new Set(this.segments.filter(({ state }) => state !== SILENT).map((segment) => segment.shown));
    const colours = genres.filter((_, place) => shown.has(place)).map(({ name, colour }) => {
      const entry = made("li", "", name);
      entry.prepend(swatch(colour));
      return entry;
    });
    const signs = [words.unsure, words.talk, words.mark].map((text) => made("li", "soft", text));
    this.part("legend").setAttribute("aria-label", words.legend);
    this.part("legend").replaceChildren(...colours, ...signs);
  }

  // ---- the part in view ---------------------------------------------------------------------------

  look(from, to) {
    this.view = fittedView(from, to, this.end);
    this.whole = this.view.from <= 0 && this.view.to >= this.end;
    this.later();
  }

  zoom(factor, middle = (this.view.from + this.view.to) / 2) {
    const { from, to } = this.view;
    this.look(middle - (middle - from) / factor, middle + (to - middle) / factor);
  }

  move(seconds) {
    const { from, to } = this.view;
    const step = Math.min(Math.max(seconds, -from), this.end - to);
    this.look(from + step, to + step);
  }

  timeAt(clientX) {
    const box = this.frame.getBoundingClientRect();
    const { from, to } = this.view;
    return from + ((clientX - box.left) / Math.max(1, box.width)) * (to - from);
  }

  get secondsPerPixel() {
    return (this.view.to - this.view.from) / Math.max(1, this.frame.clientWidth);
  }

  // ---- drawing ------------------------------------------------------------------------------------

  later() {
    if (this.asked) return;
    this.asked = requestAnimationFrame(() => {
      this.asked = null;
      this.draw();
    });
  }

  draw() {
    const width = Math.floor(this.frame.clientWidth);
    if (!width) return; // in a folded part of the page; the observer calls again
    const begun = performance.now();
    this.scene = { data: this.data, segments: this.segments, view: this.view, clock: this.clock, width };
    this.picture.draw(this.scene);
    this.mark();
    this.say("range", this.clock.range(this.view.from, this.view.to));
    const overview = this.part("overview");
    overview.hidden = this.whole;
    const window = this.part("window");
    window.style.left = `${(100 * this.view.from) / this.end}%`;
    window.style.width = `${(100 * (this.view.to - this.view.from)) / this.end}%`;
    for (const button of this.part("tools").children) button.disabled = !this.may(button.dataset.tool);
    this.drawList();
    this.root.dataset.drawnMs = (performance.now() - begun).toFixed(1);
  }

  drawList() {
    const details = this.root.querySelector("details");
    if (!details.open) return;
    const { rows, count } = listRows(this.scene, (number) => this.choose(number));
    const content = JSON.stringify([rows, this.data.language]);
    if (details.content === content) return; // left alone, or a reader would lose the button under the finger
    details.content = content;
    const held = this.root.getRootNode().activeElement?.dataset?.number;
    this.part("rows").replaceChildren(...rows.map((row) => tableRow(row, this.data.words)));
    const { listed, more } = this.data.words;
    const tail = count > rows.length ? ` ${filled(more, { count: rows.length })}` : "";
    this.say("count", filled(listed, { count }) + tail);
    if (held) this.part("rows").querySelector(`[data-number="${held}"]`)?.focus();
  }

  mark() {
    const frames = [];
    const chosen = this.segments.find((segment) => segment.number === this.data.chosen);
    const at = this.segments[this.cursor];
    if (chosen) frames.push(["chosen", chosen]);
    if (at) frames.push(["cursor", at]);
    if (this.scene) this.picture.mark(this.scene, frames);
    const said = at ? saidOf(at, this.data, this.clock) : null;
    const text = said ? [said.what, said.note, said.time, said.length, this.sureness(said)] : [];
    this.frame.setAttribute("aria-valuemin", "0");
    this.frame.setAttribute("aria-valuemax", String(Math.max(0, this.segments.length - 1)));
    this.frame.setAttribute("aria-valuenow", String(Math.max(0, this.cursor)));
    this.frame.setAttribute("aria-valuetext", at ? text.filter(Boolean).join(", ") : this.clock.range(0, this.end));
  }

  sureness(said) {
    return said.sure && filled(this.data.words.sure, { percent: said.sure });
  }

  /** The box beside the pointer or above the segment that the keys are on. */
  tip(time, events) {
    const tip = this.part("tip");
    const segment = this.segments[this.cursor];
    const lines = [];
    if (segment) {
      const said = saidOf(segment, this.data, this.clock);
      lines.push(made("strong", "", said.what));
      if (said.note) lines.push(made("span", "", said.note));
      lines.push(made("span", "", [`${said.time} (${said.length})`, this.sureness(said)].filter(Boolean).join(" · ")));
    } else if (!events.length) {
      lines.push(made("span", "", `${this.clock.time(time)} · ${this.data.words.gap}`));
    }
    for (const event of events.slice(0, TIP_EVENTS)) {
      lines.push(made("span", "event", `${this.clock.time(event[0])} · ${eventSaid(event, this.data)}`));
    }
    if (events.length > TIP_EVENTS) lines.push(made("span", "event", `+ ${events.length - TIP_EVENTS}`));
    tip.replaceChildren(...lines);
    tip.hidden = false;
    const share = (time - this.view.from) / (this.view.to - this.view.from);
    const width = this.frame.clientWidth;
    const left = Math.min(Math.max(share * width - tip.offsetWidth / 2, 0), Math.max(0, width - tip.offsetWidth));
    tip.style.left = `${left}px`;
  }

  hideTip() {
    this.part("tip").hidden = true;
  }

  // ---- pointer and keys ---------------------------------------------------------------------------

  watch() {
    const frame = this.frame;
    frame.addEventListener("pointerdown", (event) => this.press(event));
    frame.addEventListener("pointermove", (event) => this.hover(event));
    frame.addEventListener("pointerup", (event) => this.release(event));
    frame.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
    frame.addEventListener("pointerleave", () => {
      if (this.pointers.size) return;
      this.cursor = -1;
      this.hideTip();
      this.mark();
    });
    frame.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    frame.addEventListener("keydown", (event) => this.key(event));
    frame.addEventListener("focus", () => frame.matches(":focus-visible") && this.step(0));
    frame.addEventListener("blur", () => this.hideTip());
    this.root.querySelector("details").addEventListener("toggle", () => this.later());
    const overview = this.part("overview");
    const go = (event) => {
      if (!event.buttons) return;
      const box = overview.getBoundingClientRect();
      const middle = ((event.clientX - box.left) / box.width) * this.end;
      this.move(middle - (this.view.from + this.view.to) / 2);
    };
    overview.addEventListener("pointerdown", (event) => {
      overview.setPointerCapture(event.pointerId);
      go(event);
    });
    overview.addEventListener("pointermove", go);
  }

  press(event) {
    if (event.button !== 0) return;
    this.frame.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, { x: event.clientX, from: event.clientX, moved: false });
  }

  hover(event) {
    const pointer = this.pointers.get(event.pointerId);
    if (pointer) {
      this.drag(pointer, event);
      return;
    }
    const time = this.timeAt(event.clientX);
    this.cursor = placeAt(this.segments, time, this.secondsPerPixel);
    const near = EVENT_PX * this.secondsPerPixel;
    this.tip(time, this.data.events.filter(([at]) => Math.abs(at - time) <= near));
    this.mark();
  }

  drag(pointer, event) {
    if (Math.abs(event.clientX - pointer.from) > CLICK_PX) pointer.moved = true;
    const others = [...this.pointers.values()].filter((each) => each !== pointer);
    if (others.length) {
      const other = others[0];
      const before = Math.abs(pointer.x - other.x), now = Math.abs(event.clientX - other.x);
      if (before > 10 && now > 10) this.zoom(now / before, this.timeAt((event.clientX + other.x) / 2));
      pointer.moved = other.moved = true;
    } else if (pointer.moved) {
      this.hideTip();
      this.move((pointer.x - event.clientX) * this.secondsPerPixel);
    }
    pointer.x = event.clientX;
  }

  release(event) {
    const pointer = this.pointers.get(event.pointerId);
    this.pointers.delete(event.pointerId);
    if (!pointer || pointer.moved) return;
    const place = placeAt(this.segments, this.timeAt(event.clientX), 3 * this.secondsPerPixel);
    this.hover(event);
    if (place >= 0) this.choose(this.segments[place].number);
  }

  wheel(event) {
    const along = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
    if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(-event.deltaY / 200), this.timeAt(event.clientX));
    else if (Math.abs(along) > (event.shiftKey ? 0 : Math.abs(event.deltaY))) this.move(along * this.secondsPerPixel);
    else return; // up and down is the page's
    event.preventDefault();
  }

  key(event) {
    const acts = {
      ArrowLeft: () => this.step(-1), ArrowRight: () => this.step(1), ArrowDown: () => this.step(-1),
      ArrowUp: () => this.step(1), Home: () => this.jump(0), End: () => this.jump(this.segments.length - 1),
      Enter: () => this.chooseCursor(), " ": () => this.chooseCursor(), "+": () => this.zoomHere(ZOOM),
      "=": () => this.zoomHere(ZOOM), "-": () => this.zoomHere(1 / ZOOM), "0": () => this.look(0, this.end),
      PageUp: () => this.act("earlier"), PageDown: () => this.act("later"), Escape: () => this.hideTip(),
    };
    if (!acts[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation(); // Streamlit has keys of its own
    acts[event.key]();
  }

  step(by) {
    const middle = (this.view.from + this.view.to) / 2;
    const from = this.cursor >= 0 ? this.cursor : Math.max(0, placeOf(this.segments, middle));
    this.jump(this.cursor < 0 ? from : from + by);
  }

  jump(place) {
    if (!this.segments.length) return;
    this.cursor = Math.min(Math.max(place, 0), this.segments.length - 1);
    const { from, to } = this.segments[this.cursor];
    const middle = (from + to) / 2;
    if (middle < this.view.from || middle > this.view.to) this.move(middle - (this.view.from + this.view.to) / 2);
    this.tip(Math.min(Math.max(middle, this.view.from), this.view.to), []);
    this.mark();
  }

  zoomHere(factor) {
    const at = this.segments[this.cursor];
    if (at) this.zoom(factor, Math.min(Math.max((at.from + at.to) / 2, this.view.from), this.view.to));
    else this.zoom(factor);
  }

  chooseCursor() {
    if (this.segments[this.cursor]) this.choose(this.segments[this.cursor].number);
  }

  choose(number) {
    this.send("chosen", { session: this.data.session, number });
  }

  // ---- buttons ------------------------------------------------------------------------------------

  layTools() {
    for (const [name, path] of Object.entries(ICONS)) {
      const button = made("button");
      button.type = "button";
      button.dataset.tool = name;
      const icon = drawn("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" });
      icon.append(drawn("path", { d: path }));
      button.append(icon);
      button.addEventListener("click", () => this.act(name));
      this.part("tools").append(button);
      this.nameTool(button);
    }
  }

  nameTool(button) {
    button.title = this.data.words[button.dataset.tool];
    button.setAttribute("aria-label", button.title);
  }

  may(tool) {
    if (tool === "in") return this.view.to - this.view.from > SHORTEST_VIEW + 0.01;
    if (tool === "earlier") return this.view.from > 0.01;
    if (tool === "later") return this.view.to < this.end - 0.01;
    return !this.whole;
  }

  act(tool) {
    const half = (this.view.to - this.view.from) / 2;
    if (tool === "all") this.look(0, this.end);
    else if (tool === "in") this.zoomHere(ZOOM);
    else if (tool === "out") this.zoomHere(1 / ZOOM);
    else this.move(tool === "earlier" ? -half : half);
  }
}

// Streamlit calls this again whenever the page's script runs; the same element keeps its timeline.
const timelines = new WeakMap();

export default function ({ parentElement, data, setTriggerValue }) {
  if (timelines.has(parentElement)) timelines.get(parentElement).take(data);
  else timelines.set(parentElement, new TimelinePage(parentElement, data, setTriggerValue));
  const timeline = timelines.get(parentElement);
  timeline.send = setTriggerValue;
  const turn = {};
  timeline.turn = turn;
  return () => {
    if (timeline.turn !== turn) return; // an older run's goodbye, after a newer one took it over
    timeline.stop();
    timelines.delete(parentElement);
  };
}
