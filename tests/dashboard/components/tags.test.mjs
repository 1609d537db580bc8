// The words that describe the music.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TagChoice } from "../../../dashboard/components/live/tags.js";

const KNOWN = [
  { name: "80s", kind: "era" },
  { name: "guitar", kind: "instrument" },
  { name: "soul", kind: "style" },
  { name: "house", kind: "style" },
  { name: "calm", kind: "mood" },
];

function choice(limit = 3) {
  const made = new TagChoice({ kinds: ["style", "mood", "voice", "instrument", "era"], limit });
  made.setKnown(KNOWN);
  return made;
}

const tags = (...names) => names.map((name) => ({ name, probability: 0.5 }));

test("words are grouped by kind, and lie in the model's order within a kind", () => {
  const chosen = choice(6).choose(tags("80s", "calm", "house", "guitar", "soul"));
  assert.deepEqual(chosen, [["soul", "house"], ["calm"], ["guitar"], ["80s"]]);
});

test("a shown word keeps its place while the estimate has it", () => {
  const words = choice();
  assert.deepEqual(words.choose(tags("guitar", "soul", "calm", "80s")), [["soul"], ["calm"], ["guitar"]]);
  assert.deepEqual(words.choose(tags("80s", "house", "calm", "soul", "guitar")), [
    ["soul"],
    ["calm"],
    ["guitar"],
  ]);
  assert.deepEqual(words.choose(tags("80s", "house", "soul", "guitar")), [["soul"], ["guitar"], ["80s"]]);
  words.clear();
  assert.deepEqual(words.choose(tags("80s", "house", "soul", "guitar")), [["soul", "house"], ["80s"]]);
});

test("unknown words come last", () => {
  assert.deepEqual(choice().choose(tags("theremin", "80s")), [["80s"], ["theremin"]]);
});

test("a model without tags is empty", () => {
  const words = choice();
  assert.equal(words.isEmpty, false);
  words.setKnown(undefined);
  assert.equal(words.isEmpty, true);
});

test("an untrusted message gives no word", () => {
  for (const wrong of [undefined, null, "soul", { name: "soul" }, [null, 3, {}, { name: 5 }, []]])
    assert.deepEqual(choice().choose(wrong), []);
  const words = choice();
  for (const wrong of [undefined, null, "soul", [null, 3, {}, { name: 5 }]]) words.setKnown(wrong);
  assert.deepEqual(words.choose(tags("soul", "soul", "x".repeat(99))), [["soul", "x".repeat(40)]]);
});
