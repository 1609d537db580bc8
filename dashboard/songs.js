// The song list. It only lays out what the server chose; texts go through textContent.

const ACTIONS = [
  // name, path in a square of 24, words for a title, words when it is done
  ["like", "M12 21C4 14 3 11 3 8a5 5 0 0 1 9-3 5 5 0 0 1 9 3c0 3-1 6-9 13z", "I like this song", "Liked"],
  ["pin", "M8 3h8v2h-1v6l3 3v2h-5v6h-2v-6H6v-2l3-3V5H8z", "Keep this song in the list", "Kept"],
  ["skip", "M4 5l9 7-9 7zM14 5l6 7-6 7z", "Another song instead", ""],
  ["ban", "M6 4l6 6 6-6 2 2-6 6 6 6-2 2-6-6-6 6-2-2 6-6-6-6z", "Never this artist", ""],
];

export default function ({ parentElement, data, setTriggerValue }) {
  let root = parentElement.querySelector(".songs");
  if (!root) {
    root = make("section", "songs");
    root.dataset.testid = "songs";
    const notes = make("ul", "notes");
    notes.dataset.testid = "song-notes";
    root.append(make("p", "why"), document.createElement("ol"), notes);
    parentElement.append(root);
  }
  root.dataset.genre = data.genre;
  root.act = (kind, key) => setTriggerValue("action", { kind, key, at: Date.now() });
  const why = root.querySelector(".why");
  if (why.textContent !== data.why) why.textContent = data.why;
  const notes = JSON.stringify(data.notes);
  if (root.notes !== notes) {
    root.notes = notes;
    root.querySelector(".notes").replaceChildren(...data.notes.map((note) => make("li", "", note)));
  }
  // A list that stays the same is left alone, or a reader would lose the link under the finger.
  const content = JSON.stringify(data.songs);
  if (root.content === content) return;
  root.content = content;
  root.querySelector("ol").replaceChildren(...data.songs.map((song) => card(song, root)));
}

function card(song, root) {
  const item = document.createElement("li");
  const title = make("span", "title", song.title);
  title.lang = song.language;
  title.dir = "auto";
  item.append(title);
  if (song.romanised) item.append(make("span", "romanised", song.romanised));
  const artist = make("span", "artist", [song.artist, song.published].filter(Boolean).join(", "));
  artist.dir = "auto";
  const links = make("span", "links");
  for (const [place, address] of song.links) links.append(link(place, address, song.title));
  const actions = make("span", "actions");
  for (const [kind, path, words, done] of ACTIONS) {
    const button = make("button", kind);
    button.append(icon(path));
    const set = song.marks.includes(kind);
    button.type = "button";
    button.title = set && done ? done : words;
    button.setAttribute("aria-label", `${words}: ${song.title}`);
    button.setAttribute("aria-pressed", String(set));
    button.addEventListener("click", () => root.act(kind, song.key));
    actions.append(button);
  }
  const foot = make("span", "foot");
  foot.append(links, actions);
  item.append(artist, make("span", "because", song.why), foot);
  return item;
}

function link(place, address, title) {
  const anchor = make("a", "", place);
  anchor.href = /^https:\/\//.test(address) ? address : "about:blank";
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer";
  anchor.setAttribute("aria-label", `${title} on ${place}`);
  return anchor;
}

/** Drawn here: what signs a font has differs from machine to machine. */
function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const shape = document.createElementNS(svg.namespaceURI, "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  return svg;
}

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}
