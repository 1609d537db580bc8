// The live component: receives the analyzer's messages and draws the frames.

import { findPart, setText } from "../dom.js";
import { showFrequencies, showMoments } from "./axes.js";
import { GenreBars } from "./bars.js";
import { AnalyzerConnection } from "./connection.js";
import { GenreCard } from "./genre_card.js";
import { describeLosses, Translator } from "./i18n.js";
import { levelShare } from "./level.js";
import { numberOr, PROTOCOL_VERSION, risingNumbersOr, textOr } from "./messages.js";
import { RecentTimeline, TIMELINE_PARTS, TIMELINE_SECONDS } from "./recent_timeline.js";
import { SourcePicker } from "./sources.js";
import { SPECTROGRAM_SECONDS, Spectrogram } from "./spectrogram.js";
import { StreamStatus } from "./status.js";

const FRAME_MS = 33; // 30 frames a second look smooth and save energy
const TIMELINE_FRAME_MS = 100; // one pixel of the timeline is at least a tenth of a second
const THEME_CHECK_MS = 500; // the user may change the theme at any time
const MAX_ABSENCE_MS = 10 * 60_000; // the component keeps receiving for this time while the user is on another page
const MAX_GENRES = 40;
const MAX_LABEL_LENGTH = 40;
const SUMMARY_GENRES = 3;
const MIN_SUMMARY_SHARE = 0.005; // smaller shares would be shown as 0 %

class LivePage {
  constructor(root, data) {
    this.data = data;
    this.root = root.querySelector(".live");
    this.reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
    this.translator = new Translator(data);
    this.status = new StreamStatus(data.guess_below);
    this.genreOf = (label) => this.genres.get(label) ?? { label, name: label, color: this.data.other_color };
    this.card = new GenreCard(this.root, this.reducedMotion, data.tags);
    this.picker = new SourcePicker(
      this.root,
      () => this.translator,
      (message) => this.connection.send(message),
    );
    this.timeline = new RecentTimeline(this.part("timeline"), this.genreOf);
    this.timeline.steps.addPast(data.past, performance.now());
    this.spectrogram = new Spectrogram(this.part("spectrogram"));
    this.bars = new GenreBars(this.part("bars"));
    this.handlers = new Map([
      ["hello", (message) => this.applyHello(message)],
      ["estimate", (message) => this.applyEstimate(message)],
      ["state", (message) => this.applyState(message)],
      ["title", (message) => this.applyTitle(message)],
      ["health", (message) => this.applyHealth(message)],
      ["spectrum", (message) => this.applySpectrum(message)],
    ]);
    this.translate(data);
    this.watchPointer();
    this.connect(data);
    this.frame = requestAnimationFrame((nowMs) => this.animate(nowMs));
  }

  // ---- lifetime -----------------------------------------------------------------------------------

  connect({ analyzer, token }) {
    this.connection = new AnalyzerConnection(
      analyzer,
      {
        onMessage: (message) => this.receive(message),
        onLost: () => this.handleLoss(),
        mayBeSilent: () => this.status.maySendNothing,
      },
      token,
    );
  }

  /** Apply the data of a new run of the page's script. */
  update(data) {
    const { analyzer, token, language } = this.data;
    this.data = data;
    if (data.language !== language) this.translate(data);
    if (data.analyzer === analyzer && data.token === token) return;
    this.connection.stop(); // dashboard and analyzer were restarted with another token
    this.connect(data);
  }

  /** Stop drawing while the user is on another page. Messages are still received. */
  leave() {
    cancelAnimationFrame(this.frame);
    this.absence = setTimeout(() => this.stop(), MAX_ABSENCE_MS);
  }

  /** Replace the empty element of a new mount by this component. Returns false after too long an absence. */
  returnTo(parent, data) {
    if (this.stopped) return false;
    clearTimeout(this.absence);
    cancelAnimationFrame(this.frame);
    parent.querySelector(".live").replaceWith(this.root);
    this.update(data);
    this.frame = requestAnimationFrame((nowMs) => this.animate(nowMs));
    return true;
  }

  stop() {
    this.stopped = true;
    this.connection.stop();
    this.picker.stop();
    cancelAnimationFrame(this.frame);
  }

  // ---- messages -----------------------------------------------------------------------------------

