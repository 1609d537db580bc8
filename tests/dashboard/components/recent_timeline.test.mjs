// The steps of the Live page's timeline.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TimelineSteps } from "../../../dashboard/components/live/recent_timeline.js";

const NOW = 1_000_000;
const jazz = { label: "jazz", confidence: 0.9, sure: true };
const rock = { label: "rock", confidence: 0.8, sure: true };
const guess = { label: "jazz", confidence: 0.4, sure: false };

function stepsOf(...timed) {
  const steps = new TimelineSteps();
  for (const [step, ms] of timed) steps.add(step, NOW + ms);
  return steps;
}

function spans({ steps }) {
  return steps.map(({ label, sure, from, to }) => [label, sure, from - NOW, to - NOW]);
}

test("the first step reaches half a second back, the next one to its end", () => {
  assert.deepEqual(spans(stepsOf([jazz, 0], [rock, 1000])), [
    ["jazz", true, -500, 0],
    ["rock", true, 0, 1000],
  ]);
});

test("short steps of one genre become one, a guess or another genre does not", () => {
  assert.deepEqual(spans(stepsOf([rock, -1000], [jazz, 0], [jazz, 100], [guess, 200])), [
    ["rock", true, -1500, -1000],
    ["jazz", true, -1000, 0],
    ["jazz", true, 0, 100],
    ["jazz", false, 100, 200],
  ]);
  const many = stepsOf(...Array.from({ length: 121 }, (_, index) => [jazz, index * 83]));
  assert.equal(many.steps.length, 21, "ten seconds at twelve estimates a second");
});

test("a pause of three seconds leaves a hole", () => {
  assert.deepEqual(spans(stepsOf([jazz, 0], [jazz, 3000])), [
    ["jazz", true, -500, 0],
    ["jazz", true, 2500, 3000],
  ]);
});

test("after five minutes a step is gone", () => {
  const steps = stepsOf([jazz, 0], [rock, 2000], [rock, 301_000]);
  assert.deepEqual(spans(steps), [
    ["rock", true, 0, 2000],
    ["rock", true, 300_500, 301_000],
  ]);
});

test("shares count recognized time only, largest first", () => {
  const steps = stepsOf(
    [jazz, 0],
    [rock, 1500],
    [guess, 2500],
    [{ label: null, confidence: 0, sure: false }, 3500],
  );
  assert.deepEqual(steps.shares(), [
    ["rock", 0.75],
    ["jazz", 0.25],
  ]);
  assert.deepEqual(new TimelineSteps().shares(), []);
});

test("the step at a position is found, and none in a hole", () => {
  const steps = stepsOf([jazz, 0]);
  assert.equal(steps.at(1 - 0.1 / 300, NOW)?.label, "jazz");
  assert.equal(steps.at(0.5, NOW), undefined);
});

test("past estimates become the steps that the page itself would have drawn", () => {
  const steps = new TimelineSteps();
  steps.addPast(
    [
      [10, "jazz", 0.9, true],
      [8.6, "jazz", 0.8, true],
      [3, null, 0, false],
    ],
    NOW,
  );
  assert.deepEqual(spans(steps), [
    ["jazz", true, -10_500, -10_000],
    ["jazz", true, -10_000, -8600],
    [null, false, -3500, -3000],
  ]);
});

test("neighboring steps of one genre share a name, unless two seconds lie between them", () => {
  const steps = new TimelineSteps();
  steps.steps = [
    [0, 5, "jazz"],
    [6, 9, "jazz"],
    [12, 15, "jazz"],
    [15, 16, "rock"],
  ].map(([from, to, label]) => ({ from: from * 1000, to: to * 1000, label, confidence: 0.9, sure: true }));
  assert.deepEqual(
    steps.runs().map(({ label, from, to }) => [label, from / 1000, to / 1000]),
    [
      ["jazz", 0, 9],
      ["jazz", 12, 15],
      ["rock", 15, 16],
    ],
  );
});
