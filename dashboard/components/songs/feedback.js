// The artists that the reader liked, skipped or banned, each with a button that takes it back.

import { createButton, createElement, showText, updateChildren } from "../dom.js";
import { formatMessage } from "../i18n.js";

export class FeedbackBox {
  /** @param {(kind: string, key: string) => void} onAction called with "take back" or "forget" */
  constructor(onAction) {
    this.onAction = onAction;
    this.parts = {
      title: createElement("summary"),
      where: createElement("p"),
      listed: createElement("ul"),
      more: createElement("p"),
      forget: createButton("plain", "", () => onAction("forget", "")),
    };
    this.element = createElement("details", "feedback");
    this.element.dataset.testid = "choices";
    this.element.append(...Object.values(this.parts));
  }

  update(choices, words) {
    const { title, where, listed, more, forget } = this.parts;
    const hadFocus = this.#hasFocus();
    showText(title, choices.title);
    showText(where, words.where);
    showText(more, choices.more);
    showText(forget, words.forget);
    forget.disabled = choices.count === 0;
    updateChildren(listed, choices.listed, ({ artist, summary }) => this.#createRow(artist, summary, words));
    if (hadFocus && !this.#hasFocus()) title.focus({ preventScroll: true }); // the pressed button is gone
  }

  #createRow(artist, summary, words) {
    const name = createElement("span", "name", artist);
    name.dir = "auto";
    const undo = createUndoButton(artist, words, () => this.onAction("take back", artist));
    const item = createElement("li");
    item.append(name, createElement("span", "summary", summary), undo);
    return item;
  }

  #hasFocus() {
    return this.element.contains(this.element.getRootNode().activeElement);
  }
}

/** Create the button that takes back what the reader said about an artist. */
export function createUndoButton(artist, words, onClick) {
  const button = createButton("plain undo", words.back, onClick);
  button.setAttribute("aria-label", formatMessage(words.back_artist, { artist }));
  return button;
}
