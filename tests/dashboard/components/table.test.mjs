// The rows of a session's table.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LISTENING, parseSegments, SILENT } from "../../../dashboard/components/timeline/scale.js";
import { describeSegment, listRows } from "../../../dashboard/components/timeline/table.js";

const data = {
  genres: [{ name: "jazz" }, { name: "pop" }],
  tags: ["1980s", "soul"],
  states: ["listening", "unsure", "not music", "silence"],
  texts: { sure: "{percent} sure", corrected: "was {recognized}" },
  events: [],
  segments: [
    [1, LISTENING, 0, 0, 10, 0.9, -1, [1, 0]],
    [2, LISTENING, 0, 10, 20, 0.9, 1, [1]],
    [3, SILENT, -1, 20, 30, null, -1, []],
  ],
};
const clock = { time: String, percentFormat: new Intl.NumberFormat("en", { style: "percent" }) };
const segments = parseSegments(data);

test("the words of a segment follow its genre", () => {
  const { rows } = listRows({ data, segments, view: { from: 0, to: 30 }, clock });
  assert.deepEqual(
    rows.map(({ cells }) => cells[1]),
    ["jazz: soul, 1980s", "pop (was jazz): soul", data.states[SILENT]],
  );
});

test("a segment without words has an empty text for them", () => {
  assert.deepEqual(
    segments.map((segment) => describeSegment(segment, data, clock).words),
    ["soul, 1980s", "soul", ""],
  );
});
