// The visible part of a session.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TimelineView } from "../../../dashboard/components/timeline/view.js";

function openView(end = 1000) {
  const view = new TimelineView(() => {
    view.changes = (view.changes ?? 0) + 1;
  });
  view.open(end);
  return view;
}

test("a session opens as a whole", () => {
  const view = openView();
  assert.deepEqual([view.from, view.to, view.showsAll], [0, 1000, true]);
  assert.deepEqual([view.canZoomIn, view.canMoveBack, view.canMoveForward], [true, false, false]);
  assert.equal(view.changes, 1);
});

test("zooming keeps its center and ends at 20 seconds", () => {
  const view = openView();
  view.zoom(4, 200);
  assert.deepEqual([view.from, view.to], [150, 400]);
  view.zoom(1000, 200);
  assert.equal(view.span, 20);
  assert.equal(view.canZoomIn, false);
  view.zoom(1e-9);
  assert.equal(view.showsAll, true);
});

test("moving stops at both ends and keeps the span", () => {
  const view = openView();
  view.set(400, 600);
  view.move(-9999);
  assert.deepEqual([view.from, view.to, view.canMoveBack], [0, 200, false]);
  view.move(9999);
  assert.deepEqual([view.from, view.to, view.canMoveForward], [800, 1000, false]);
});

test("a view at the end of a growing session follows it, others stay", () => {
  const view = openView();
  view.extend(1010);
  assert.deepEqual([view.from, view.to], [0, 1010]);
  view.set(810, 1010);
  view.extend(1020);
  assert.deepEqual([view.from, view.to], [820, 1020]);
  view.set(300, 500);
  view.extend(1030);
  assert.deepEqual([view.from, view.to], [300, 500]);
});

test("times are clamped to the view", () => {
  const view = openView();
  view.set(100, 200);
  assert.deepEqual(
    [0, 150, 999].map((time) => view.clamp(time)),
    [100, 150, 200],
  );
});