  receive(message) {
    if (message.version !== PROTOCOL_VERSION) {
      if (this.status.isUnsupported) return;
      Object.assign(this.status, { isConnected: true, isUnsupported: true });
      this.show();
      return;
    }
    this.status.isUnsupported = false;
    if (message.type === "sources") this.picker.applySources(message);
    if (message.type === "response") this.picker.applyResponse(message);
    const handle = this.handlers.get(message.type);
    if (!handle) return;
    this.status.isConnected = true;
    const source = textOr(message.source, "");
    this.part("source").dataset.source = source;
    this.say("source", this.translator.sourceName(source));
    handle(message);
    if (message.type !== "spectrum" && message.type !== "health") this.show();
  }

  applyHello(message) {
    const spectrum = message.spectrum ?? {};
    this.clearReadings();
    this.clearHealth();
    this.applyTitle(message);
    this.status.applyHello(message);
    this.model = message.model ?? {};
    this.card.setKnownTags(this.model.tags);
    this.showModel();
    this.spectrogram.configure(spectrum);
    this.topHz = numberOr(spectrum.top_hz, 11025);
    showFrequencies(this.part("frequencies"), []); // the first spectrum message has the limits of the rows
    const labels = Array.isArray(this.model.labels) ? this.model.labels : [];
    const genres = labels.filter((label) => typeof label === "string").slice(0, MAX_GENRES);
    if (genres.length)
      this.bars.layOut(
        genres.map((label) => label.slice(0, MAX_LABEL_LENGTH)),
        this.genreOf,
      );
  }

  applyEstimate(message) {
    const { status } = this;
    if (!status.applyEstimate(message)) return;
    const { label } = status;
    this.timeline.steps.add(
      {
        label: status.hasGenre ? label : null,
        confidence: status.probability(label),
        sure: status.state === "LISTENING",
      },
      performance.now(),
    );
    this.showSummary();
    this.showLevel(numberOr(message.level_dbfs, null));
    const milliseconds = numberOr(message.latency_ms, 0).toFixed(0);
    this.say("latency", this.translator.text("health.latency", { milliseconds }));
  }

  applyState(message) {
    this.status.applyState(message);
    if (!this.status.receivesEstimates) this.clearReadings();
  }

  /** Show the title that the source reports. */
  applyTitle(message) {
    const title = textOr(message.title, "");
    const song = textOr(message.song, "");
    this.say("song", song || (title && `\u201c${title}\u201d`));
    this.say("artist", song && textOr(message.artist, ""));
    this.part("title").title = title; // the page shows two lines of each
  }

  applySpectrum(message) {
    this.spectrogram.add(message, performance.now());
    showFrequencies(this.part("frequencies"), risingNumbersOr(message.row_edges_hz, [0, this.topHz]));
  }

  applyHealth(message) {
    const { translator } = this;
    this.health = message;
    const losses = describeLosses(message, translator);
    this.say("losses", losses.join(", ") || translator.text("losses.none"));
    this.part("losses").classList.toggle("warning", losses.length > 0);
    const factor = numberOr(message.real_time_factor, 0);
    const speed =
      factor > 0 && translator.text("health.speed", { factor: factor.toFixed(factor < 10 ? 1 : 0) });
    this.say("speed", speed || "");
    const milliseconds = numberOr(message.latency_ms?.p95, 0).toFixed(0);
    this.part("latency").title = translator.text("health.latency.how", { milliseconds });
  }

  handleLoss() {
    Object.assign(this.status, { isConnected: false, isUnsupported: false });
    this.clearReadings();
    this.clearHealth();
    this.picker.reset();
    this.show();
  }

  // ---- display ------------------------------------------------------------------------------------

  /** Show all texts in the user's language. */
  translate(data) {
    this.translator = new Translator(data);
    this.translator.fillIn(this.root);
    this.genres = new Map(data.genres.map((genre) => [genre.label, genre]));
    this.bars.layOut(this.bars.labels.length ? this.bars.labels : [...this.genres.keys()], this.genreOf);
    showMoments(this.part("axis"), TIMELINE_SECONDS / 60, TIMELINE_PARTS, "minutes", this.translator);
    showMoments(this.part("spectrum-axis"), SPECTROGRAM_SECONDS, 4, "seconds", this.translator);
    this.picker.show();
    this.say("level", this.translator.level(null));
    this.say("latency", "");
    if (this.model) this.showModel();
    if (this.health) this.applyHealth(this.health);
    this.showSummary();
    this.show();
  }

