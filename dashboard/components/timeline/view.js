// The visible part of a session. Times are seconds since the start of the session. This module touches no elements.

import { fitView, MIN_VIEW_SECONDS } from "./scale.js";

const ROUNDING_SECONDS = 0.01; // smaller differences come from rounding
const FOLLOW_SECONDS = 1; // a view that ends this near to the end of the session follows the end

export class TimelineView {
  /** @param {() => void} onChange called after every change */
  constructor(onChange) {
    this.onChange = onChange;
    this.from = 0;
    this.to = 0;
    this.end = 0;
  }

  /** Show all of a session that lasts until `end`. */
  open(end) {
    this.end = end;
    this.set(0, end);
  }

  /** Apply the new end of the same session. A view at the old end follows the new end. */
  extend(end) {
    const { from, to, end: oldEnd, showsAll } = this;
    this.end = end;
    if (showsAll) this.set(0, end);
    else if (to >= oldEnd - FOLLOW_SECONDS) this.set(from + end - oldEnd, end);
  }

  set(from, to) {
    Object.assign(this, fitView(from, to, this.end));
    this.onChange();
  }

  /** Zoom in by a factor above 1, or out by a factor below 1. `center` keeps its place. */
  zoom(factor, center = this.middle) {
    this.set(center - (center - this.from) / factor, center + (this.to - center) / factor);
  }

  /** Move by some seconds, at most to the start or end of the session. */
  move(seconds) {
    const step = Math.min(Math.max(seconds, -this.from), this.end - this.to);
    this.set(this.from + step, this.to + step);
  }

  clamp(time) {
    return Math.min(Math.max(time, this.from), this.to);
  }

  get span() {
    return this.to - this.from;
  }

  get middle() {
    return (this.from + this.to) / 2;
  }

  get showsAll() {
    return this.from <= 0 && this.to >= this.end;
  }

  get canZoomIn() {
    return this.span > MIN_VIEW_SECONDS + ROUNDING_SECONDS;
  }

  get canMoveBack() {
    return this.from > ROUNDING_SECONDS;
  }

  get canMoveForward() {
    return this.to < this.end - ROUNDING_SECONDS;
  }
}
