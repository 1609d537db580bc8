// What the page says about the last messages, and the frame loop. Texts from outside reach the page
// through textContent only; the page's own words come as `data`.

const FRAME_MS = 33;
const TIMELINE_FRAME_MS = 100; // a pixel of it is a tenth of a second at most
const ANSWERING = new Set(["LISTENING", "UNSURE"]); // states in which percentages mean something
const HEARING = new Set([...ANSWERING, "NOT_MUSIC", "SILENT"]); // states in which estimates come in
const QUIET = new Set(["ENDED", "FAILED", "PAUSED"]); // states in which nothing need come
const LONGEST_ABSENCE_MS = 10 * 60_000; // for so long the page goes on while its reader is on another one
const GREY = "#8a8d94"; // for genres that the palette does not know

class LivePage {
  constructor(root, data) {
    this.data = data;
    this.root = root.querySelector(".live");
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.words = new Words(data);
    this.picker = new SourcePicker(this.root, () => this.words, (message) => this.link.send(message));
    this.timeline = new Timeline(this.part("timeline"), (label) => this.look(label));
    this.timeline.recall(data.past, performance.now());
    this.spectrogram = new Spectrogram(this.part("spectrogram"));
    this.bars = new GenreBars(this.part("bars"));
    this.takers = new Map([
      ["hello", (message) => this.takeHello(message)],
      ["estimate", (message) => this.takeEstimate(message)],
      ["state", (message) => this.takeState(message)],
      ["title", (message) => this.takeTitle(message)],
      ["health", (message) => this.takeHealth(message)],
      ["spectrum", (message) => this.takeSpectrum(message)],
    ]);
    this.announced = null;
    this.away = false; // nobody was missed yet
    this.forget();
    this.speak(data);
    this.watchPointer();
    this.part("large").addEventListener("click", () => this.enlarge());
    this.part("large").hidden = !document.fullscreenEnabled;
    this.connect(data);
    this.frame = requestAnimationFrame((nowMs) => this.animate(nowMs));
  }

  connect({ analyzer, token }) {
    this.link = new AnalyzerLink(
      analyzer, (message) => this.receive(message), () => this.lost(), () => QUIET.has(this.state), token,
    );
  }

  /** What a run of the page's script brings. */
  take(data) {
    const { analyzer, token, language } = this.data;
    this.data = data;
    if (data.language !== language) this.speak(data);
    if (data.analyzer === analyzer && data.token === token) return;
    this.link.stop(); // both were started anew, and have another token
    this.connect(data);
  }

  /** The reader goes to another page: what comes in meanwhile is there on the return. */
  leave() {
    cancelAnimationFrame(this.frame);
    this.absence = setTimeout(() => this.stop(), LONGEST_ABSENCE_MS);
  }

  /** Stand where a new, empty page was laid out; false: it has been away for too long. */
  comeBack(parent, data) {
    if (this.stopped) return false;
    clearTimeout(this.absence);
    cancelAnimationFrame(this.frame);
    parent.querySelector(".live").replaceWith(this.root);
    this.take(data);
    this.frame = requestAnimationFrame((nowMs) => this.animate(nowMs));
    return true;
  }

  /** Lay out all words; called again when the reader takes another language. */
  speak(data) {
    this.data = data;
    this.words = new Words(data);
    this.words.fill(this.root);
    this.known = new Map(data.genres.map((genre) => [genre.label, genre]));
    this.bars.lay(this.bars.labels.length ? this.bars.labels : [...this.known.keys()], (label) => this.look(label));
    this.layAxes();
    this.picker.show();
    this.say("level", this.words.dbfs(null));
    this.say("latency", "");
    if (this.model) this.sayModel();
    if (this.health) this.takeHealth(this.health);
    this.summarise();
    this.show();
  }

  stop() {
    this.stopped = true;
    this.link.stop();
    this.picker.stop();
    cancelAnimationFrame(this.frame);
  }

  part(name) {
    return this.root.querySelector(`[data-testid="${name}"], [data-part="${name}"]`);
  }

