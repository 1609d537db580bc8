// What is listened to: the name, and for a page that the analyzer trusts, a list to choose from and a pause.

const ANSWER_MS = 8000;
const MEASURED_MS = 40000; // each source is opened for about a second, and there may be many
const QUIETEST_DBFS = -60;

/** How much of a level bar is filled, 0..1. */
function levelShare(dbfs) {
  return dbfs === null ? 0 : Math.min(Math.max(1 - dbfs / QUIETEST_DBFS, 0), 1);
}

class SourcePicker {
  /**
   * @param {HTMLElement} root of the live part
   * @param {() => Words} words those of the moment
   * @param {(message: object) => boolean} send a control to the analyzer
   */
  constructor(root, words, send) {
    this.words = words;
    this.send = send;
    this.part = (name) => root.querySelector(`[data-part="${name}"], [data-testid="${name}"]`);
    this.numbers = 0;
    this.options = new Map(); // by name: the parts of one line
    this.line = this.part("answer"); // stands beside what it is about
    this.home = this.line.parentElement;
    this.button = this.part("picker");
    this.panel = this.part("panel");
    this.button.addEventListener("click", () => this.open(this.panel.hidden));
    this.part("measure").addEventListener("click", () => this.measure());
    this.part("pause").addEventListener("click", () => this.pause());
    this.panel.addEventListener("keydown", (event) => this.step(event));
    root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.open(false);
    });
    this.onOutside = (event) => { if (!event.composedPath().includes(this.button.parentElement)) this.open(false); };
    document.addEventListener("pointerdown", this.onOutside);
    this.forget();
  }

  stop() {
    clearTimeout(this.timer);
    document.removeEventListener("pointerdown", this.onOutside);
  }

  /** Without a connection, nothing is offered. */
  forget() {
    this.offer = null;
    this.settle("");
    this.show();
  }

  /** The `sources` message: this page is trusted. */
  take(message) {
    const offered = Array.isArray(message.offered) ? message.offered.slice(0, 40) : [];
    this.offer = {
      paused: message.paused === true,
      sources: offered.filter((each) => each && typeof each.name === "string").map((each) => ({
        name: each.name,
        playing: each.playing === true,
        level: numberOr(each.level_dbfs, null),
        detail: textOr(each.detail, ""),
      })),
    };
    this.show();
    const playing = this.playing()?.name;
    if (playing !== this.played && this.line.classList.contains("trouble")) this.settle(""); // it is of the past
    this.played = playing;
  }

  playing() {
    return this.offer?.sources.find((source) => source.playing);
  }

  /** The `answer` to a control. */
  takeAnswer(message) {
    if (message.id !== this.waited) return;
    if (message.ok === true) {
      if (this.closes) this.open(false);
      this.settle("");
    } else {
      const reason = this.words().sentence(textOr(message.detail, ""));
      this.settle(this.words().say("source.refused", { reason }), true);
    }
  }

  /** The level of what is heard, between two measurements. */
  hear(dbfs) {
    const playing = this.playing();
    if (!playing || dbfs === null) return;
    playing.level = dbfs;
    this.showLine(playing);
  }

  measure() {
    this.panel.append(this.line);
    this.control("levels", {}, this.words().say("source.measuring"), MEASURED_MS);
  }

  pause() {
    this.goHome();
    this.control(this.offer.paused ? "resume" : "pause", {}, "");
  }

  goHome() {
    this.home.insertBefore(this.line, this.part("now"));
  }

  control(action, fields, meanwhile, patienceMs = ANSWER_MS) {
    this.numbers += 1;
    const id = `page-${this.numbers}`;
    const sent = this.send({ type: "control", id, action, ...fields });
    this.settle(sent ? meanwhile : this.words().say("source.unanswered"), !sent);
    if (!sent) return;
    this.waited = id;
    this.closes = action === "source";
    this.timer = setTimeout(() => this.settle(this.words().say("source.unanswered"), true), patienceMs);
  }

  /** What the last control came to; nothing is waited for any more. */
  settle(text, trouble = false) {
    clearTimeout(this.timer);
    this.waited = null;
    if (trouble && this.panel.hidden) this.goHome();
    setText(this.line, text);
    this.line.classList.toggle("trouble", trouble);
  }

  open(wanted) {
    if (this.panel.hidden !== wanted) return;
    const inside = this.panel.matches(":focus-within");
    this.panel.hidden = !wanted;
    this.button.setAttribute("aria-expanded", String(wanted));
    if (!wanted && this.panel.contains(this.line) && !this.waited) this.settle(""); // it was read
    if (!wanted && inside) this.button.focus();
    if (wanted) (this.panel.querySelector("[aria-current=true]") ?? this.panel.querySelector(".option"))?.focus();
  }

  /** Arrow keys go through the list, as in a menu; Tab works, too. */
  step(event) {
    const buttons = [...this.options.values()].map(({ button }) => button);
    const move = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
    const at = buttons.indexOf(event.target);
    if (move === undefined || at < 0) return;
    event.preventDefault();
    buttons[Math.min(Math.max(at + move, 0), buttons.length - 1)].focus();
  }

  show() {
    const words = this.words();
    const trusted = this.offer !== null;
    const paused = trusted && this.offer.paused;
    this.button.dataset.trusted = String(trusted);
    for (const name of ["offered", "measure", "pause"]) this.part(name).hidden = !trusted;
    this.part("hint").hidden = trusted;
    this.part("pause").dataset.paused = String(paused);
    setText(this.part("pause-word"), words.say(paused ? "resume" : "pause"));
    if (!trusted) return;
    const names = this.offer.sources.map(({ name }) => name);
    const laid = JSON.stringify([words.language, names]);
    if (laid !== this.laid) this.lay(names);
    this.laid = laid;
    for (const source of this.offer.sources) this.showLine(source);
  }

  lay(names) {
    if (this.part("offered").contains(this.line)) this.panel.append(this.line);
    const focused = [...this.options].find(([, { button }]) => button.matches(":focus"))?.[0];
    this.options = new Map(names.map((name) => {
      const line = { item: make("li", ""), button: make("button", "option"), fill: make("span", "level-fill") };
      line.state = make("span", "state-word");
      line.level = make("span", "level-word");
      const track = make("span", "level-track");
      track.append(line.fill);
      line.button.type = "button";
      line.button.append(make("span", "name", this.words().source(name)), line.state, track, line.level);
      line.button.addEventListener("click", () => this.choose(name));
      line.item.append(line.button);
      return [name, line];
    }));
    this.part("offered").replaceChildren(...[...this.options.values()].map(({ item }) => item));
    this.options.get(focused)?.button.focus();
  }

  showLine({ name, playing, level, detail }) {
    const words = this.words();
    const line = this.options.get(name);
    if (!line) return;
    const heard = playing && !this.offer.paused;
    line.button.setAttribute("aria-current", String(playing));
    line.fill.style.transform = `scaleX(${levelShare(level)})`;
    setText(line.state, heard ? words.say("source.playing") : "");
    line.button.dataset.measured = String(level !== null);
    setText(line.level, level !== null ? words.dbfs(level) : words.sentence(detail) || words.say("source.unmeasured"));
    line.level.title = level !== null ? words.say("source.level.how") : "";
  }

  choose(name) {
    if (this.offer.sources.some((source) => source.playing && source.name === name)) {
      this.open(false);
      return;
    }
    this.options.get(name).item.append(this.line);
    this.control("source", { name }, this.words().say("source.changing", { name: this.words().source(name) }));
  }
}
