// Texts and numbers in the reader's language.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatMessage } from "../../../dashboard/components/i18n.js";
import { describeLosses, Translator } from "../../../dashboard/components/live/i18n.js";

const texts = {
  held: "for {duration}",
  "duration.seconds": "{seconds} s",
  "duration.minutes": "{minutes} min {seconds} s",
  "source.name.mic": "Microphone",
  "source.name.demo": "Demonstration",
  "source.level": "{level} dBFS",
  "losses.gaps": "Gaps: {count}",
  "losses.samples_lost": "Samples lost: {count}",
};
const english = new Translator({ language: "en", texts });

test("names in braces are filled in, unknown ones stay, and values are not scanned", () => {
  assert.equal(formatMessage("{a} and {b}", { a: "{b}", b: "$&" }), "{b} and $&");
  assert.equal(formatMessage("{a} {missing} {toString}", { a: 0 }), "0 {missing} {toString}");
  assert.equal(formatMessage("nothing"), "nothing");
});

test("an unknown key gives an empty text, also if its name is a property of every object", () => {
  assert.equal(english.text("toString"), "");
  assert.equal(english.text("held", { duration: "1 s" }), "for 1 s");
});

test("numbers and shares follow the language", () => {
  assert.equal(english.number(1234.5), "1,234.5");
  assert.equal(english.percent(0.756), "76%");
  assert.match(new Translator({ language: "ru", texts: {} }).percent(0.756), /^76\s%$/u);
});

test("durations are whole seconds, from a minute on with minutes", () => {
  assert.deepEqual(
    [-3, 0.4, 59.4, 59.5, 125].map((seconds) => english.duration(seconds)),
    ["0 s", "0 s", "59 s", "1 min 0 s", "2 min 5 s"],
  );
});

test("only built-in sources are translated, the demo under both of its names", () => {
  assert.deepEqual(
    ["mic", "demo", "demonstration", "http://radio", "toString"].map((name) => english.sourceName(name)),
    ["Microphone", "Demonstration", "Demonstration", "http://radio", "toString"],
  );
});

test("a message of the analyzer becomes a sentence", () => {
  assert.equal(
    english.sentence("no such device; see `overheard devices`"),
    "No such device; see “overheard devices”.",
  );
  assert.equal(english.sentence("Really?"), "Really?");
  assert.equal(english.sentence(" "), "");
});

test("a level has a minus sign, and an unknown one a dash", () => {
  assert.equal(english.level(-20.4), "−20 dBFS");
  assert.equal(english.level(null), "– dBFS");
});

test("losses list the counters above zero; other values count as none", () => {
  assert.deepEqual(
    describeLosses({ gaps: 2, samples_lost: 12_000, overflows: "many", dropped_blocks: 0 }, english),
    ["Gaps: 2", "Samples lost: 12,000"],
  );
  assert.deepEqual(describeLosses({}, english), []);
});
