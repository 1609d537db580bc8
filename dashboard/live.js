// What the page says about the last messages, and the frame loop. Texts from outside reach the page
// through textContent only; the words for states and genres come from view_state.py as `data`.

const FRAME_MS = 33;
const QUIETEST_DBFS = -60;
const ANSWERING = new Set(["LISTENING", "UNSURE"]); // states in which percentages mean something
const HEARING = new Set([...ANSWERING, "NOT_MUSIC", "SILENT"]); // states in which estimates come in
const GREY = "#8a8d94"; // for genres that the palette does not know

class LivePage {
  constructor(root, data) {
    this.data = data;
    this.root = root.querySelector(".live");
    this.known = new Map(data.genres.map((genre) => [genre.label, genre]));
    this.timeline = new Timeline(this.part("timeline"), (label) => this.look(label));
    this.spectrogram = new Spectrogram(this.part("spectrogram"));
    this.takers = new Map([
      ["hello", (message) => this.takeHello(message)],
      ["estimate", (message) => this.takeEstimate(message)],
      ["state", (message) => this.takeState(message)],
      ["title", (message) => this.takeTitle(message)],
      ["health", (message) => this.takeHealth(message)],
      ["spectrum", (message) => this.takeSpectrum(message)],
    ]);
    this.announced = null;
    this.away = true;
    this.forget();
    this.layBars(data.genres.map((genre) => genre.label));
    this.watchPointer();
    // After its end a stream has nothing more to say; before it, health messages come every two seconds.
    const mayBeQuiet = () => this.state === "ENDED" || this.state === "FAILED";
    this.link = new AnalyzerLink(data.analyzer, (message) => this.receive(message), () => this.lost(), mayBeQuiet, data.token);
    this.frame = requestAnimationFrame((nowMs) => this.animate(nowMs));
  }

  stop() {
    this.link.stop();
    cancelAnimationFrame(this.frame);
  }

  part(name) {
    return this.root.querySelector(`[data-testid="${name}"], [data-part="${name}"]`);
  }

  say(name, text) {
    const element = this.part(name);
    if (element.textContent !== text) element.textContent = text; // unchanged text is left alone: no flicker
  }

  look(label) {
    return this.known.get(label) ?? { label, name: label, colour: GREY };
  }

  // ---- messages -----------------------------------------------------------------------------------

  forget() {
    this.state = "CONNECTING";
    this.stateSeq = -1;
    this.detail = "";
    this.estimate = null;
    this.heldSince = null; // {label, seconds in the stream}
  }

  receive(message) {
    if (message.version !== 1) {
      if (!this.mismatch) this.showWords(this.data.mismatch, "MISMATCH");
      this.mismatch = true;
      return;
    }
    this.mismatch = false;
    const take = this.takers.get(message.type);
    if (!take) return;
    this.away = false;
    this.say("source", textOr(message.source, ""));
    take(message);
    if (message.type !== "spectrum" && message.type !== "health") this.show();
  }

  takeHello(message) {
    const model = message.model ?? {};
    const spectrum = message.spectrum ?? {};
    this.forget(); // a new conversation; after a restart of the analyzer, seq begins anew
    this.forgetReadings();
    for (const name of ["drops", "speed"]) this.say(name, "");
    this.takeTitle(message);
    this.setState(message, message.state, textOr(message.detail, ""));
    if (message.estimate && typeof message.estimate === "object") this.estimate = message.estimate;
    this.say("model", `Model ${textOr(model.name, "?")} ${textOr(model.version, "")} on ${textOr(model.runtime, "?")}`);
    this.spectrogram.configure(spectrum);
    this.topHz = numberOr(spectrum.top_hz, 11025);
    this.layFrequencies([]); // the first message of the spectrum says how its rows are spaced
    const labels = Array.isArray(model.labels) ? model.labels.filter((l) => typeof l === "string").slice(0, 40) : [];
    if (labels.length) this.layBars(labels.map((label) => label.slice(0, 40)));
  }

  takeSpectrum(message) {
    this.spectrogram.add(message, performance.now());
    this.layFrequencies(risingOr(message.row_edges_hz, [0, this.topHz]));
  }

  /** What a station says that it plays. */
  takeTitle(message) {
    const title = textOr(message.title, "");
    this.say("title", title && ` \u2013 \u201c${title.slice(0, 200)}\u201d`);
  }

  takeState(message) {
    this.setState(message, message.state, textOr(message.detail, ""));
    if (!HEARING.has(this.state)) this.forgetReadings();
  }

  /** Readings of a moment say nothing once it is over. */
  forgetReadings() {
    this.showLevel(null);
    this.say("latency", "Latency \u2013");
  }

