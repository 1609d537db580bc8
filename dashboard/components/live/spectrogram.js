// The scrolling spectrogram. Receiving and drawing are separate, so that a slow or sleeping tab misses frames
// but no data.

import { fitCanvas } from "./canvas.js";
import { colormapPixels } from "./colormap.js";
import { numberOr } from "./messages.js";

export const SPECTROGRAM_SECONDS = 20;
const MAX_BATCH_MS = 1500; // longest expected time between spectrum messages, after which the image stops
const MAX_PACE = 8; // audio seconds per second up to which the image scrolls. At a higher pace the image jumps.

export class Spectrogram {
  constructor(canvas) {
    this.canvas = canvas;
    this.configure({});
  }

  /** Apply the `spectrum` of a hello message. */
  configure(spectrum) {
    this.pixels = colormapPixels(spectrum.colormap);
    this.rows = Math.min(Math.max(Math.round(numberOr(spectrum.rows, 128)), 1), 1024);
    this.columnSeconds = Math.min(Math.max(numberOr(spectrum.column_seconds, 0.087), 0.005), 1);
    this.visibleColumns = Math.ceil(SPECTROGRAM_SECONDS / this.columnSeconds);
    // More columns than are visible, since the right edge is up to one batch behind the newest column.
    this.keptColumns = this.visibleColumns + Math.ceil(MAX_BATCH_MS / 1000 / this.columnSeconds);
    this.strip = document.createElement("canvas"); // one pixel per column, the newest at the right edge
    this.strip.width = this.keptColumns;
    this.strip.height = this.rows;
    this.context = this.strip.getContext("2d", { willReadFrequently: true });
    this.newest = null; // index of the newest column since the start of the stream
    this.batchMs = 200; // moving average of the time between messages
    this.pace = 1; // audio seconds per second. A file may be analyzed faster than it plays.
    this.headSeconds = 0; // stream position at the right edge
    this.drawn = ""; // describes the image on the canvas, empty if the image is outdated
  }

  /** Add the columns of a spectrum message that arrived at `nowMs` of performance.now(). */
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
    let shift = last - this.newest; // more than `columns` if a message was lost, which leaves a dark gap
    if (this.newest === null || shift < 0 || shift > this.keptColumns) {
      shift = this.keptColumns; // another stream or a jump within the stream starts with an empty strip
      this.headSeconds = end;
    } else {
      const sinceMs = Math.min(Math.max(nowMs - this.arrivedMs, 1), MAX_BATCH_MS);
      this.batchMs += 0.2 * (sinceMs - this.batchMs);
      this.pace += 0.2 * (Math.min((shift * this.columnSeconds * 1000) / sinceMs, MAX_PACE) - this.pace);
    }
    this.context.globalCompositeOperation = "copy"; // moves the image and clears the rest
    this.context.drawImage(this.strip, -shift, 0);
    const width = Math.min(columns, this.keptColumns);
    const image = this.context.createImageData(width, this.rows);
    const target = new Uint32Array(image.data.buffer);
    for (let column = 0; column < width; column++) {
      const from = (columns - width + column) * this.rows;
      for (let row = 0; row < this.rows; row++) {
        target[row * width + column] = this.pixels[data.charCodeAt(from + row)];
      }
    }
    this.context.putImageData(image, this.keptColumns - width, 0);
    this.newest = last;
    this.arrivedMs = nowMs;
    this.drawn = "";
  }

  /** Draw the image. With `reducedMotion`, the image jumps from batch to batch instead of scrolling. */
  draw(nowMs, reducedMotion) {
    const { width, height } = fitCanvas(this.canvas);
    let end = 0;
    if (this.newest !== null) {
      end = this.newest * this.columnSeconds;
      const scrolled = end + (this.pace * (nowMs - this.arrivedMs - this.batchMs)) / 1000;
      const wanted = reducedMotion ? end : Math.min(end, scrolled);
      const jumps = Math.abs(wanted - this.headSeconds) > 2 * MAX_PACE;
      this.headSeconds = jumps ? wanted : Math.max(this.headSeconds, wanted);
    }
    const image = [width, height, this.headSeconds].join();
    if (image === this.drawn) return; // the image stays while no spectrum arrives
    this.drawn = image;
    const context = this.canvas.getContext("2d");
    context.clearRect(0, 0, width, height); // the background from the style sheet is the color of silence
    if (this.newest === null) return;
    const columnWidth = width / this.visibleColumns;
    const right = width + ((end - this.headSeconds) / this.columnSeconds) * columnWidth; // position of the newest column
    context.drawImage(
      this.strip,
      right - this.keptColumns * columnWidth,
      0,
      this.keptColumns * columnWidth,
      height,
    );
  }
}
