// Positions on bars and on the spectrogram.

import assert from "node:assert/strict";
import { test } from "node:test";
import { frequencyMarks, frequencyPosition } from "../../../dashboard/components/live/axes.js";
import { levelShare } from "../../../dashboard/components/live/level.js";

test("a level bar is empty at -60 dBFS, full at 0, and never beyond", () => {
  assert.deepEqual([null, -90, -60, -30, 0, 6].map(levelShare), [0, 0, 0, 0.5, 1, 1]);
});

test("evenly spaced rows are marked at both ends and in the middle", () => {
  assert.deepEqual(frequencyMarks([0, 10_000]), [
    { text: "0", position: 0 },
    { text: "5 kHz", position: 0.5 },
    { text: "10 kHz", position: 1 },
  ]);
  assert.deepEqual(
    frequencyMarks([0, 4000]).map(({ text }) => text),
    ["0", "4 kHz"],
  );
  assert.deepEqual(frequencyMarks([]), []);
});

test("rows of different heights in Hz are marked where their frequencies lie", () => {
  const edges = [0, 100, 300, 700, 1500, 3100, 6300];
  assert.deepEqual(
    frequencyMarks(edges).map(({ text }) => text),
    ["200 Hz", "1 kHz", "4 kHz"],
  );
  assert.equal(frequencyPosition(0, edges), 0);
  assert.equal(frequencyPosition(200, edges), 1.5 / 6);
  assert.equal(frequencyPosition(6300, edges), 1);
  const positions = Array.from({ length: 100 }, (_, index) => frequencyPosition(index * 63, edges));
  assert.deepEqual(
    positions,
    [...positions].sort((a, b) => a - b),
  );
});