  takeEstimate(message) {
    if (!message.estimate || typeof message.estimate !== "object") return;
    this.estimate = message.estimate;
    this.setState(message, this.estimate.state, "");
    const label = this.heard();
    const end = numberOr(message.end_seconds, 0);
    if (this.state !== "LISTENING") this.heldSince = null;
    else if (this.heldSince?.label !== label || end < this.heldSince.seconds) this.heldSince = { label, seconds: end };
    this.heldSeconds = this.heldSince ? end - this.heldSince.seconds : 0;
    this.timeline.add(
      {
        label: ANSWERING.has(this.state) ? label : null,
        confidence: this.confidence(label),
        sure: this.state === "LISTENING",
      },
      performance.now(),
    );
    const shares = this.timeline.shares().slice(0, 3).filter(([, share]) => share >= 0.005);
    this.say("summary", shares.map(([genre, share]) => `${this.look(genre).name} ${percent(share)}`).join(", "));
    this.showLevel(numberOr(message.level_dbfs, null));
    this.say("latency", `Latency ${numberOr(message.latency_ms, 0).toFixed(0)} ms`);
  }

  takeHealth(message) {
    const count = (name) => Math.max(0, Math.round(numberOr(message[name], 0)));
    const losses = [
      [count("gaps"), "gap", "gaps"],
      [count("samples_lost"), "sample lost", "samples lost"],
      [count("windows_skipped"), "answer skipped", "answers skipped"],
      [count("overflows"), "device overflow", "device overflows"],
      [count("dropped_blocks"), "block dropped", "blocks dropped"],
      [count("reopened"), "reconnection", "reconnections"],
    ].filter(([number]) => number > 0);
    const words = losses.map(([number, one, many]) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`);
    this.say("drops", words.join(", ") || "No sound lost");
    this.part("drops").classList.toggle("warn", losses.length > 0);
    const factor = numberOr(message.real_time_factor, 0);
    this.say("speed", factor > 0 ? `${factor < 10 ? factor.toFixed(1) : factor.toFixed(0)} times real time` : "");
    const slow = numberOr(message.latency_ms?.p95, 0);
    this.part("latency").title = `From the last sound of a window to its answer; 95 of 100 within ${slow.toFixed(0)} ms`;
  }

  /** Each kind of message has its own mailbox at the server, so an older state may arrive after a newer. */
  setState(message, state, detail) {
    const seq = numberOr(message.seq, 0);
    if (seq < this.stateSeq || !Object.hasOwn(this.data.states, state)) return;
    this.stateSeq = seq;
    this.detail = state === this.state && !detail ? this.detail : detail;
    this.state = state;
  }

  lost() {
    this.away = true;
    this.mismatch = false;
    this.forgetReadings();
    for (const name of ["drops", "speed"]) this.say(name, "");
    this.show();
  }

  // ---- what is said -------------------------------------------------------------------------------

  heard() {
    // The stable label stands still while nothing is sure; then only the most probable one is true.
    const stable = this.state === "LISTENING" ? textOr(this.estimate?.stable_label, null, 40) : null;
    return stable ?? textOr(this.estimate?.label, null, 40);
  }

  confidence(label) {
    const probabilities = this.estimate?.probabilities ?? {};
    const fallback = label === this.estimate?.label ? numberOr(this.estimate?.confidence, 0) : 0;
    return Math.min(Math.max(numberOr(Object.hasOwn(probabilities, label) ? probabilities[label] : null, fallback), 0), 1);
  }

  show() {
    const words = this.away ? this.data.away : this.data.states[this.state];
    const label = this.away || words.headline ? null : this.heard();
    this.showWords(words, this.away ? "AWAY" : this.state, label);
    const certain = label !== null && this.state === "LISTENING";
    if (label !== null) {
      const share = this.confidence(label);
      const sure = this.data.sureness.find(([least]) => share >= least)?.[1] ?? "";
      this.say("confidence", `${percent(share)}, ${certain ? sure : "only a guess"}`);
    }
    this.say("duration", certain && this.heldSince ? `, for ${duration(this.heldSeconds)}` : "");
    if (certain && label !== this.announced) {
      this.announced = label;
      this.say("announcement", `Now playing: ${this.look(label).name}`);
    }
    this.showBars(!this.away && ANSWERING.has(this.state) ? label : undefined);
  }

  /** State line, headline and advice; `label` is the genre in the headline, if one stands there. */
  showWords(words, state, label = null) {
    const certain = label !== null && state === "LISTENING";
    this.root.dataset.mood = certain ? "sure" : label !== null ? "unsure" : "waiting";
    this.root.style.setProperty("--now", certain ? this.look(label).colour : "var(--soft)");
    this.part("state").dataset.state = state;
    this.part("genre").dataset.label = label ?? "";
    this.say("state", words.title);
    this.say("genre", label === null ? words.headline || "\u2026" : `${this.look(label).name}${certain ? "" : "?"}`);
    this.say("advice", state === "AWAY" ? `${words.advice} ${this.addressHint()}`.trim() : words.advice);
    this.say("detail", state === "LISTENING" || state === "AWAY" ? "" : this.detail);
    if (label === null) this.say("confidence", "");
  }

  /** A loopback address means the reader's own computer, not the one that serves the page. */
  addressHint() {
    const loopback = (host) => /^(localhost|127\.[\d.]+|\[::1\])$/.test(host);
    const address = this.data.analyzer;
    if (!loopback(new URL(address).hostname) || loopback(location.hostname)) {
      return `It is expected at ${address}. Started on its own it has to allow this page: `
        + `overheard listen --allow-origin ${location.origin}`;
    }
    return `This page looks for it on the computer you are reading on (${address}); start the dashboard with `
      + "--analyzer and the address of the computer that listens.";
  }

  showLevel(dbfs) {
    const share = dbfs === null ? 0 : Math.min(Math.max(1 - dbfs / QUIETEST_DBFS, 0), 1);
    this.part("level-fill").style.transform = `scaleX(${share})`;
    this.say("level", `${dbfs === null ? "\u2013" : dbfs.toFixed(0).replace("-", "\u2212")} dBFS`);
  }

  layBars(labels) {
    if (this.bars && labels.join() === [...this.bars.keys()].join()) return;
    this.bars = new Map(labels.map((label) => {
      const item = make("li", "", this.look(label).name);
      const fill = make("span", "fill");
      const track = make("span", "track");
      const share = make("span", "percent", "\u2013");
      item.dataset.genre = label;
      fill.style.background = this.look(label).colour;
      track.append(fill);
      item.append(track, share);
      return [label, { item, fill, share }];
    }));
    this.part("bars").replaceChildren(...[...this.bars.values()].map(({ item }) => item));
  }

  /** `top` is the genre in the headline; undefined: there is nothing to say about any. */
  showBars(top) {
    for (const [label, { item, fill, share }] of this.bars) {
      const value = top === undefined ? 0 : this.confidence(label);
      const text = top === undefined ? "\u2013" : percent(value);
      if (share.textContent !== text) share.textContent = text;
      fill.style.transform = `scaleX(${value})`;
      item.classList.toggle("top", label === top);
    }
  }

  /** `edges` in Hz, lowest first, of bands as high as each other on the picture; none: no marks. */
  layFrequencies(edges) {
    if (this.laid === edges.join()) return;
    this.laid = edges.join();
    const top = edges.at(-1) ?? -1;
    const wanted = edges.length > 2 ? [200, 1000, 4000, 8000] : top >= 8000 ? [0, 5000, top] : [0, top];
    const marks = wanted.filter((hz) => hz >= edges[0] && hz <= top);
    this.part("frequencies").replaceChildren(...marks.map((hz) => {
      const mark = make("span", "", hz === 0 ? "0" : hz < 1000 ? `${hz} Hz` : `${Math.round(hz / 1000)} kHz`);
      // The outer two move inwards, or half of them would lie beyond the picture.
      mark.style.bottom = `${Math.min(Math.max(heightOf(hz, edges) * 100, 6), 93)}%`;
      return mark;
    }));
  }

  watchPointer() {
    const canvas = this.part("timeline");
    const tip = this.part("tip");
    canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
    canvas.addEventListener("pointermove", (event) => {
      const share = event.offsetX / canvas.clientWidth;
      const nowMs = performance.now();
      const step = this.timeline.at(share, nowMs);
      const ago = duration(((1 - share) * TIMELINE_SECONDS));
      const what = step?.label ? `${this.look(step.label).name}${step.sure ? "" : "?"} ${percent(step.confidence)}` : "nothing";
      tip.textContent = `${what}, ${ago} ago`;
      tip.hidden = false;
      tip.style.left = `${Math.min(event.offsetX + 12, canvas.clientWidth - tip.offsetWidth - 6)}px`;
    });
  }

  // ---- frames -------------------------------------------------------------------------------------

  animate(nowMs) {
    this.frame = requestAnimationFrame((next) => this.animate(next));
    if (nowMs - (this.drawnMs ?? -Infinity) < FRAME_MS - 4) return; // 30 a second are smooth and spare the battery
    this.drawnMs = nowMs;
    if (nowMs - (this.colouredMs ?? -Infinity) > 500) { // the reader may switch the theme at any time
      this.colouredMs = nowMs;
      const style = getComputedStyle(this.root);
      const soft = getComputedStyle(this.part("summary")).color;
      const line = getComputedStyle(this.part("tip").parentElement).borderTopColor;
      this.colours = { text: style.color, font: style.fontFamily, soft, line };
    }
    this.spectrogram.draw(nowMs);
    this.timeline.draw(nowMs, this.colours);
  }
}

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  if (text) element.append(make.text(text));
  return element;
}
make.text = (text) => document.createTextNode(text);

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

function percent(share) {
  return `${Math.round(share * 100)}%`;
}

function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

// Streamlit calls this again whenever the page's script runs; the same element keeps its page.
const pages = new WeakMap();

export default function ({ parentElement, data }) {
  if (!pages.has(parentElement)) pages.set(parentElement, new LivePage(parentElement, data));
  const page = pages.get(parentElement);
  const turn = {};
  page.turn = turn;
  return () => {
    if (page.turn !== turn) return; // an older run's goodbye, after a newer one took the page over
    page.stop();
    pages.delete(parentElement);
  };
}
