// A short list of songs beside the live component, with links.

import { createElement, hasChanged } from "../dom.js";
import { createSongLink } from "../song_link.js";
import { reportVisibility } from "../visibility.js";

export default function mount({ parentElement, data, setStateValue }) {
  let root = parentElement.querySelector("[data-testid=next]");
  if (!root) {
    root = createElement("div");
    root.dataset.testid = "next";
    parentElement.append(root);
  }
  reportVisibility(root, data.seen, (seen) => setStateValue("seen", seen));
  if (!hasChanged(root, data)) return; // a rebuilt link would lose a click that has just begun
  root.lang = data.language;
  const list = createElement("ol");
  list.append(...data.songs.map(createSong));
  const message = createElement("p", "message", data.message);
  root.replaceChildren(createElement("h2", "", data.heading), data.songs.length ? list : message);
}

function createSong(song) {
  const title = createElement("span", "title", song.title);
  title.lang = song.language;
  const artist = createElement("span", "artist", song.artist);
  title.dir = artist.dir = "auto";
  const links = createElement("span", "links");
  links.append(...song.links.map((link) => createSongLink(link)));
  const item = createElement("li");
  item.append(title, artist, links);
  return item;
}
