// Tracks of the user's own library. One of them plays at a time, and while it plays the list stays as it is.

import { createButton, createElement, createIcon, hasChanged, setText, showText } from "../dom.js";
import { formatMessage } from "../i18n.js";

const ICONS = {
  play: "M7 4l13 8-13 8z",
  stop: "M6 6h12v12H6z",
  copy: "M8 3h12v14h-3v4H4V7h4zm2 2v10h8V5z",
};

class OwnTracks {
  constructor() {
    this.texts = {};
    this.playing = null; // the row of the track that plays
    this.waiting = null; // data that arrived while a track plays
    this.root = createElement("section", "own");
    this.root.dataset.testid = "own-tracks";
    this.heading = createElement("h3");
    this.message = createElement("p", "message");
    this.list = createElement("ol");
    this.save = createElement("a", "save");
    this.save.download = "overheard.m3u";
    this.status = createElement("p", "status");
    this.status.setAttribute("role", "status");
    this.audio = createElement("audio");
    this.audio.preload = "none";
    this.position = createElement("input");
    Object.assign(this.position, { type: "range", min: 0, max: 1, step: 1, value: 0 });
    this.audio.addEventListener("ended", () => this.stop());
    this.audio.addEventListener("error", () => this.#fail());
    this.audio.addEventListener("timeupdate", () => this.#showPosition());
    this.audio.addEventListener("durationchange", () => this.#showPosition());
    this.position.addEventListener("input", () => {
      this.audio.currentTime = Number(this.position.value);
    });
    this.root.append(this.heading, this.message, this.list, this.status, this.save, this.audio);
  }

  update(data) {
    if (this.playing) {
      this.waiting = data;
      return;
    }
    if (!hasChanged(this.root, data)) return;
    this.texts = data.texts;
    this.root.lang = data.language;
    setText(this.heading, data.heading);
    showText(this.message, data.message);
    this.list.hidden = !data.tracks.length;
    this.list.setAttribute("aria-label", data.heading);
    this.list.replaceChildren(...data.tracks.map((track) => this.#createRow(track)));
    URL.revokeObjectURL(this.save.href);
    this.save.hidden = !data.m3u;
    setText(this.save, this.texts.m3u);
    if (data.m3u) this.save.href = URL.createObjectURL(new Blob([data.m3u], { type: "audio/x-mpegurl" }));
  }

  #createRow(track) {
    const row = createElement("li");
    row.style.setProperty("--genre", track.color);
    const name = createElement("span", "name");
    const title = createElement("span", "title", track.title);
    const artist = createElement("span", "artist", track.artist);
    title.dir = artist.dir = "auto";
    name.append(title, artist);
    const facts = createElement("span", "facts", [track.genre, track.likeness].filter(Boolean).join(" · "));
    row.append(name, facts);
    if (track.address) {
      const play = createButton("play", "", () => this.#toggle(row, play, track));
      this.#showIcon(play, "play", track);
      row.prepend(play);
    }
    if (track.folder && navigator.clipboard) {
      const copy = createButton("copy", "", () => this.#copy(track));
      this.#showIcon(copy, "copy", track);
      row.append(copy);
    }
    return row;
  }

  #showIcon(button, kind, track) {
    button.replaceChildren(createIcon(ICONS[kind]));
    const label = formatMessage(this.texts[kind], { title: track.title });
    button.setAttribute("aria-label", label);
    button.title = label;
  }

  #toggle(row, button, track) {
    const wasPlaying = this.playing?.row === row;
    this.#pause();
    showText(this.status, "");
    if (wasPlaying) {
      this.#showNewest();
      return;
    }
    this.playing = { row, button, track };
    row.classList.add("playing");
    this.#showIcon(button, "stop", track);
    this.position.setAttribute("aria-label", formatMessage(this.texts.position, { title: track.title }));
    this.position.value = 0;
    row.append(this.position);
    this.audio.src = track.address;
    this.audio.play().catch((error) => {
      if (error.name !== "AbortError") this.#fail(); // the user has chosen another track meanwhile
    });
  }

  /** Stop the track that plays, and show the newest list. */
  stop() {
    this.#pause();
    this.#showNewest();
  }

  #pause() {
    const { playing } = this;
    if (!playing) return;
    this.playing = null;
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.audio.load();
    this.position.remove();
    playing.row.classList.remove("playing");
    this.#showIcon(playing.button, "play", playing.track);
  }

  #showNewest() {
    const { waiting } = this;
    this.waiting = null;
    if (waiting) this.update(waiting);
  }

  #fail() {
    if (!this.playing) return; // the source was removed
    this.stop();
    showText(this.status, this.texts.unplayable);
  }

  #showPosition() {
    const { duration, currentTime } = this.audio;
    if (Number.isFinite(duration)) this.position.max = Math.ceil(duration);
    this.position.value = Math.floor(currentTime);
  }

  async #copy(track) {
    await navigator.clipboard.writeText(track.folder);
    showText(this.status, formatMessage(this.texts.copied, track));
  }
}

const lists = new WeakMap(); // parent element from Streamlit -> OwnTracks

export default function mount({ parentElement, data }) {
  if (!lists.has(parentElement)) {
    const list = new OwnTracks();
    lists.set(parentElement, list);
    parentElement.append(list.root);
  }
  lists.get(parentElement).update(data);
  return () => lists.get(parentElement)?.stop(); // Streamlit removes the element, for instance on another page
}
