// A short list of songs, each with its links.

export default function ({ parentElement, data }) {
  let list = parentElement.querySelector("[data-testid=next]");
  if (!list) {
    list = make("div");
    list.dataset.testid = "next";
    parentElement.append(list);
  }
  // A list that stays the same is left alone, or a reader would lose the link under the finger.
  const content = JSON.stringify(data);
  if (list.content === content) return;
  list.content = content;
  list.lang = data.language;
  const lines = make("ol");
  lines.append(...data.songs.map((song) => {
    const item = make("li");
    const title = make("span", "title", song.title);
    title.lang = song.language;
    const artist = make("span", "artist", song.artist);
    title.dir = artist.dir = "auto";
    const links = make("span", "links");
    links.append(...song.links.map((link) => makeLink(link)));
    item.append(title, artist, links);
    return item;
  }));
  list.replaceChildren(make("h2", "", data.heading), data.songs.length ? lines : make("p", "said", data.said));
}