  show() {
    const { data, genreOf, status, translator } = this;
    this.card.show(status, { data, translator, genreOf });
    const probability = status.hasGenre ? (label) => status.probability(label) : null;
    this.bars.show(status.hasGenre ? status.label : null, probability, translator);
  }

  /** Summarize the timeline beside its heading and for screen readers. */
  showSummary() {
    const shares = this.timeline.steps.shares().slice(0, SUMMARY_GENRES);
    const summary = shares
      .filter(([, share]) => share >= MIN_SUMMARY_SHARE)
      .map(([genre, share]) => `${this.genreOf(genre).name} ${this.translator.percent(share)}`)
      .join(", ");
    this.say("summary", summary);
    const nothing = this.translator.text("timeline.nothing");
    const description = this.translator.text("timeline.picture", { summary: summary || nothing });
    if (this.part("timeline").ariaLabel !== description) this.part("timeline").ariaLabel = description;
  }

  showModel() {
    const { name, version, runtime } = this.model;
    const values = { name: textOr(name, "?"), version: textOr(version, ""), runtime: textOr(runtime, "?") };
    this.say("model", this.translator.text("health.model", values));
  }

  showLevel(dbfs) {
    this.part("level-fill").style.transform = `scaleX(${levelShare(dbfs)})`;
    this.say("level", this.translator.level(dbfs));
    this.picker.showLevel(dbfs);
  }

  /** Clear level and latency, which are valid only while estimates arrive. */
  clearReadings() {
    this.showLevel(null);
    this.say("latency", "");
  }

  clearHealth() {
    this.health = null;
    for (const name of ["losses", "speed"]) this.say(name, "");
  }

  watchPointer() {
    const canvas = this.part("timeline");
    const tip = this.part("tip");
    canvas.addEventListener("pointerleave", () => {
      tip.hidden = true;
    });
    canvas.addEventListener("pointermove", (event) => {
      const position = event.offsetX / canvas.clientWidth;
      const what = this.describeStep(this.timeline.steps.at(position, performance.now()));
      const ago = this.translator.duration((1 - position) * TIMELINE_SECONDS);
      tip.textContent = this.translator.text("timeline.tip", { what, ago });
      tip.hidden = false;
      tip.style.left = `${Math.min(event.offsetX + 12, canvas.clientWidth - tip.offsetWidth - 6)}px`;
    });
  }

  describeStep(step) {
    if (!step?.label) return this.translator.text("timeline.nothing");
    const { name } = this.genreOf(step.label);
    const genre = step.sure ? name : this.translator.text("guess", { genre: name });
    return `${genre} ${this.translator.percent(step.confidence)}`;
  }

  part(name) {
    return findPart(this.root, name);
  }

  say(name, text) {
    setText(this.part(name), text);
  }

  // ---- frames -------------------------------------------------------------------------------------

  animate(nowMs) {
    this.frame = requestAnimationFrame((next) => this.animate(next));
    if (nowMs - (this.drawnMs ?? -Infinity) < FRAME_MS - 4) return;
    this.drawnMs = nowMs;
    if (nowMs - (this.themeMs ?? -Infinity) > THEME_CHECK_MS) {
      this.themeMs = nowMs;
      const style = getComputedStyle(this.root);
      const soft = getComputedStyle(this.part("summary")).color;
      const line = getComputedStyle(this.part("tip").parentElement).borderTopColor;
      this.theme = { text: style.color, font: style.fontFamily, soft, line };
    }
    this.spectrogram.draw(nowMs, this.reducedMotion.matches);
    if (nowMs - (this.timelineMs ?? -Infinity) < TIMELINE_FRAME_MS) return;
    this.timelineMs = nowMs;
    this.timeline.draw(nowMs, this.theme);
  }
}

/**
 * Mount the component. Streamlit calls this at every run of the script, and with a new element at every
 * return to the page. The window keeps the only instance, since Streamlit may evaluate this module again.
 */
export default function mount({ parentElement, data }) {
  let page = window.overheardLive;
  if (page && parentElement.contains(page.root)) {
    page.update(data);
  } else if (!page?.returnTo(parentElement, data)) {
    page = new LivePage(parentElement, data);
    window.overheardLive = page;
  }
  const call = {};
  page.lastCall = call;
  return () => {
    if (page.lastCall === call) page.leave(); // otherwise a newer call uses this instance
  };
}
