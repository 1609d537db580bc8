// Checks of what arrives over the websocket. Messages are not trusted: a number is finite, a text is short.

export const PROTOCOL_VERSION = 2; // messages of other versions are only reported

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

/** Return the value, cut to `maxLength`, if it is a text, else the fallback. */
export function textOr(value, fallback, maxLength = 200) {
  return typeof value === "string" ? value.slice(0, maxLength) : fallback;
}

/** Return the value if it is a list of two or more rising numbers, else the fallback. */
export function risingNumbersOr(value, fallback) {
  const rises =
    Array.isArray(value) &&
    value.length > 1 &&
    value.every((each, index) => Number.isFinite(each) && (index === 0 || each > value[index - 1]));
  return rises ? value : fallback;
}
