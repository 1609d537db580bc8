// The recent timeline: a colored step for each estimate, as high as the confidence of the estimate.

import { fitCanvas } from "./canvas.js";

export const TIMELINE_SECONDS = 300; // width of the timeline. Time without estimates stays empty.
export const TIMELINE_PARTS = 5;
const FIRST_STEP_MS = 500; // width of the first step, and of a step after a hole
const MIN_STEP_MS = 500; // shorter steps of one genre are joined, since there may be twelve estimates a second
const MAX_HOP_MS = 1200; // the newest step grows for this time until the next estimate arrives
const MAX_BRIDGED_MS = 3000; // estimates further apart leave a hole
const MAX_RUN_GAP_MS = 2000; // nearer steps of one genre share one name
const GUESS_HEIGHT = 2; // CSS pixels. A filled gray step would look like one more genre.

/** Steps without their drawing: {from, to (ms of performance.now()), label or null, confidence, sure}. */
export class TimelineSteps {
  constructor() {
    this.steps = [];
  }

  /** Add estimates from before the page was opened: [seconds ago, label, confidence, sure], oldest first. */
  addPast(past, nowMs) {
    for (const [ago, label, confidence, sure] of past)
      this.add({ label, confidence, sure }, nowMs - ago * 1000);
  }

  /** Add an estimate that has just arrived. */
  add(step, nowMs) {
    const previous = this.steps.at(-1);
    const isNear = previous && nowMs - previous.to < MAX_BRIDGED_MS;
    const isSame = previous && previous.label === step.label && previous.sure === step.sure;
    if (isNear && isSame && nowMs - previous.from < MIN_STEP_MS) {
      previous.to = nowMs;
      return;
    }
    this.steps.push({ ...step, from: isNear ? previous.to : nowMs - FIRST_STEP_MS, to: nowMs });
    while (nowMs - this.steps[0].to > TIMELINE_SECONDS * 1000) this.steps.shift();
  }

  /** Share of each genre in the recognized time, largest first: [label, 0 to 1]. */
  shares() {
    const spans = new Map();
    let total = 0;
    for (const { from, to, label, sure } of this.steps) {
      if (!label || !sure) continue;
      spans.set(label, (spans.get(label) ?? 0) + to - from);
      total += to - from;
    }
    return [...spans].map(([label, span]) => [label, span / total]).sort((a, b) => b[1] - a[1]);
  }

  /** Find the step at a position, 0 to 1 from the left edge. Returns undefined if there is no step. */
  at(position, nowMs) {
    const moment = nowMs - (1 - position) * TIMELINE_SECONDS * 1000;
    return this.steps.find(({ from, to }) => from <= moment && moment < to);
  }

  /** Join neighboring steps of one genre: [{from, to, label}]. */
  runs() {
    const runs = [];
    for (const { from, to, label, sure } of this.steps) {
      if (!label || !sure) continue;
      const last = runs.at(-1);
      if (last && last.label === label && from - last.to < MAX_RUN_GAP_MS) last.to = to;
      else runs.push({ from, to, label });
    }
    return runs;
  }
}

export class RecentTimeline {
  /** @param {(label: string) => {name: string, color: string}} genreOf name and color of a genre */
  constructor(canvas, genreOf) {
    this.canvas = canvas;
    this.genreOf = genreOf;
    this.steps = new TimelineSteps();
  }

  /** @param {{text: string, soft: string, line: string, font: string}} theme CSS values of the page's theme */
  draw(nowMs, theme) {
    const { width, height, scale } = fitCanvas(this.canvas);
    const context = this.canvas.getContext("2d");
    // Whole pixels, since fractional edges would leave hairlines between neighbors.
    const x = (ms) => Math.round(width - ((nowMs - ms) / (TIMELINE_SECONDS * 1000)) * width);
    context.clearRect(0, 0, width, height);
    context.fillStyle = theme.line;
    for (let part = 1; part < TIMELINE_PARTS; part++) {
      context.fillRect((width * part) / TIMELINE_PARTS, 0, scale, height);
    }
    context.fillRect(0, height - scale, width, scale);
    const newest = this.steps.steps.at(-1);
    for (const step of this.steps.steps) {
      const { from, label, confidence, sure } = step;
      if (!label) continue; // silence stays empty
      const to = step === newest && nowMs - step.to < MAX_HOP_MS ? nowMs : step.to;
      const stepHeight = Math.max(confidence * 0.7, 0.06) * height;
      context.fillStyle = sure ? this.genreOf(label).color : theme.soft;
      context.fillRect(
        x(from),
        height - stepHeight,
        x(to) - x(from),
        sure ? stepHeight : GUESS_HEIGHT * scale,
      );
    }
    context.font = `600 ${13 * scale}px ${theme.font}`;
    context.fillStyle = theme.text;
    for (const run of this.steps.runs()) {
      const { name } = this.genreOf(run.label);
      const left = Math.max(x(run.from), 0);
      if (x(run.to) - left > context.measureText(name).width + 12 * scale) {
        context.fillText(name, left + 4 * scale, 18 * scale);
      }
    }
  }
}
