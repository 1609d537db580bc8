// The card with the current genre: state, headline, confidence, and advice.

import { findPart, setText } from "../dom.js";
import { analyzerHint } from "./connection.js";
import { TagChoice } from "./tags.js";

const WITHOUT_DETAIL = new Set(["LISTENING", "CHANGING", "MISMATCH"]); // their texts need no detail
const RISE = [
  { opacity: 0.35, transform: "translateY(.12em)" },
  { opacity: 1, transform: "none" },
];
const RISE_TIMING = { duration: 500, easing: "ease-out" };

export class GenreCard {
  /**
   * @param {HTMLElement} root element of the component. Its theme follows the genre.
   * @param {MediaQueryList} reducedMotion
   * @param {object} tags see `TagChoice`
   */
  constructor(root, reducedMotion, tags) {
    this.root = root;
    this.reducedMotion = reducedMotion;
    this.tags = new TagChoice(tags);
    this.announced = null; // label of the genre in the last announcement to screen readers
    this.#part("full-screen").addEventListener("click", () => this.#enlarge());
    this.#part("full-screen").hidden = !document.fullscreenEnabled;
  }

  /** Set the tags of the model, [{name, kind}]. A model without tags has no line for them. */
  setKnownTags(tags) {
    this.tags.setKnown(tags);
    this.#part("tags").hidden = this.tags.isEmpty;
  }

  /**
   * Show the situation.
   *
   * @param {import("./status.js").StreamStatus} status
   * @param {object} context
   * @param {object} context.data the component's data
   * @param {import("./i18n.js").Translator} context.translator
   * @param {(label: string) => {name: string, color: string}} context.genreOf
   */
  show(status, { data, translator, genreOf }) {
    const { situation } = status;
    const label = status.hasGenre ? status.label : null;
    const isCertain = label !== null && situation === "LISTENING";
    const genre = label === null ? null : genreOf(label);
    this.#showTheme(label, isCertain, genre);
    this.#showTexts(situation, isCertain, genre, translator);
    this.#showDetail(status, data.analyzer, translator);
    this.#part("state").dataset.state = situation;
    this.#part("genre").dataset.label = label ?? "";
    this.#showTags(label === null ? null : status.tags, data.tags);
    this.#showConfidence(status, label, isCertain, data.sureness, translator);
    const held = isCertain && status.held;
    const duration = held && translator.text("held_for", { duration: translator.duration(held.seconds) });
    this.#say("duration", duration || "");
    if (isCertain && label !== this.announced) this.#announce(label, genre, translator);
  }

  #showTheme(label, isCertain, genre) {
    this.root.dataset.mood = isCertain ? "sure" : label !== null ? "unsure" : "waiting";
    this.root.style.setProperty("--now", isCertain ? genre.color : "var(--soft)");
    this.root.style.setProperty("--glow", isCertain ? genre.color : "transparent");
  }

  #showTexts(situation, isCertain, genre, translator) {
    const text = (part) => translator.text(`state.${situation}.${part}`);
    this.#say("state", text("title"));
    if (genre === null) this.#say("genre", text("headline") || "\u2026");
    else this.#say("genre", isCertain ? genre.name : translator.text("guess", { genre: genre.name }));
    this.#say("advice", text("advice"));
  }

  #showDetail(status, analyzer, translator) {
    const { situation } = status;
    const detail = WITHOUT_DETAIL.has(situation) ? "" : status.detail;
    this.#say("detail", situation === "AWAY" ? analyzerHint(analyzer, translator) : detail);
  }

  /** Show the words for the music, or an empty line if no music plays. */
  #showTags(tags, { names, separator }) {
    if (tags === null) this.tags.clear();
    const name = (tag) => (Object.hasOwn(names, tag) ? names[tag] : tag);
    const groups = this.tags.choose(tags).map((group) => group.map(name).join(", "));
    this.#say("tags", groups.join(separator));
  }

  #showConfidence(status, label, isCertain, sureness, translator) {
    const share = label === null ? 0 : status.probability(label);
    this.#part("meter").style.transform = `scaleX(${share})`;
    if (label === null) {
      this.#say("confidence", "");
      return;
    }
    const word = isCertain ? sureness.find(([least]) => share >= least)?.[1] : "guess";
    this.#say(
      "confidence",
      translator.text("sure.line", {
        percent: translator.percent(share),
        sureness: translator.text(`sure.${word}`),
      }),
    );
  }

  #announce(label, genre, translator) {
    // The new name rises into place and is readable from the first frame.
    if (this.announced !== null && !this.reducedMotion.matches)
      this.#part("genre").animate(RISE, RISE_TIMING);
    this.announced = label;
    this.#say("announcement", translator.text("announcement", { genre: genre.name }));
  }

  /** Fill the screen with the card, so that it can be read from across the room. Escape ends full screen. */
  #enlarge() {
    this.#part("now")
      .requestFullscreen()
      .catch(() => {}); // a browser may refuse full screen
  }

  #part(name) {
    return findPart(this.root, name);
  }

  #say(name, text) {
    setText(this.#part(name), text);
  }
}
