// Arithmetic of the timeline: segments, positions of times, and formats. This module touches no elements.
// Times are seconds since the start of the session.

// Indices in `data.states`.
export const LISTENING = 0;
export const UNSURE = 1;
export const NOT_MUSIC = 2;
export const SILENT = 3;

export const MIN_VIEW_SECONDS = 20;
export const MIN_TOTAL_SECONDS = 60; // a session that has just begun does not fill the full width
const MIN_TICK_PX = 92;
const TICK_STEPS_SECONDS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800,
  604_800,
];
const DAY_SECONDS = 86_400;

/** Parse the segments in the order of their times. `shown` is the index of the displayed genre. */
export function parseSegments(data) {
  return data.segments.map(([number, state, genre, from, to, confidence, correction, tags]) => ({
    number,
    state,
    genre,
    from,
    to: Math.max(from, to),
    confidence,
    correction,
    tags,
    shown: correction >= 0 ? correction : genre,
  }));
}

/** Index of the last segment that begins at or before `time`, or -1 before the first segment. */
export function lastStartedIndex(segments, time) {
  let low = 0;
  let high = segments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (segments[middle].from <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Index of the segment at `time`, or -1. Segments up to `tolerance` seconds away count too. */
export function indexAt(segments, time, tolerance = 0) {
  const index = lastStartedIndex(segments, time);
  if (index >= 0 && time <= segments[index].to + tolerance) return index;
  const next = segments[index + 1];
  return next && next.from - tolerance <= time ? index + 1 : -1;
}

/** Fit a view into a session of `end` seconds without moving its middle if possible: {from, to}. */
export function fitView(from, to, end) {
  const span = Math.min(Math.max(to - from, Math.min(MIN_VIEW_SECONDS, end)), end);
  const begin = Math.min(Math.max(from + (to - from - span) / 2, 0), end - span);
  return { from: begin, to: begin + span };
}

/**
 * Place the segments of a view on whole pixels: [{segment, left, right}]. Only segments that cover the
 * middle of a pixel are returned, so there are at most `width`, and each genre gets its true share.
 */
export function placeSegments(segments, view, width) {
  const scale = width / (view.to - view.from);
  const placed = [];
  for (let index = Math.max(0, lastStartedIndex(segments, view.from)); index < segments.length; index++) {
    const segment = segments[index];
    if (segment.from > view.to) break;
    const left = Math.max(0, Math.round((segment.from - view.from) * scale));
    const right = Math.min(width, Math.round((segment.to - view.from) * scale));
    if (right > left) placed.push({ segment, left, right });
  }
  return placed;
}

/** Formats the times of a session in the page's language and in the notation of the user's country. */
export class SessionClock {
  /**
   * @param {string} language of the page
   * @param {number} started Unix time of the session's start in seconds
   * @param {readonly string[]} locales the user's locales. The first one in the page's language decides the notation.
   */
  constructor(language, started, locales = []) {
    const regional = locales.find((name) => name.toLowerCase().split("-")[0] === language);
    this.locale = regional ?? language;
    this.started = started;
    const format = (options) => new Intl.DateTimeFormat(this.locale, options);
    this.minuteFormat = format({ hour: "numeric", minute: "2-digit" });
    this.secondFormat = format({ hour: "numeric", minute: "2-digit", second: "2-digit" });
    this.dayFormat = format({ day: "numeric", month: "short" });
    this.rangeFormat = format({ dateStyle: "medium", timeStyle: "short" });
    this.percentFormat = new Intl.NumberFormat(this.locale, { style: "percent" });
  }

  date(time) {
    return new Date((this.started + time) * 1000);
  }

  time(time) {
    return this.secondFormat.format(this.date(time));
  }

  range(from, to) {
    return this.rangeFormat.formatRange(this.date(from), this.date(to));
  }

  /** Round local times for the axis: [{time, text, startsDay}]. */
  ticks(view, width) {
    const maxTicks = Math.max(1, width / MIN_TICK_PX);
    const step =
      TICK_STEPS_SECONDS.find((each) => (view.to - view.from) / each <= maxTicks) ??
      TICK_STEPS_SECONDS.at(-1);
    const offset = -60 * this.date(view.from).getTimezoneOffset();
    const zero = this.started + offset;
    const ticks = [];
    for (let local = Math.ceil((zero + view.from) / step) * step; local <= zero + view.to; local += step) {
      const time = local - zero;
      const startsDay = local % DAY_SECONDS === 0;
      const format = startsDay ? this.dayFormat : step < 60 ? this.secondFormat : this.minuteFormat;
      ticks.push({ time, startsDay, text: format.format(this.date(time)) });
    }
    return ticks;
  }
}

/** Format a duration as 1:02:03 or 2:03, which is the same in every language. */
export function formatDuration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const twoDigits = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours
    ? `${hours}:${twoDigits(minutes)}:${twoDigits(whole % 60)}`
    : `${minutes}:${twoDigits(whole % 60)}`;
}