  say(name, text) {
    setText(this.part(name), text);
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
      if (!this.mismatch) this.showWords("MISMATCH");
      this.mismatch = true;
      return;
    }
    this.mismatch = false;
    if (message.type === "sources") this.picker.take(message);
    if (message.type === "answer") this.picker.takeAnswer(message);
    const take = this.takers.get(message.type);
    if (!take) return;
    this.away = false;
    this.part("source").dataset.source = textOr(message.source, "");
    this.say("source", this.words.source(textOr(message.source, "")));
    take(message);
    if (message.type !== "spectrum" && message.type !== "health") this.show();
  }

  takeHello(message) {
    const spectrum = message.spectrum ?? {};
    this.forget(); // a new conversation; after a restart of the analyzer, seq begins anew
    this.forgetReadings();
    this.forgetHealth();
    this.takeTitle(message);
    if (message.estimate && typeof message.estimate === "object") this.estimate = message.estimate;
    this.setState(message, this.founded(message.state), textOr(message.detail, ""));
    this.model = message.model ?? {};
    this.sayModel();
    this.spectrogram.configure(spectrum);
    this.topHz = numberOr(spectrum.top_hz, 11025);
    layFrequencies(this.part("frequencies"), []); // the first message of the spectrum says how its rows are spaced
    const heard = Array.isArray(this.model.labels) ? this.model.labels : [];
    const labels = heard.filter((label) => typeof label === "string").slice(0, 40);
    if (labels.length) this.bars.lay(labels.map((label) => label.slice(0, 40)), (label) => this.look(label));
  }

  sayModel() {
    const { name, version, runtime } = this.model;
    const said = { name: textOr(name, "?"), version: textOr(version, ""), runtime: textOr(runtime, "?") };
    this.say("model", this.words.say("health.model", said));
  }

  takeSpectrum(message) {
    this.spectrogram.add(message, performance.now());
    layFrequencies(this.part("frequencies"), risingOr(message.row_edges_hz, [0, this.topHz]));
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
    this.say("latency", "");
  }

  forgetHealth() {
    this.health = null;
    for (const name of ["drops", "speed"]) this.say(name, "");
  }

  takeEstimate(message) {
    if (!message.estimate || typeof message.estimate !== "object") return;
    this.estimate = message.estimate;
    this.setState(message, this.founded(this.estimate.state), "");
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
    this.summarise();
    this.showLevel(numberOr(message.level_dbfs, null));
    this.say("latency", this.words.say("health.latency", { milliseconds: numberOr(message.latency_ms, 0).toFixed(0) }));
  }

  /** What the timeline shows, beside its heading and for those who do not see it. */
  summarise() {
    const shares = this.timeline.shares().slice(0, 3).filter(([, share]) => share >= 0.005);
    const summary = shares.map(([genre, share]) => `${this.look(genre).name} ${this.words.percent(share)}`).join(", ");
    this.say("summary", summary);
    const picture = this.words.say("timeline.picture", { summary: summary || this.words.say("timeline.nothing") });
    if (this.part("timeline").ariaLabel !== picture) this.part("timeline").ariaLabel = picture;
  }

  takeHealth(message) {
    this.health = message;
    const losses = lossesOf(message, this.words);
    this.say("drops", losses.join(", ") || this.words.say("losses.none"));
    this.part("drops").classList.toggle("warn", losses.length > 0);
    const factor = numberOr(message.real_time_factor, 0);
    this.say("speed", factor > 0 ? this.words.say("health.speed", { factor: factor.toFixed(factor < 10 ? 1 : 0) }) : "");
    const slow = numberOr(message.latency_ms?.p95, 0);
    this.part("latency").title = this.words.say("health.latency.how", { milliseconds: slow.toFixed(0) });
  }

  /** Each kind of message has its own mailbox at the server, so an older state may arrive after a newer. */
  setState(message, state, detail) {
    const seq = numberOr(message.seq, 0);
    if (seq < this.stateSeq || !this.data.states.includes(state)) return;
    this.stateSeq = seq;
    this.detail = state === this.state && !detail ? this.detail : detail;
    this.state = state;
  }

  /** LISTENING only with a genre that is more than a guess: at a turn, the old one may stand for a moment. */
  founded(state) {
    if (state !== "LISTENING" || !this.estimate) return state;
    const label = textOr(this.estimate.stable_label, null, 40) ?? textOr(this.estimate.label, null, 40);
    return this.confidence(label) < this.data.guess_below ? "UNSURE" : state;
  }

  lost() {
    this.away = true;
    this.mismatch = false;
    this.forgetReadings();
    this.forgetHealth();
    this.picker.forget();
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

  /** The key of the words for what there is to say. */
  situation() {
    if (this.away) return "AWAY";
    // Of a source that another takes the place of in a moment; a file's own end says something else.
    return this.state === "ENDED" && this.detail.startsWith("changed to ") ? "CHANGING" : this.state;
  }

  show() {
    const situation = this.situation();
    const label = ANSWERING.has(situation) ? this.heard() : null;
    this.showWords(situation, label);
    const certain = label !== null && situation === "LISTENING";
    if (label !== null) {
      const share = this.confidence(label);
      const sure = certain ? this.data.sureness.find(([least]) => share >= least)?.[1] : "guess";
      this.say("confidence", this.words.say("sure.line", {
        percent: this.words.percent(share), sureness: this.words.say(`sure.${sure}`),
      }));
    }
    this.part("meter").style.transform = `scaleX(${label === null ? 0 : this.confidence(label)})`;
    const held = certain && this.heldSince;
    this.say("duration", held ? this.words.say("held", { duration: this.words.duration(this.heldSeconds) }) : "");
    if (certain && label !== this.announced) {
      if (this.announced !== null && !this.calm.matches) this.raiseName();
      this.announced = label;
      this.say("announcement", this.words.say("announcement", { genre: this.look(label).name }));
    }
    const shown = ANSWERING.has(situation) ? (each) => this.confidence(each) : null;
    this.bars.show(label, shown, this.words);
  }

  /** The genre has turned: its name rises into its place. It is readable from the first moment on. */
  raiseName() {
    const frames = [{ opacity: 0.35, transform: "translateY(.12em)" }, { opacity: 1, transform: "none" }];
    this.part("genre").animate(frames, { duration: 500, easing: "ease-out" });
  }

  /** State line, headline and advice; `label` is the genre in the headline, if one stands there. */
  showWords(state, label = null) {
    const say = (part) => this.words.say(`state.${state}.${part}`);
    const certain = label !== null && state === "LISTENING";
    this.root.dataset.mood = certain ? "sure" : label !== null ? "unsure" : "waiting";
    this.root.style.setProperty("--now", certain ? this.look(label).colour : "var(--soft)");
    this.root.style.setProperty("--glow", certain ? this.look(label).colour : "transparent");
    this.part("state").dataset.state = state;
    this.part("genre").dataset.label = label ?? "";
    this.say("state", say("title"));
    const name = label === null ? "" : this.look(label).name;
    const guess = () => this.words.say("guess", { genre: name });
    this.say("genre", label === null ? say("headline") || "\u2026" : certain ? name : guess());
    this.say("advice", say("advice"));
    const detail = ["LISTENING", "CHANGING", "MISMATCH"].includes(state) ? "" : this.detail;
    this.say("detail", state === "AWAY" ? awayHint(this.data.analyzer, this.words) : detail);
    if (label === null) this.say("confidence", "");
  }

  showLevel(dbfs) {
    this.part("level-fill").style.transform = `scaleX(${levelShare(dbfs)})`;
    this.say("level", this.words.dbfs(dbfs));
    this.picker.hear(dbfs);
  }

  /** The card alone on the whole screen, for those who look from across the room; Escape leaves it. */
  enlarge() {
    this.part("now").requestFullscreen().catch(() => {}); // a browser may refuse; the page stays as it is
  }

  watchPointer() {
    const canvas = this.part("timeline");
    const tip = this.part("tip");
    canvas.addEventListener("pointerleave", () => { tip.hidden = true; });
    canvas.addEventListener("pointermove", (event) => {
      const share = event.offsetX / canvas.clientWidth;
      const nowMs = performance.now();
      const step = this.timeline.at(share, nowMs);
      const ago = this.words.duration((1 - share) * TIMELINE_SECONDS);
      tip.textContent = this.words.say("timeline.tip", { what: this.describe(step), ago });
      tip.hidden = false;
      tip.style.left = `${Math.min(event.offsetX + 12, canvas.clientWidth - tip.offsetWidth - 6)}px`;
    });
  }

  describe(step) {
    if (!step?.label) return this.words.say("timeline.nothing");
    const { name } = this.look(step.label);
    const said = step.sure ? name : this.words.say("guess", { genre: name });
    return `${said} ${this.words.percent(step.confidence)}`;
  }

  /** Moments under the two pictures. */
  layAxes() {
    const { words } = this;
    layMoments(this.part("axis"), TIMELINE_SECONDS / 60, TIMELINE_PARTS, "minutes", words);
    layMoments(this.part("spectrum-axis"), SPECTROGRAM_SECONDS, 4, "seconds", words);
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
    this.spectrogram.draw(nowMs, this.calm.matches);
    if (nowMs - (this.timelineMs ?? -Infinity) < TIMELINE_FRAME_MS) return;
    this.timelineMs = nowMs;
    this.timeline.draw(nowMs, this.colours);
  }
}

// Streamlit calls this again whenever the page's script runs, and with a new element on each return to the
// page. There is one page a tab, at its window: Streamlit may load this script again.
export default function ({ parentElement, data }) {
  let page = window.overheardLive;
  if (page && parentElement.contains(page.root)) page.take(data);
  else if (!page?.comeBack(parentElement, data)) page = window.overheardLive = new LivePage(parentElement, data);
  const turn = {};
  page.turn = turn;
  return () => {
    if (page.turn === turn) page.leave(); // else an older run's goodbye, after a newer one took the page over
  };
}
