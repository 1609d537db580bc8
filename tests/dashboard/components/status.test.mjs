// What the Live page makes of messages, in any order.

import assert from "node:assert/strict";
import { test } from "node:test";
import { StreamStatus } from "../../../dashboard/components/live/status.js";

// Some of the states that a hello describes.
const PROPERTIES = {
  CONNECTING: {},
  WARMING_UP: {},
  LISTENING: { has_genre: true, has_estimate: true },
  UNSURE: { has_genre: true, has_estimate: true },
  SILENT: { has_estimate: true },
  PAUSED: { is_closed: true },
  ENDED: { is_closed: true },
};

function estimate(label, probability, fields = {}) {
  return {
    state: "LISTENING",
    label,
    stable_label: label,
    confidence: probability,
    probabilities: { [label]: probability },
    ...fields,
  };
}

function listening(...messages) {
  const status = new StreamStatus(0.5);
  status.applyHello({ seq: 0, state: "CONNECTING", states: PROPERTIES });
  for (const message of messages) status.applyEstimate(message);
  return status;
}

test("an estimate sets state, genre and probability", () => {
  const status = listening({ seq: 1, end_seconds: 5, estimate: estimate("jazz", 0.8) });
  assert.deepEqual([status.situation, status.label, status.probability("jazz")], ["LISTENING", "jazz", 0.8]);
  assert.ok(status.hasGenre);
  assert.equal(status.probability("rock"), 0);
});

test("a stable label that has become improbable is only a guess at the most probable genre", () => {
  const turned = estimate("rock", 0.6, { stable_label: "jazz", probabilities: { rock: 0.6, jazz: 0.3 } });
  const status = listening({ seq: 1, estimate: turned });
  assert.deepEqual([status.situation, status.label], ["UNSURE", "rock"]);
});

test("an older state that arrives late is ignored, and an unknown one always", () => {
  const status = listening({ seq: 7, estimate: estimate("jazz", 0.8) });
  status.applyState({ seq: 6, state: "SILENT" });
  assert.equal(status.state, "LISTENING");
  status.applyState({ seq: 8, state: "SINGING" });
  assert.equal(status.state, "LISTENING");
  status.applyState({ seq: 8, state: "SILENT" });
  assert.equal(status.state, "SILENT");
});

test("a hello after a restart begins the numbers anew", () => {
  const status = listening({ seq: 900, estimate: estimate("jazz", 0.8) });
  status.applyHello({ seq: 0, state: "WARMING_UP", detail: "soon" });
  assert.deepEqual([status.state, status.detail, status.label], ["WARMING_UP", "soon", null]);
});

test("the time that a genre is held counts from its first estimate, and again after a loop", () => {
  const at = (label, end, seq) => ({ seq, end_seconds: end, estimate: estimate(label, 0.9) });
  const status = listening(at("jazz", 10, 1), at("jazz", 14, 2));
  assert.equal(status.held.seconds, 4);
  status.applyEstimate(at("rock", 15, 3));
  assert.equal(status.held.seconds, 0);
  status.applyEstimate(at("rock", 2, 4)); // the file begins again
  assert.equal(status.held.seconds, 0);
  status.applyEstimate({ seq: 5, end_seconds: 3, estimate: estimate("rock", 0.9, { state: "UNSURE" }) });
  assert.equal(status.held, null);
});

test("a lost connection and another protocol version come before the state", () => {
  const status = listening({ seq: 1, estimate: estimate("jazz", 0.8) });
  status.isUnsupported = true;
  assert.deepEqual([status.situation, status.hasGenre], ["MISMATCH", false]);
  status.isConnected = false;
  assert.equal(status.situation, "AWAY");
});

test("what a state means is what the hello says of it", () => {
  const status = listening({ seq: 1, estimate: estimate("jazz", 0.8) });
  const seen = () => [status.hasGenre, status.receivesEstimates, status.maySendNothing];
  assert.deepEqual(seen(), [true, true, false]);
  status.applyState({ seq: 2, state: "SILENT" });
  assert.deepEqual(seen(), [false, true, false]);
  status.applyState({ seq: 3, state: "PAUSED" });
  assert.deepEqual(seen(), [false, false, true]);
  status.applyHello({ seq: 4, state: "SILENT", states: "none" });
  assert.deepEqual(seen(), [false, true, false], "those of the hello before");
  for (const broken of [{ SILENT: null }, { SILENT: { has_estimate: "yes" } }, {}]) {
    status.applyHello({ seq: 5, state: "SILENT", states: broken });
    assert.deepEqual(seen(), [false, false, false]);
  }
});

test("the end of a source that another one replaces has texts of its own", () => {
  const status = listening({ seq: 1, estimate: estimate("jazz", 0.8) });
  status.applyState({ seq: 2, state: "ENDED", code: "source_changed", detail: "any words" });
  assert.equal(status.situation, "CHANGING");
  status.applyState({ seq: 3, state: "ENDED", code: null, detail: "changed to radio" });
  assert.equal(status.situation, "ENDED");
});

test("silence of a muted source has texts of its own until the source is no longer muted", () => {
  const silent = (seq) => ({ seq, estimate: estimate("jazz", 0.8, { state: "SILENT" }) });
  const status = listening(silent(1));
  assert.deepEqual([status.situation, status.detail], ["SILENT", ""]);
  status.applyState({ seq: 2, state: "SILENT", code: "muted", detail: "unmute it" });
  assert.equal(status.situation, "MUTED");
  status.applyEstimate(silent(3));
  assert.deepEqual([status.situation, status.detail], ["MUTED", "unmute it"], "an estimate has no code");
  status.applyState({ seq: 4, state: "SILENT", code: null, detail: "" });
  status.applyEstimate(silent(5));
  assert.deepEqual([status.situation, status.detail], ["SILENT", ""]);
  status.applyState({ seq: 6, state: "SILENT", code: "muted", detail: "unmute it" });
  status.applyEstimate({ seq: 7, estimate: estimate("jazz", 0.8) });
  status.applyEstimate(silent(8));
  assert.deepEqual(
    [status.situation, status.detail],
    ["SILENT", ""],
    "the reason was that of earlier silence",
  );
});

test("damaged messages change nothing", () => {
  const status = listening({ seq: 1, estimate: estimate("jazz", 0.8) });
  for (const broken of [null, 3, "rock", undefined])
    assert.equal(status.applyEstimate({ seq: 2, estimate: broken }), false);
  assert.equal(status.label, "jazz");
  status.applyEstimate({
    seq: 3,
    estimate: { state: "LISTENING", label: 5, probabilities: { jazz: "many" } },
  });
  assert.equal(status.label, null);
  assert.equal(status.probability("jazz"), 0);
  assert.equal(status.probability("toString"), 0);
});
