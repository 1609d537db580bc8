// A short list of songs, each a link. Texts go through textContent, and only https leads anywhere.

export default function ({ parentElement, data }) {
  let list = parentElement.querySelector("[data-testid=next]");
  if (!list) {
    list = document.createElement("div");
    list.dataset.testid = "next";
    parentElement.append(list);
  }
  // A list that stays the same is left alone, or a reader would lose the link under the finger.
  const content = JSON.stringify(data);
  if (list.content === content) return;
  list.content = content;
  list.lang = data.language;
  const lines = element("ol", "", "");
  lines.append(...data.songs.map((song) => {
    const item = element("li", "", "");
    const link = element("a", "", "");
    link.href = /^https:\/\//.test(song.address) ? song.address : "about:blank";
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    link.title = song.said;
    const title = element("span", "title", song.title);
    title.lang = song.language;
    for (const line of [title, element("span", "artist", song.artist)]) {
      line.dir = "auto";
      link.append(line);
    }
    item.append(link);
    return item;
  }));
  list.replaceChildren(element("h2", "", data.heading), data.songs.length ? lines : element("p", "said", data.said));
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}
