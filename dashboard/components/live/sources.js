// The source picker: the current source and, if the analyzer trusts this page, a list of sources and a pause button.

import { createButton, createElement, findPart, setText } from "../dom.js";
import { levelShare } from "./level.js";
import { numberOr, textOr } from "./messages.js";

const RESPONSE_TIMEOUT_MS = 8000;
const MEASURE_TIMEOUT_MS = 40_000; // each source is opened for about a second, and there may be many
const MAX_SOURCES = 40;

export class SourcePicker {
  /**
   * @param {HTMLElement} root element of the component
   * @param {() => import("./i18n.js").Translator} translator returns the current translator
   * @param {(message: object) => boolean} send sends a control to the analyzer
   */
  constructor(root, translator, send) {
    this.root = root;
    this.translator = translator;
    this.send = send;
    this.requests = 0;
    this.options = new Map(); // source name -> elements of its row
    this.notice = this.part("notice"); // moves to the control that it belongs to
    this.noticeHome = this.notice.parentElement;
    this.button = this.part("picker");
    this.panel = this.part("panel");
    this.button.addEventListener("click", () => this.open(this.panel.hidden));
    this.part("measure").addEventListener("click", () => this.measure());
    this.part("pause").addEventListener("click", () => this.togglePause());
    this.panel.addEventListener("keydown", (event) => this.moveFocus(event));
    root.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.open(false);
    });
    this.closeOutside = (event) => {
      if (!event.composedPath().includes(this.button.parentElement)) this.open(false);
    };
    document.addEventListener("pointerdown", this.closeOutside);
    this.reset();
  }

  stop() {
    clearTimeout(this.timer);
    document.removeEventListener("pointerdown", this.closeOutside);
  }

  /** Clear the list, because there is no connection. */
  reset() {
    this.available = null;
    this.finish("");
    this.show();
  }

  /** Apply a `sources` message. Only trusted pages receive it. */
  applySources(message) {
    const listed = Array.isArray(message.available) ? message.available.slice(0, MAX_SOURCES) : [];
    this.available = {
      paused: message.paused === true,
      sources: listed
        .filter((each) => each && typeof each.name === "string")
        .map((each) => ({
          name: each.name,
          playing: each.selected === true,
          level: numberOr(each.level_dbfs, null),
          error: textOr(each.error, ""),
        })),
    };
    this.show();
    const playing = this.playing()?.name;
    const changed = playing !== this.lastPlaying;
    if (changed && this.notice.classList.contains("error")) this.finish(""); // the error is outdated
    this.lastPlaying = playing;
  }

  playing() {
    return this.available?.sources.find((source) => source.playing);
  }

  /** Apply the analyzer's response to a control. */
  applyResponse(message) {
    if (message.id !== this.pendingId) return;
    if (message.ok === true) {
      if (this.closesPanel) this.open(false);
      this.finish("");
    } else {
      const reason = this.translator().sentence(textOr(message.detail, ""));
      this.finish(this.translator().text("source.refused", { reason }), true);
    }
  }

  /** Show the level of the current source between two measurements. */
  showLevel(dbfs) {
    const playing = this.playing();
    if (!playing || dbfs === null) return;
    playing.level = dbfs;
    this.showOption(playing);
  }

  measure() {
    this.panel.append(this.notice);
    this.request("measure_levels", {}, this.translator().text("source.measuring"), MEASURE_TIMEOUT_MS);
  }

  togglePause() {
    this.returnNotice();
    this.request(this.available.paused ? "resume" : "pause", {}, "");
  }

  returnNotice() {
    this.noticeHome.insertBefore(this.notice, this.part("now"));
  }

  /** Send a control and show `pendingText` until the response or the timeout. */
  request(action, fields, pendingText, timeoutMs = RESPONSE_TIMEOUT_MS) {
    this.requests += 1;
    const id = `page-${this.requests}`;
    const isSent = this.send({ type: "control", id, action, ...fields });
    this.finish(isSent ? pendingText : this.translator().text("source.unanswered"), !isSent);
    if (!isSent) return;
    this.pendingId = id;
    this.closesPanel = action === "select_source";
    this.timer = setTimeout(() => this.finish(this.translator().text("source.unanswered"), true), timeoutMs);
  }

  /** End the pending request and show its outcome. */
  finish(text, isError = false) {
    clearTimeout(this.timer);
    this.pendingId = null;
    if (isError && this.panel.hidden) this.returnNotice();
    setText(this.notice, text);
    this.notice.classList.toggle("error", isError);
  }

  open(wanted) {
    if (this.panel.hidden !== wanted) return;
    const hasFocus = this.panel.matches(":focus-within");
    this.panel.hidden = !wanted;
    this.button.setAttribute("aria-expanded", String(wanted));
    if (!wanted && this.panel.contains(this.notice) && !this.pendingId) this.finish(""); // the user has read the notice
    if (!wanted && hasFocus) this.button.focus();
    if (wanted)
      (this.panel.querySelector("[aria-current=true]") ?? this.panel.querySelector(".option"))?.focus();
  }

  /** Move through the list with the arrow keys, as in a menu. */
  moveFocus(event) {
    const buttons = [...this.options.values()].map(({ button }) => button);
    const step = { ArrowDown: 1, ArrowUp: -1, Home: -Infinity, End: Infinity }[event.key];
    const index = buttons.indexOf(event.target);
    if (step === undefined || index < 0) return;
    event.preventDefault();
    buttons[Math.min(Math.max(index + step, 0), buttons.length - 1)].focus();
  }

  show() {
    const translator = this.translator();
    const isTrusted = this.available !== null;
    const isPaused = isTrusted && this.available.paused;
    this.button.dataset.trusted = String(isTrusted);
    for (const name of ["offered", "measure", "pause"]) this.part(name).hidden = !isTrusted;
    this.part("hint").hidden = isTrusted;
    this.part("pause").dataset.paused = String(isPaused);
    setText(this.part("pause-text"), translator.text(isPaused ? "resume" : "pause"));
    if (!isTrusted) return;
    const names = this.available.sources.map(({ name }) => name);
    const laidOut = JSON.stringify([translator.language, names]);
    if (laidOut !== this.laidOut) this.layOut(names);
    this.laidOut = laidOut;
    for (const source of this.available.sources) this.showOption(source);
  }

  layOut(names) {
    if (this.part("offered").contains(this.notice)) this.panel.append(this.notice);
    const focused = [...this.options].find(([, { button }]) => button.matches(":focus"))?.[0];
    this.options = new Map(names.map((name) => [name, this.createOption(name)]));
    this.part("offered").replaceChildren(...[...this.options.values()].map(({ item }) => item));
    this.options.get(focused)?.button.focus();
  }

  createOption(name) {
    const option = {
      item: createElement("li"),
      button: createButton("option", "", () => this.choose(name)),
      state: createElement("span", "state-text"),
      fill: createElement("span", "level-fill"),
      level: createElement("span", "level-text"),
    };
    const track = createElement("span", "level-track");
    track.append(option.fill);
    const title = createElement("span", "name", this.translator().sourceName(name));
    option.button.append(title, option.state, track, option.level);
    option.item.append(option.button);
    return option;
  }

  showOption({ name, playing, level, error }) {
    const translator = this.translator();
    const option = this.options.get(name);
    if (!option) return;
    option.button.setAttribute("aria-current", String(playing));
    option.button.dataset.measured = String(level !== null);
    option.fill.style.transform = `scaleX(${levelShare(level)})`;
    setText(option.state, playing && !this.available.paused ? translator.text("source.playing") : "");
    const unmeasured = () => translator.sentence(error) || translator.text("source.unmeasured");
    setText(option.level, level !== null ? translator.level(level) : unmeasured());
    option.level.title = level !== null ? translator.text("source.level.how") : "";
  }

  choose(name) {
    if (this.playing()?.name === name) {
      this.open(false);
      return;
    }
    this.options.get(name).item.append(this.notice);
    const translator = this.translator();
    this.request(
      "select_source",
      { name },
      translator.text("source.changing", { name: translator.sourceName(name) }),
    );
  }

  part(name) {
    return findPart(this.root, name);
  }
}
