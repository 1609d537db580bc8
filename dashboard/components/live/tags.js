// The words that describe the music, in an order in which they do not jump. This module touches no elements.

import { textOr } from "./messages.js";

const MAX_NAME_LENGTH = 40;
const MAX_KNOWN = 200; // words of a model

/** Choice of the words to show, from the tags of the newest estimates. */
export class TagChoice {
  /**
   * @param {object} options
   * @param {string[]} options.kinds kinds of tags, in the order of the page
   * @param {number} options.limit number of words
   */
  constructor({ kinds, limit }) {
    this.kinds = kinds;
    this.limit = limit;
    this.setKnown([]);
  }

  /** Set the model's tags, [{name, kind}]. They give the words their places. */
  setKnown(tags) {
    this.kindOf = new Map(); // kind by name
    for (const tag of listOr(tags).slice(0, MAX_KNOWN)) {
      const name = nameOf(tag);
      if (name) this.kindOf.set(name, textOr(tag.kind, ""));
    }
    const known = [...this.kindOf.keys()];
    this.places = new Map(known.map((name, index) => [name, index]));
    this.clear();
  }

  /** True if the model has no tags. */
  get isEmpty() {
    return this.kindOf.size === 0;
  }

  /** Forget the shown words. */
  clear() {
    this.names = [];
  }

  /**
   * Return the words for the tags of an estimate, [{name, probability}], the strongest first. A shown word stays
   * while the estimate has it, even if others are stronger.
   *
   * @returns {string[][]} words by kind, without empty kinds
   */
  choose(tags) {
    const offered = [...new Set(listOr(tags).map(nameOf).filter(Boolean))];
    const kept = this.names.filter((name) => offered.includes(name));
    const others = offered.filter((name) => !kept.includes(name));
    this.names = [...kept, ...others].slice(0, this.limit);
    const place = (name) => this.places.get(name) ?? MAX_KNOWN;
    const ordered = [...this.names].sort((a, b) => place(a) - place(b) || (a < b ? -1 : 1));
    const isOther = (name) => !this.kinds.includes(this.kindOf.get(name));
    const groups = this.kinds.map((kind) => ordered.filter((name) => this.kindOf.get(name) === kind));
    return [...groups, ordered.filter(isOther)].filter((group) => group.length > 0);
  }
}

function nameOf(tag) {
  return textOr(tag?.name, "", MAX_NAME_LENGTH);
}

function listOr(value) {
  return Array.isArray(value) ? value : [];
}
