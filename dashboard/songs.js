// The song list. It only lays out what the server chose; texts go through textContent.

export default function ({ parentElement, data }) {
  let root = parentElement.querySelector(".songs");
  if (!root) {
    root = make("section", "songs");
    root.dataset.testid = "songs";
    root.append(make("p", "why"), document.createElement("ol"));
    parentElement.append(root);
  }
  root.dataset.genre = data.genre;
  const why = root.querySelector(".why");
  if (why.textContent !== data.why) why.textContent = data.why;
  // A list that stays the same is left alone, or a reader would lose the link under the finger.
  const content = JSON.stringify(data.songs);
  if (root.content === content) return;
  root.content = content;
  root.querySelector("ol").replaceChildren(...data.songs.map(card));
}

function card(song) {
  const links = make("span", "links");
  links.append(link("Spotify", song.spotify, song.title), link("YouTube", song.youtube, song.title));
  const item = document.createElement("li");
  const title = make("span", "title", song.title);
  title.lang = song.language;
  item.append(title, make("span", "artist", `${song.artist}, ${song.year}`), links);
  return item;
}

function link(place, address, title) {
  const anchor = make("a", "", place);
  anchor.href = address;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer";
  anchor.setAttribute("aria-label", `${title} on ${place}`);
  return anchor;
}

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}
