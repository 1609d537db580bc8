// The two moving pictures. Both remember what came in and draw it whenever they are asked, so a slow
// or sleeping tab misses frames, never data.

const SPECTROGRAM_SECONDS = 20;
const LONGEST_BATCH_MS = 1500; // between two spectrum messages; beyond it, the picture waits
const FASTEST_PACE = 8; // seconds of sound a second that still glide; beyond it, the picture leaps
const TIMELINE_SECONDS = 300; // always all of them: what was not heard yet is empty
const TIMELINE_PARTS = 5;
const FINEST_STEP_MS = 500; // shorter ones of the same genre become one: there may be twelve a second
const LONGEST_HOP_MS = 1200; // from one estimate to the next, as a rule
const BRIDGED_SECONDS = 3; // estimates further apart than this leave a hole in the timeline

// Every sixteenth colour of matplotlib's inferno, which the model's own pictures use, too.
const INFERNO = [
  "000004", "0b0724", "210c4a", "3d0965", "57106e", "71196e", "8a226a", "a32c61", "bc3754", "d04545",
  "e35933", "f1711f", "f98c0a", "fcaa0f", "f9c932", "f2e865", "fcffa4",
].map((hex) => [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16)));

/** 256 colours as 32-bit pixels, in the byte order of this machine. */
function infernoPixels() {
  const bytes = new Uint8ClampedArray(256 * 4);
  for (let value = 0; value < 256; value++) {
    const place = (value / 255) * (INFERNO.length - 1);
    const low = Math.min(Math.floor(place), INFERNO.length - 2);
    for (let part = 0; part < 3; part++) {
      bytes[4 * value + part] = INFERNO[low][part] + (place - low) * (INFERNO[low + 1][part] - INFERNO[low][part]);
    }
    bytes[4 * value + 3] = 255;
  }
  return new Uint32Array(bytes.buffer);
}

/** Match the canvas to its place on the page; sharper than 2 pixels per point costs more than it shows. */
function fitted(canvas) {
  const scale = Math.min(window.devicePixelRatio || 1, 2);
  const width = Math.max(1, Math.round(canvas.clientWidth * scale));
  const height = Math.max(1, Math.round(canvas.clientHeight * scale));
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return { width, height, scale };
}

/** The last spectrum columns, drawn so that they glide although they arrive in small batches. */
class Spectrogram {
  constructor(canvas) {
    this.canvas = canvas;
    this.pixels = infernoPixels();
    this.configure({});
  }

  /** `spectrum` of a hello message: rows, column_seconds. */
  configure(spectrum) {
    this.rows = Math.min(Math.max(Math.round(numberOr(spectrum.rows, 128)), 1), 1024);
    this.columnSeconds = Math.min(Math.max(numberOr(spectrum.column_seconds, 0.087), 0.005), 1);
    this.shown = Math.ceil(SPECTROGRAM_SECONDS / this.columnSeconds);
    // Kept beyond the left edge: the right edge runs up to one batch behind the newest column.
    this.kept = this.shown + Math.ceil(LONGEST_BATCH_MS / 1000 / this.columnSeconds);
    this.strip = document.createElement("canvas"); // one pixel a column, the newest at its right edge
    this.strip.width = this.kept;
    this.strip.height = this.rows;
    this.context = this.strip.getContext("2d", { willReadFrequently: true });
    this.newest = null; // index of the newest column, counted from the start of the stream
    this.batchMs = 200; // how far apart messages come, followed slowly
    this.pace = 1; // seconds of sound a second: a file may play faster than it sounds
    this.head = 0; // seconds in the stream at the right edge
    this.drawn = ""; // what stands on the canvas; empty: something else than should
  }

  /** One spectrum message, at `nowMs` of performance.now(). */
  add(message, nowMs) {
    const columns = numberOr(message.columns, 0);
    const end = numberOr(message.end_seconds, NaN);
    if (message.rows !== this.rows || columns < 1 || Number.isNaN(end)) return;
    let data;
    try {
      data = atob(message.data);
    } catch {
      return;
    }
    if (data.length !== columns * this.rows) return;
    const last = Math.round(end / this.columnSeconds);
    let step = last - this.newest; // more than `columns` where a message was not delivered: a dark gap
    if (this.newest === null || step < 0 || step > this.kept) {
      step = this.kept; // another stream, or a leap within it: begin with an empty strip
      this.head = end;
    } else {
      const sinceMs = Math.min(Math.max(nowMs - this.arrivedMs, 1), LONGEST_BATCH_MS);
      this.batchMs += 0.2 * (sinceMs - this.batchMs);
      this.pace += 0.2 * (Math.min((step * this.columnSeconds * 1000) / sinceMs, FASTEST_PACE) - this.pace);
    }
    this.context.globalCompositeOperation = "copy"; // moves the picture and empties what it leaves
    this.context.drawImage(this.strip, -step, 0);
    const width = Math.min(columns, this.kept);
    const image = this.context.createImageData(width, this.rows);
    const target = new Uint32Array(image.data.buffer);
    for (let column = 0; column < width; column++) {
      const from = (columns - width + column) * this.rows;
      for (let row = 0; row < this.rows; row++) {
        target[row * width + column] = this.pixels[data.charCodeAt(from + row)];
      }
    }
    this.context.putImageData(image, this.kept - width, 0);
    this.newest = last;
    this.arrivedMs = nowMs;
    this.drawn = "";
  }

