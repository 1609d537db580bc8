// Status of the followed source: state and newest estimate. This module touches no elements.

import { numberOr, textOr } from "./messages.js";

const MAX_LABEL_LENGTH = 40;

export class StreamStatus {
  /** @param {number} guessBelow a genre with a lower probability is a guess */
  constructor(guessBelow) {
    this.guessBelow = guessBelow;
    this.properties = {}; // properties of each state from the hello. Unknown states are ignored.
    this.isConnected = true; // assumed until the first attempt fails
    this.isUnsupported = false; // the analyzer speaks another protocol version
    this.reset();
  }

  /** Clear the status. Another source, or a restarted analyzer, numbers its messages from the start. */
  reset() {
    this.state = "CONNECTING";
    this.sequence = -1;
    this.code = null;
    this.detail = "";
    this.estimate = null;
    this.held = null; // {label, sinceSeconds (stream position), seconds}
  }

  /** Apply a hello message. */
  applyHello(message) {
    this.reset();
    if (isObject(message.states)) this.properties = message.states;
    if (isObject(message.estimate)) this.estimate = message.estimate;
    this.#setState(message, this.#checkedState(message.state));
  }

  /** Apply a state message. */
  applyState(message) {
    this.#setState(message, message.state);
  }

  /** Apply an estimate message. Returns false if it has no estimate. */
  applyEstimate(message) {
    if (!isObject(message.estimate)) return false;
    this.estimate = message.estimate;
    const state = this.#checkedState(this.estimate.state);
    const { code, detail } = state === this.state ? this : {}; // an estimate carries neither of them
    this.#setState({ seq: message.seq, code, detail }, state);
    const label = this.label;
    const end = numberOr(message.end_seconds, 0);
    if (this.state !== "LISTENING") this.held = null;
    else if (this.held?.label !== label || end < this.held.sinceSeconds) {
      this.held = { label, sinceSeconds: end, seconds: 0 };
    }
    if (this.held) this.held.seconds = end - this.held.sinceSeconds;
    return true;
  }

  /** Label of the genre for the headline, or null. */
  get label() {
    // While the estimate is unsure, the stable label is outdated and the most probable label is used.
    const stable = this.state === "LISTENING" ? labelOr(this.estimate?.stable_label, null) : null;
    return stable ?? labelOr(this.estimate?.label, null);
  }

  /** Tags of the newest estimate, unchecked. */
  get tags() {
    return this.estimate?.tags;
  }

  /** Probability of a genre, 0 to 1. */
  probability(label) {
    const probabilities = this.estimate?.probabilities ?? {};
    const fallback = label === this.estimate?.label ? numberOr(this.estimate?.confidence, 0) : 0;
    const value = numberOr(Object.hasOwn(probabilities, label) ? probabilities[label] : null, fallback);
    return Math.min(Math.max(value, 0), 1);
  }

  /** Key of the texts for the situation: a state, or AWAY, MISMATCH, CHANGING or MUTED. */
  get situation() {
    if (!this.isConnected) return "AWAY";
    if (this.isUnsupported) return "MISMATCH";
    // Another source follows in a moment. The end of a file has other texts.
    if (this.state === "ENDED" && this.code === "source_changed") return "CHANGING";
    return this.state === "SILENT" && this.code === "muted" ? "MUTED" : this.state;
  }

  /** True if the situation has a genre to show, certain or not. */
  get hasGenre() {
    return this.#has("has_genre", this.situation);
  }

  /** True if the analyzer sends estimates in this state. */
  get receivesEstimates() {
    return this.#has("has_estimate", this.state);
  }

  /** True if the analyzer may send nothing for a long time, because its source is closed. */
  get maySendNothing() {
    return this.#has("is_closed", this.state);
  }

  /** Return true if a state has a property. Names of situations are not states and have no properties. */
  #has(property, state) {
    return Object.hasOwn(this.properties, state) && this.properties[state]?.[property] === true;
  }

  /** Set the state of a message, unless a newer message has arrived. The server has a queue for each message type. */
  #setState(message, state) {
    const sequence = numberOr(message.seq, 0);
    if (sequence < this.sequence || !Object.hasOwn(this.properties, state)) return;
    this.sequence = sequence;
    this.code = textOr(message.code, null);
    this.detail = textOr(message.detail, "");
    this.state = state;
  }

  /** Return UNSURE instead of LISTENING without a probable genre, as when an outdated stable label lasts for a moment. */
  #checkedState(state) {
    if (state !== "LISTENING" || !this.estimate) return state;
    const label = labelOr(this.estimate.stable_label, null) ?? labelOr(this.estimate.label, null);
    return this.probability(label) < this.guessBelow ? "UNSURE" : state;
  }
}

function isObject(value) {
  return Boolean(value) && typeof value === "object";
}

function labelOr(value, fallback) {
  return textOr(value, fallback, MAX_LABEL_LENGTH);
}
