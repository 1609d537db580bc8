// The artists that the user liked, skipped or banned, each with a button that undoes the choice.

import { createButton, createElement, showText, updateChildren } from "../dom.js";
import { formatMessage } from "../i18n.js";

export class FeedbackBox {
  /** @param {(kind: string, key: string) => void} onAction called with "undo" or "delete_all" */
  constructor(onAction) {
    this.onAction = onAction;
    this.parts = {
      title: createElement("summary"),
      storage: createElement("p"),
      listed: createElement("ul"),
      more: createElement("p"),
      deleteAll: createButton("plain", "", () => onAction("delete_all", "")),
    };
    this.element = createElement("details", "feedback");
    this.element.dataset.testid = "choices";
    this.element.append(...Object.values(this.parts));
  }

  update(choices, texts) {
    const { title, storage, listed, more, deleteAll } = this.parts;
    const hadFocus = this.#hasFocus();
    showText(title, choices.title);
    showText(storage, texts.storage);
    showText(more, choices.more);
    showText(deleteAll, texts.delete_all);
    deleteAll.disabled = choices.count === 0;
    updateChildren(listed, choices.listed, ({ artist, summary }) => this.#createRow(artist, summary, texts));
    if (hadFocus && !this.#hasFocus()) title.focus({ preventScroll: true }); // the update has removed the pressed button
  }

  #createRow(artist, summary, texts) {
    const name = createElement("span", "name", artist);
    name.dir = "auto";
    const undo = createUndoButton(artist, texts, () => this.onAction("undo", artist));
    const item = createElement("li");
    item.append(name, createElement("span", "summary", summary), undo);
    return item;
  }

  #hasFocus() {
    return this.element.contains(this.element.getRootNode().activeElement);
  }
}

/** Create the button that undoes the user's choices about an artist. */
export function createUndoButton(artist, texts, onClick) {
  const button = createButton("plain undo", texts.undo, onClick);
  button.setAttribute("aria-label", formatMessage(texts.undo_artist, { artist }));
  return button;
}
