// Arithmetic of the timeline: what was sent becomes objects, times become places and words. No elements here.
// Times are seconds since the session's start unless they are called otherwise.

const LISTENING = 0, UNSURE = 1, NOT_MUSIC = 2, SILENT = 3; // places in `data.states`
const SHORTEST_VIEW = 20;
const SHORTEST_WHOLE = 60; // a session just begun is not stretched to the full width
const TICK_PX = 92; // the least between two of the axis
const TICK_STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800,
];

/** Segments as objects, in the order of their times. */
function segmentsOf(data) {
  return data.segments.map(([number, state, genre, from, to, sure, correction]) => ({
    number, state, genre, from, to: Math.max(from, to), sure, correction,
    shown: correction >= 0 ? correction : genre,
  }));
}

/** Place of the last segment that begins at or before `time`; -1 before the first. */
function placeOf(segments, time) {
  let low = 0, high = segments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (segments[middle].from <= time) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Place of the segment that is heard at `time`, or -1; `slack` seconds beside it count, too. */
function placeAt(segments, time, slack = 0) {
  const place = placeOf(segments, time);
  if (place >= 0 && time <= segments[place].to + slack) return place;
  const next = segments[place + 1];
  return next && next.from - slack <= time ? place + 1 : -1;
}

/** A part of the session that is not longer than it and lies within it. */
function fittedView(from, to, end) {
  const span = Math.min(Math.max(to - from, Math.min(SHORTEST_VIEW, end)), end);
  const begin = Math.min(Math.max(from + (to - from - span) / 2, 0), end - span);
  return { from: begin, to: begin + span };
}

/**
 * Segments that cover the middle of at least one pixel, with their edges on whole pixels: however many
 * there are, no more than the width are drawn, and each kind gets its true share of the pixels.
 */
function drawnSegments(segments, view, width) {
  const scale = width / (view.to - view.from);
  const drawn = [];
  for (let place = Math.max(0, placeOf(segments, view.from)); place < segments.length; place++) {
    const segment = segments[place];
    if (segment.from > view.to) break;
    const left = Math.max(0, Math.round((segment.from - view.from) * scale));
    const right = Math.min(width, Math.round((segment.to - view.from) * scale));
    if (right > left) drawn.push({ segment, left, right });
  }
  return drawn;
}

/** How the reader's country writes times, in the page's language. */
class Clock {
  constructor(language, started) {
    const own = navigator.languages?.find((name) => name.toLowerCase().split("-")[0] === language);
    this.locale = own ?? language;
    this.started = started;
    const format = (options) => new Intl.DateTimeFormat(this.locale, options);
    this.minutes = format({ hour: "numeric", minute: "2-digit" });
    this.seconds = format({ hour: "numeric", minute: "2-digit", second: "2-digit" });
    this.days = format({ day: "numeric", month: "short" });
    this.whole = format({ dateStyle: "medium", timeStyle: "short" });
    this.percents = new Intl.NumberFormat(this.locale, { style: "percent" });
  }

  date(time) {
    return new Date((this.started + time) * 1000);
  }

  time(time) {
    return this.seconds.format(this.date(time));
  }

  range(from, to) {
    return this.whole.formatRange(this.date(from), this.date(to));
  }

  /** Round times of the local clock: [{ time, text, strong }], `strong` where a day begins. */
  ticks(view, width) {
    const most = Math.max(1, width / TICK_PX);
    const step = TICK_STEPS.find((each) => (view.to - view.from) / each <= most) ?? TICK_STEPS.at(-1);
    const offset = -60 * this.date(view.from).getTimezoneOffset();
    const zero = this.started + offset;
    const ticks = [];
    for (let local = Math.ceil((zero + view.from) / step) * step; local <= zero + view.to; local += step) {
      const time = local - zero;
      const strong = local % 86400 === 0;
      const format = strong ? this.days : step < 60 ? this.seconds : this.minutes;
      ticks.push({ time, strong, text: format.format(this.date(time)) });
    }
    return ticks;
  }
}

/** 1:02:03 or 2:03, which every language reads. */
function length(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Names in braces filled in; what is filled in is not looked at again. */
function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
