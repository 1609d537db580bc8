// The recommendations page: songs, the reason for them, the song services, and the user's feedback.

import { createButton, createElement, showText, updateChildren } from "../dom.js";
import { formatMessage } from "../i18n.js";
import { reportVisibility } from "../visibility.js";
import { SongCard } from "./card.js";
import { createUndoButton, FeedbackBox } from "./feedback.js";

const ANNOUNCEMENT_DELAY_MS = 100; // an empty text in between makes a screen reader read an equal text again

class SongsPage {
  constructor() {
    this.act = () => {}; // sends an action of the user to the server
    this.cards = new Map(); // song key -> SongCard, for all cards in the list
    this.lastBan = null; // {key, artist, place} until the song is gone
    this.root = createElement("section", "songs");
    this.root.dataset.testid = "songs";
    this.parts = {
      causeHeading: createElement("h3"),
      cause: createElement("p", "cause"),
      bar: createElement("div", "bar"),
      legend: createElement("ul", "legend"),
      how: createElement("p", "how"),
      now: createElement("p", "now"),
      muted: createElement("p", "muted"),
      notes: createElement("ul", "notes"),
    };
    this.parts.bar.setAttribute("role", "img");
    const aside = createElement("div", "aside");
    aside.append(...Object.values(this.parts));
    this.feedback = new FeedbackBox((kind, key) => this.act(kind, key));
    Object.assign(this.parts, {
      aside,
      providersHeading: createElement("h3"),
      providers: createElement("dl", "providers"),
      ages: createElement("p", "how"),
      instead: createElement("p", "instead"),
      list: createElement("ol"),
      more: createElement("p", "more"),
      announcement: createElement("p", "visually-hidden"),
    });
    const { providersHeading, providers, ages, instead, list, more, announcement } = this.parts;
    for (const name of ["notes", "providers", "cause", "muted", "instead", "more", "announcement"]) {
      this.parts[name].dataset.testid = `song-${name}`;
    }
    list.tabIndex = -1; // receives the focus when the last card is removed
    announcement.setAttribute("role", "status");
    const providersBox = createElement("div", "providers-box");
    providersBox.append(providersHeading, providers, ages);
    const side = createElement("div", "side");
    side.append(aside, providersBox);
    const main = createElement("div", "main");
    main.append(instead, list, more);
    this.root.append(main, side, this.feedback.element, announcement);
  }

  update(data) {
    const { parts } = this;
    const { texts } = data;
    this.root.lang = data.language;
    this.root.dataset.genre = data.genre;
    showText(parts.causeHeading, data.cause && texts.cause);
    showText(parts.cause, data.cause);
    showText(parts.how, data.mix.length > 1 ? texts.mix_how : "");
    showText(parts.instead, data.instead);
    parts.aside.hidden = !(data.cause || data.now || data.muted || data.notes.length);
    showText(parts.now, data.now);
    showText(parts.muted, data.muted);
    parts.bar.hidden = !data.mix.length;
    parts.bar.setAttribute("aria-label", texts.mix);
    updateChildren(parts.bar, data.mix, createShare);
    updateChildren(parts.legend, data.mix, createLegendEntry);
    updateChildren(parts.notes, data.notes, (note) => createElement("li", "", note));
    showText(parts.providersHeading, texts.providers);
    updateChildren(parts.providers, data.providers, createProvider);
    showText(parts.ages, data.ages);
    parts.list.setAttribute("aria-label", texts.list);
    this.#updateList(data.songs, texts);
    this.#updateMore(data.more);
    this.feedback.update(data.choices, texts);
  }

