// Validation of untrusted websocket messages. Numbers must be finite, and texts are cut.

export const PROTOCOL_VERSION = 2; // of messages of other versions, only the version is shown

/** Parse a JSON object. Returns null for anything else. */
export function parseMessage(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** Return the value if it is a finite number, else the fallback. */
export function numberOr(value, fallback) {
  return typeof value === "number" && Number.isFinite(value) ? value : fallback;
}

/** Return the value, cut to `maxLength` characters, if it is a string, else the fallback. */
export function textOr(value, fallback, maxLength = 200) {
  return typeof value === "string" ? value.slice(0, maxLength) : fallback;
}

/** Return the value if it is an array of two or more rising numbers, else the fallback. */
export function risingNumbersOr(value, fallback) {
  const rises =
    Array.isArray(value) &&
    value.length > 1 &&
    value.every((each, index) => Number.isFinite(each) && (index === 0 || each > value[index - 1]));
  return rises ? value : fallback;
}