  /** @param {boolean} still whether the picture leaps from batch to batch instead of gliding */
  draw(nowMs, still) {
    const { width, height } = fitted(this.canvas);
    let end = 0;
    if (this.newest !== null) {
      end = this.newest * this.columnSeconds;
      const glided = end + (this.pace * (nowMs - this.arrivedMs - this.batchMs)) / 1000;
      const wanted = still ? end : Math.min(end, glided);
      this.head = Math.abs(wanted - this.head) > 2 * FASTEST_PACE ? wanted : Math.max(this.head, wanted);
    }
    const picture = [width, height, this.head].join();
    if (picture === this.drawn) return; // nothing comes while it is quiet, paused or away
    this.drawn = picture;
    const context = this.canvas.getContext("2d");
    context.fillStyle = "#000004";
    context.fillRect(0, 0, width, height);
    if (this.newest === null) return;
    const columnWidth = width / this.shown;
    const right = width + ((end - this.head) / this.columnSeconds) * columnWidth; // of the newest column
    context.drawImage(this.strip, right - this.kept * columnWidth, 0, this.kept * columnWidth, height);
  }
}

/** The last minutes: one coloured step for each estimate, as high as it was sure. */
class Timeline {
  /** @param {(label: string|null) => {name: string, colour: string}} look name and colour of a genre */
  constructor(canvas, look) {
    this.canvas = canvas;
    this.look = look;
    this.steps = []; // {from, to (ms of performance.now()), label or null, confidence, sure}
  }

  /** What the server heard before this page opened: [from, to (seconds ago), label, confidence, sure], oldest first. */
  recall(past, nowMs) {
    this.steps = past.map(([from, to, label, confidence, sure]) => (
      { from: nowMs - from * 1000, to: nowMs - to * 1000, label, confidence, sure }
    ));
  }

  add(step, nowMs) {
    const previous = this.steps.at(-1);
    const near = previous && nowMs - previous.to < BRIDGED_SECONDS * 1000;
    if (near && previous.label === step.label && previous.sure === step.sure && nowMs - previous.from < FINEST_STEP_MS) {
      previous.to = nowMs;
      return;
    }
    this.steps.push({ ...step, from: near ? previous.to : nowMs - 500, to: nowMs });
    while (nowMs - this.steps[0].to > TIMELINE_SECONDS * 1000) this.steps.shift();
  }

  /** Share of each genre in what is shown, largest first: [label, 0..1]. */
  shares() {
    const spans = new Map();
    let all = 0;
    for (const { from, to, label, sure } of this.steps) {
      if (!label || !sure) continue;
      spans.set(label, (spans.get(label) ?? 0) + to - from);
      all += to - from;
    }
    return [...spans].map(([label, span]) => [label, span / all]).sort((a, b) => b[1] - a[1]);
  }

  /** The step under a place of the canvas, `share` 0..1 from its left edge. */
  at(share, nowMs) {
    const moment = nowMs - (1 - share) * TIMELINE_SECONDS * 1000;
    return this.steps.find(({ from, to }) => from <= moment && moment < to);
  }

  draw(nowMs, colours) {
    const { width, height, scale } = fitted(this.canvas);
    const context = this.canvas.getContext("2d");
    // Whole pixels: between fractions, neighbours would leave hairlines.
    const x = (ms) => Math.round(width - ((nowMs - ms) / (TIMELINE_SECONDS * 1000)) * width);
    context.clearRect(0, 0, width, height);
    context.fillStyle = colours.line;
    for (let part = 1; part < TIMELINE_PARTS; part++) {
      context.fillRect((width * part) / TIMELINE_PARTS, 0, scale, height);
    }
    context.fillRect(0, height - scale, width, scale);
    for (const step of this.steps) {
      const { from, label, confidence, sure } = step;
      if (!label) continue; // silence stays empty
      const lasts = step === this.steps.at(-1) && nowMs - step.to < LONGEST_HOP_MS; // until the next one comes
      const to = lasts ? nowMs : step.to;
      const tall = Math.max(confidence * 0.7, 0.06) * height;
      context.fillStyle = sure ? this.look(label).colour : colours.soft;
      // A guess is a line only: filled grey would read as one more genre.
      context.fillRect(x(from), height - tall, x(to) - x(from), sure ? tall : 2 * scale);
    }
    context.font = `600 ${13 * scale}px ${colours.font}`;
    context.fillStyle = colours.text;
    for (const run of runs(this.steps)) {
      const name = this.look(run.label).name;
      const begin = Math.max(x(run.from), 0);
      if (x(run.to) - begin > context.measureText(name).width + 12 * scale) {
        context.fillText(name, begin + 4 * scale, 18 * scale);
      }
    }
  }
}

/** Neighbouring steps of the same genre as one, so that a name stands once over each. */
function runs(steps) {
  const found = [];
  for (const { from, to, label, sure } of steps) {
    if (!label || !sure) continue;
    const last = found.at(-1);
    if (last && last.label === label && from - last.to < 2000) last.to = to;
    else found.push({ from, to, label });
  }
  return found;
}