  /** Update the list. Cards that stay keep their place, new cards fade in, and a lost focus moves to a neighbor. */
  #updateList(songs, texts) {
    const { list } = this.parts;
    const focus = findFocus(list);
    const added = songs.filter(({ key }) => !this.cards.has(key)).length;
    const cards = new Map(
      songs.map((song) => {
        const card = this.cards.get(song.key) ?? this.#createCard(song.key);
        card.update(song, texts);
        return [song.key, card];
      }),
    );
    for (const [key, card] of this.cards) if (!cards.has(key)) card.element.remove();
    this.cards = cards;
    [...cards.values()].forEach(({ element }, place) => {
      if (list.children[place] !== element) list.insertBefore(element, list.children[place] ?? null);
    });
    this.#offerUndo(texts);
    restoreFocus(list, focus);
    if (added) this.#announce(formatMessage(texts.announce, { count: added }));
  }

  /** Show the buttons that include songs beyond a filter. A pressed button keeps its place and its focus. */
  #updateMore(buttons) {
    const { more } = this.parts;
    for (const button of [...more.children]) {
      if (!buttons.some(({ key }) => key === button.dataset.filter)) button.remove();
    }
    buttons.forEach(({ key, label }, place) => {
      let button = [...more.children].find(({ dataset }) => dataset.filter === key);
      if (!button) {
        button = createButton("plain", "", () => this.act("include", key));
        button.dataset.filter = key;
      }
      if (more.children[place] !== button) more.insertBefore(button, more.children[place] ?? null);
      showText(button, label);
    });
    more.hidden = !buttons.length;
  }

  #createCard(key) {
    const card = new SongCard(key, (kind) => {
      if (kind === "ban") {
        const place = [...this.parts.list.children].indexOf(card.element);
        this.lastBan = { key, artist: card.firstArtist, place };
      }
      this.act(kind, key);
    });
    card.element.classList.add("new");
    return card;
  }

  /** Offer to undo a ban, on the card that took the place of the banned artist's song. */
  #offerUndo(texts) {
    const { lastBan } = this;
    if (!lastBan || this.cards.has(lastBan.key)) return;
    this.lastBan = null;
    this.offer?.remove();
    const { list } = this.parts;
    const card = list.children[Math.min(lastBan.place, list.children.length - 1)];
    if (!card) return;
    const offer = createElement("span", "offer");
    const text = createElement("span", "", formatMessage(texts.banned, lastBan));
    text.dir = "auto";
    const undo = createUndoButton(lastBan.artist, texts, () => {
      this.act("undo", lastBan.artist);
      offer.remove();
      card.querySelector("button.ban").focus({ preventScroll: true });
    });
    offer.append(text, undo);
    card.append(offer);
    this.offer = offer;
  }

  #announce(text) {
    const { announcement } = this.parts;
    announcement.textContent = "";
    clearTimeout(this.announcing);
    this.announcing = setTimeout(() => {
      announcement.textContent = text;
    }, ANNOUNCEMENT_DELAY_MS);
  }
}

function createShare({ color, share }) {
  const part = createElement("span");
  part.style.setProperty("--genre", color);
  part.style.flexGrow = Number(share);
  return part;
}

function createLegendEntry({ color, name, percent }) {
  const item = createElement("li", "", `${name} ${percent}`);
  item.style.setProperty("--genre", color);
  return item;
}

function createProvider({ name, status, tone }) {
  const group = createElement("div", tone);
  group.append(createElement("dt", "", name), createElement("dd", "", status));
  return group;
}

/** Find the focused element of the list. Returns null if the focus is elsewhere. */
function findFocus(list) {
  const { activeElement } = list.getRootNode();
  const place = [...list.children].findIndex((card) => card.contains(activeElement));
  if (place < 0) return null;
  const links = [...list.children[place].querySelectorAll(".links a")];
  return { activeElement, place, kind: activeElement.className, link: links.indexOf(activeElement) };
}

/** Focus the same control on the card that is now in the same place. */
function restoreFocus(list, focus) {
  if (!focus || list.getRootNode().activeElement === focus.activeElement) return;
  let target = focus.activeElement;
  if (!target.isConnected) {
    const card = list.children[Math.min(focus.place, list.children.length - 1)];
    const links = card?.querySelectorAll(".links a") ?? [];
    target =
      focus.link >= 0
        ? links[Math.min(focus.link, links.length - 1)]
        : card?.querySelector(`button.${focus.kind}`);
  }
  (target ?? list).focus({ preventScroll: true });
}

const pages = new WeakMap(); // parent element from Streamlit -> SongsPage

export default function mount({ parentElement, data, setTriggerValue, setStateValue }) {
  if (!pages.has(parentElement)) {
    const page = new SongsPage();
    pages.set(parentElement, page);
    parentElement.append(page.root);
  }
  const page = pages.get(parentElement);
  page.act = (kind, key) => setTriggerValue("action", { kind, key, at: Date.now() });
  page.root.dataset.seen = data.seen;
  page.update(data);
  reportVisibility(page.root, data.seen, (seen) => setStateValue("seen", seen));
}
