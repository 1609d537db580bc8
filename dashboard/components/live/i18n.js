// The page's texts in the reader's language, and numbers as that language writes them.

const BUILT_IN = { demonstration: "demo" }; // playing, it has another name than offered

const LOSSES = ["gaps", "samples_lost", "windows_skipped", "overflows", "dropped_blocks", "reopened"];

class Words {
  /** @param {{language: string, words: Object<string, string>}} data texts by key, with {names} to fill in */
  constructor({ language, words }) {
    this.language = language;
    this.words = words;
    this.percents = new Intl.NumberFormat(language, { style: "percent" });
    this.numbers = new Intl.NumberFormat(language);
  }

  /** One text; empty where there is none. */
  say(key, values = {}) {
    const text = Object.hasOwn(this.words, key) ? this.words[key] : "";
    return text.replace(/\{(\w+)\}/g, (braces, name) => (Object.hasOwn(values, name) ? values[name] : braces));
  }

  percent(share) {
    return this.percents.format(share);
  }

  number(value) {
    return this.numbers.format(value);
  }

  duration(seconds) {
    const whole = Math.max(0, Math.round(seconds));
    if (whole < 60) return this.say("duration.seconds", { seconds: whole });
    return this.say("duration.minutes", { minutes: Math.floor(whole / 60), seconds: whole % 60 });
  }

  /** A source as people call it: three have names in every language, others are called as they call themselves. */
  source(name) {
    return this.say(`source.name.${BUILT_IN[name] ?? name}`) || name;
  }

  /** What the analyzer says in English, for the page: a sentence without the marks of a terminal. */
  sentence(text) {
    const plain = text.replace(/`([^`]*)`/g, "\u201c$1\u201d").trim();
    return plain && plain[0].toUpperCase() + plain.slice(1) + (/[.!?]$/.test(plain) ? "" : ".");
  }

  dbfs(level) {
    const figure = level === null ? "\u2013" : level.toFixed(0).replace("-", "\u2212");
    return this.say("source.level", { level: figure });
  }

  /** Texts that never change: into elements with `data-text`, as names with `data-name`, as tips with `data-title`. */
  fill(root) {
    root.lang = this.language;
    for (const element of root.querySelectorAll("[data-text]")) element.textContent = this.say(element.dataset.text);
    for (const element of root.querySelectorAll("[data-title]")) element.title = this.say(element.dataset.title);
    for (const element of root.querySelectorAll("[data-name]")) {
      element.setAttribute("aria-label", this.say(element.dataset.name));
      if (element.tagName === "BUTTON") element.title = this.say(element.dataset.name);
    }
  }
}

/** What a health message says that was lost, each kind in words. */
function lossesOf(message, words) {
  return LOSSES
    .map((name) => [name, Math.max(0, Math.round(numberOr(message[name], 0)))])
    .filter(([, count]) => count > 0)
    .map(([name, count]) => words.say(`losses.${name}`, { count: words.number(count) }));
}

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  if (text) element.textContent = text;
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text; // unchanged text is left alone: no flicker
}
