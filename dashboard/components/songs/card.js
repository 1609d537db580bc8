// The card of one song. A card is created once and then updated, so that it keeps its place and its focus.

import { createButton, createElement, createIcon, hasChanged, showText, updateChildren } from "../dom.js";
import { formatMessage } from "../i18n.js";
import { createSongLink, isHttps } from "../song_link.js";

const ACTION_ICONS = {
  like: "M12 21C4 14 3 11 3 8a5 5 0 0 1 9-3 5 5 0 0 1 9 3c0 3-1 6-9 13z",
  pin: "M8 3h8v2h-1v6l3 3v2h-5v6h-2v-6H6v-2l3-3V5H8z",
  skip: "M4 5l9 7-9 7zM14 5l6 7-6 7z",
  ban: "M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zM6.4 7.8l9.8 9.8A7 7 0 0 1 6.4 7.8zM7.8 6.4a7 7 0 0 1 9.8 9.8z",
};
const TOGGLES = new Set(["like", "pin"]); // actions with a state. The other actions happen once.
const ARTWORK_PX = 88;

export class SongCard {
  /**
   * @param {string} key key of the song
   * @param {(kind: string, card: SongCard) => void} onAction called with the kind of an action, "open" for a link
   */
  constructor(key, onAction) {
    this.key = key;
    this.onAction = onAction;
    this.firstArtist = "";
    this.parts = {
      artwork: createElement("a", "artwork"),
      title: createElement("span", "title"),
      romanized: createElement("span", "romanized"),
      artist: createElement("span", "artist"),
      reason: createElement("span", "reason"),
      relaxed: createElement("span", "relaxed"),
      links: createElement("span", "links"),
      opened: createElement("span", "opened"),
      from: createElement("span", "from"),
    };
    const { artwork, links, opened, from, ...lines } = this.parts;
    artwork.tabIndex = -1; // a named link leads to the same page
    artwork.setAttribute("aria-hidden", "true");
    for (const element of [lines.title, lines.artist, lines.romanized]) element.dir = "auto";
    const body = createElement("span", "body");
    body.append(...Object.values(lines));
    const origin = createElement("span", "origin");
    origin.append(from, opened);
    const actions = createElement("span", "actions");
    this.buttons = Object.entries(ACTION_ICONS).map(([kind, path]) => {
      const button = createButton(kind, "", () => onAction(kind, this));
      button.append(createIcon(path));
      return [kind, button];
    });
    actions.append(...this.buttons.map(([, button]) => button));
    const footer = createElement("span", "footer");
    footer.append(links, actions);
    this.element = createElement("li", "card");
    this.element.append(artwork, body, origin, footer);
  }

  update(song, texts) {
    if (!hasChanged(this.element, [song, texts])) return;
    const { parts } = this;
    this.firstArtist = song.first_artist;
    this.element.style.setProperty("--genre", song.color);
    this.element.dataset.genre = song.genre;
    for (const name of ["title", "romanized", "reason", "relaxed", "from"]) showText(parts[name], song[name]);
    showText(parts.artist, [song.artist, song.published].filter(Boolean).join(", "));
    showText(parts.opened, song.marks.includes("open") ? texts.opened : "");
    parts.title.lang = song.language;
    parts.romanized.lang = song.language && `${song.language}-Latn`;
    parts.artist.lang = song.language;
    this.#updateArtwork(song);
    updateChildren(parts.links, song.links, (link) =>
      createSongLink(link, () => this.onAction("open", this)),
    );
    for (const [kind, button] of this.buttons) {
      const tooltip = formatMessage(texts[kind], { artist: song.first_artist });
      const label =
        kind === "ban" ? tooltip : formatMessage(texts.action, { action: tooltip, title: song.title });
      if (button.getAttribute("aria-label") !== label) button.setAttribute("aria-label", label);
      button.title = tooltip;
      button.hidden = kind === "ban" && !song.first_artist;
      if (TOGGLES.has(kind)) button.setAttribute("aria-pressed", String(song.marks.includes(kind)));
    }
  }

  /** Show the image of the service with a link to the song's page. Without an image, the card has only its colored edge. */
  #updateArtwork(song) {
    const { artwork } = this.parts;
    const address = isHttps(song.artwork) ? song.artwork : "";
    const songPage = song.links[0]?.address ?? "";
    if (isHttps(songPage)) artwork.href = songPage;
    artwork.target = "_blank";
    artwork.rel = "noopener noreferrer";
    artwork.onclick = () => this.onAction("open", this);
    if (this.artworkAddress === address) return;
    this.artworkAddress = address;
    artwork.replaceChildren();
    artwork.hidden = !address;
    if (!address) return;
    const image = createElement("img");
    image.alt = "";
    image.width = image.height = ARTWORK_PX;
    image.loading = "lazy";
    image.decoding = "async";
    image.referrerPolicy = "no-referrer";
    image.addEventListener(
      "error",
      () => {
        artwork.hidden = true;
      },
      { once: true },
    );
    image.src = address;
    artwork.append(image);
  }
}
