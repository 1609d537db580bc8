// Arithmetic of the session's timeline.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  fitView,
  formatDuration,
  indexAt,
  lastStartedIndex,
  LISTENING,
  parseSegments,
  placeSegments,
  SessionClock,
} from "../../../dashboard/components/timeline/scale.js";

const segments = parseSegments({
  segments: [
    [1, LISTENING, 0, 0, 10, 0.9, -1, []],
    [2, LISTENING, 1, 10, 20, 0.8, 2, []],
    [3, LISTENING, 0, 30, 25, 0.7, -1, []],
  ],
});

test("a segment shows its correction and never ends before it begins", () => {
  assert.deepEqual(
    segments.map(({ number, from, to, shown }) => [number, from, to, shown]),
    [
      [1, 0, 10, 0],
      [2, 10, 20, 2],
      [3, 30, 30, 0],
    ],
  );
});

test("the last started segment is found before, at and after the edges", () => {
  const indices = [-1, 0, 9.9, 10, 29, 30, 99].map((time) => lastStartedIndex(segments, time));
  assert.deepEqual(indices, [-1, 0, 0, 1, 1, 2, 2]);
});

test("a gap belongs to no segment, except within the tolerance of a neighbor", () => {
  assert.equal(indexAt(segments, 25), -1);
  assert.equal(indexAt(segments, 21, 1), 1);
  assert.equal(indexAt(segments, 29, 1), 2);
  assert.equal(indexAt(segments, 25, 1), -1);
});

test("a view is at least 20 seconds long, lies within the session and keeps its middle", () => {
  assert.deepEqual(fitView(-50, 500, 100), { from: 0, to: 100 });
  assert.deepEqual(fitView(48, 52, 100), { from: 40, to: 60 });
  assert.deepEqual(fitView(95, 99, 100), { from: 80, to: 100 });
  assert.deepEqual(fitView(0, 5, 10), { from: 0, to: 10 });
});

test("segments are placed on whole pixels without overlap", () => {
  const placed = placeSegments(segments, { from: 5, to: 35 }, 300);
  assert.deepEqual(
    placed.map(({ segment, left, right }) => [segment.number, left, right]),
    [
      [1, 0, 50],
      [2, 50, 150],
    ],
  );
});

test("however many segments there are, no more than the width are drawn, each genre with its share", () => {
  let end = 0;
  let random = 1; // Park and Miller's generator: even lengths would let every pixel meet the same genre
  const many = parseSegments({
    segments: Array.from({ length: 30_000 }, (_, index) => {
      const start = end;
      random = (random * 16_807) % 2_147_483_647;
      end += 1 + random / 2_147_483_647;
      return [index, LISTENING, index % 3, start, end, 1, -1];
    }),
  });
  const placed = placeSegments(many, { from: 0, to: end }, 1000);
  assert.ok(placed.length <= 1000);
  const shares = [0, 0, 0];
  for (const { segment, left, right } of placed) shares[segment.genre] += right - left;
  for (const share of shares) assert.ok(Math.abs(share - 1000 / 3) < 40, String(shares));
});

test("ticks stand at round local times, at least 92 pixels apart, and mark the start of a day", () => {
  const clock = new SessionClock("en", Date.UTC(2026, 0, 1, 23, 58, 20) / 1000);
  const view = { from: 0, to: 300 };
  const ticks = clock.ticks(view, 600);
  const pixels = ticks.map(({ time }) => (time * 600) / 300);
  for (let index = 1; index < pixels.length; index++) assert.ok(pixels[index] - pixels[index - 1] >= 92);
  assert.deepEqual(
    ticks.map(({ time }) => (time + 20) % 60),
    ticks.map(() => 0),
  );
  const offset = clock.date(0).getTimezoneOffset();
  if (offset === 0)
    assert.deepEqual(
      ticks.filter(({ startsDay }) => startsDay).map(({ time }) => time),
      [100],
    );
});

test("the clock writes times as the reader's country does, in the page's language", () => {
  const started = Date.UTC(2026, 0, 1, 15, 4, 5) / 1000;
  const american = new SessionClock("en", started, ["de-DE", "en-US"]);
  const british = new SessionClock("en", started, ["en-GB"]);
  assert.equal(american.locale, "en-US");
  assert.equal(british.locale, "en-GB");
  assert.match(american.time(0), /[AP]M$/);
  assert.doesNotMatch(british.time(0), /[AP]M$/i);
  assert.equal(new SessionClock("ja", started, ["en-US"]).locale, "ja");
});

test("durations read the same in every language", () => {
  assert.deepEqual([-1, 0, 59.6, 61, 3599.4, 3600, 36_123].map(formatDuration), [
    "0:00",
    "0:00",
    "1:00",
    "1:01",
    "59:59",
    "1:00:00",
    "10:02:03",
  ]);
});
