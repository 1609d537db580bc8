// Checks of messages, and color arithmetic.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readableTextColor, relativeLuminance } from "../../../dashboard/components/colors.js";
import { colormapPixels } from "../../../dashboard/components/live/colormap.js";
import { isLoopback } from "../../../dashboard/components/live/connection.js";
import {
  numberOr,
  parseMessage,
  risingNumbersOr,
  textOr,
} from "../../../dashboard/components/live/messages.js";

test("only a JSON object is a message", () => {
  assert.deepEqual(parseMessage('{"type": "hello"}'), { type: "hello" });
  for (const text of ["no json", "[]", "null", "3", '"hello"', ""])
    assert.equal(parseMessage(text), null, text);
});

test("numbers are finite, texts are short", () => {
  assert.deepEqual(
    [1, Number.NaN, Number.POSITIVE_INFINITY, "1", null].map((value) => numberOr(value, 7)),
    [1, 7, 7, 7, 7],
  );
  assert.equal(textOr("x".repeat(300), "").length, 200);
  assert.equal(textOr("abc", "", 2), "ab");
  assert.equal(textOr(5, "?"), "?");
});

test("edges of rows rise", () => {
  assert.deepEqual(risingNumbersOr([0, 1, 5], null), [0, 1, 5]);
  for (const value of [[1], [1, 1], [2, 1], [0, Number.NaN], "12", undefined])
    assert.equal(risingNumbersOr(value, null), null);
});

test("a loopback address is recognized by its host name", () => {
  for (const host of ["localhost", "127.0.0.1", "127.1.2.3", "[::1]"]) assert.ok(isLoopback(host), host);
  for (const host of ["localhost.example", "192.168.0.2", "127.evil.example"])
    assert.ok(!isLoopback(host), host);
});

test("text on a color is black or white, whichever has the higher contrast", () => {
  assert.equal(relativeLuminance("#000000"), 0);
  assert.equal(relativeLuminance("#ffffff"), 1);
  assert.ok(Math.abs(relativeLuminance("#808080") - 0.2159) < 1e-4);
  assert.equal(readableTextColor("#1e4dff"), "#ffffff");
  assert.equal(readableTextColor("#b6cba3"), "#101114");
});

test("the colormap becomes opaque pixels, and a damaged one shades of gray", () => {
  const table = Uint8Array.from({ length: 768 }, (_, index) => (index < 3 ? [1, 2, 3][index] : 255));
  const bytes = (base64) => [...new Uint8Array(colormapPixels(base64).buffer)];
  const encoded = Buffer.from(table).toString("base64");
  assert.deepEqual(bytes(encoded).slice(0, 8), [1, 2, 3, 255, 255, 255, 255, 255]);
  for (const broken of [undefined, null, 5, "", "AAAA", "???"]) {
    assert.deepEqual(bytes(broken).slice(400, 404), [100, 100, 100, 255]);
  }
});
