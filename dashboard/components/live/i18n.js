// Texts and numbers of the live component in the user's language.

import { formatMessage } from "../i18n.js";
import { numberOr } from "./messages.js";

const SOURCE_ALIASES = { demonstration: "demo" }; // the demo source has another name while it plays
const LOSS_COUNTERS = [
  "gaps",
  "samples_lost",
  "windows_skipped",
  "overflows",
  "dropped_blocks",
  "reconnects",
];

export class Translator {
  /** @param {{language: string, texts: Object<string, string>}} data templates by key */
  constructor({ language, texts }) {
    this.language = language;
    this.templates = texts;
    this.percentFormat = new Intl.NumberFormat(language, { style: "percent" });
    this.numberFormat = new Intl.NumberFormat(language);
  }

  /** Return a text with its values filled in, or "" if the key is unknown. */
  text(key, values = {}) {
    return Object.hasOwn(this.templates, key) ? formatMessage(this.templates[key], values) : "";
  }

  percent(share) {
    return this.percentFormat.format(share);
  }

  number(value) {
    return this.numberFormat.format(value);
  }

  duration(seconds) {
    const whole = Math.max(0, Math.round(seconds));
    if (whole < 60) return this.text("duration.seconds", { seconds: whole });
    return this.text("duration.minutes", { minutes: Math.floor(whole / 60), seconds: whole % 60 });
  }

  /** Return the translated name of a built-in source. Other sources keep their names. */
  sourceName(name) {
    return this.text(`source.name.${SOURCE_ALIASES[name] ?? name}`) || name;
  }

  /** Turn an English message of the analyzer into a sentence with typographic quotes instead of backticks. */
  sentence(text) {
    const plain = text.replace(/`([^`]*)`/g, "\u201c$1\u201d").trim();
    return plain && plain[0].toUpperCase() + plain.slice(1) + (/[.!?]$/.test(plain) ? "" : ".");
  }

  /** Format a level in dBFS. An unknown level (null) becomes a dash. */
  level(dbfs) {
    const figure = dbfs === null ? "\u2013" : dbfs.toFixed(0).replace("-", "\u2212");
    return this.text("source.level", { level: figure });
  }

  /** Fill in the static texts: `data-text` as content, `data-name` as accessible name, `data-title` as tooltip. */
  fillIn(root) {
    root.lang = this.language;
    for (const element of root.querySelectorAll("[data-text]"))
      element.textContent = this.text(element.dataset.text);
    for (const element of root.querySelectorAll("[data-title]"))
      element.title = this.text(element.dataset.title);
    for (const element of root.querySelectorAll("[data-name]")) {
      element.setAttribute("aria-label", this.text(element.dataset.name));
      if (element.tagName === "BUTTON") element.title = this.text(element.dataset.name);
    }
  }
}

/** List the losses of a health message, one text for each counter above zero. */
export function describeLosses(message, translator) {
  return LOSS_COUNTERS.map((name) => [name, Math.max(0, Math.round(numberOr(message[name], 0)))])
    .filter(([, count]) => count > 0)
    .map(([name, count]) => translator.text(`losses.${name}`, { count: translator.number(count) }));
}
