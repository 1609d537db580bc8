// One song. A card is made once and then only brought up to date, so that it keeps its place and its focus.

const ACTIONS = ["like", "pin", "skip", "ban"];

function makeCard(key, act) {
  const card = make("li", "card");
  card.key = key;
  card.parts = {
    art: make("a", "art"),
    title: make("span", "title"),
    romanised: make("span", "romanised"),
    artist: make("span", "artist"),
    why: make("span", "because"),
    relaxed: make("span", "relaxed"),
    links: make("span", "links"),
    opened: make("span", "opened"),
    from: make("span", "from"),
  };
  const { art, links, opened, from, ...texts } = card.parts;
  art.tabIndex = -1; // the named link below leads to the same page
  art.setAttribute("aria-hidden", "true");
  for (const element of [texts.title, texts.artist, texts.romanised]) element.dir = "auto";
  const body = make("span", "body");
  body.append(...Object.values(texts));
  const origin = make("span", "origin");
  origin.append(from, opened);
  const actions = make("span", "actions");
  for (const kind of ACTIONS) {
    const button = make("button", kind);
    button.type = "button";
    button.append(icon(kind));
    button.addEventListener("click", () => act(kind, key, card));
    actions.append(button);
  }
  const foot = make("span", "foot");
  foot.append(links, actions);
  card.append(art, body, origin, foot);
  return card;
}

function updateCard(card, song, words, act) {
  const content = JSON.stringify([song, words]);
  if (card.shown === content) return;
  card.shown = content;
  const { parts } = card;
  card.firstArtist = song.first_artist;
  card.style.setProperty("--genre", song.colour);
  for (const name of ["title", "romanised", "why", "relaxed", "from"]) say(parts[name], song[name]);
  say(parts.artist, [song.artist, song.published].filter(Boolean).join(", "));
  say(parts.opened, song.marks.includes("open") ? words.opened : "");
  parts.title.lang = song.language;
  parts.romanised.lang = song.language && `${song.language}-Latn`;
  parts.artist.lang = song.language;
  updateArt(parts.art, song, act);
  fillList(parts.links, song.links, (link) => makeLink(link, () => act("open", song.key)));
  for (const kind of ACTIONS) {
    const button = card.querySelector(`button.${kind}`);
    const tip = fill(words[kind], { artist: song.first_artist });
    const spoken = kind === "ban" ? tip : fill(words.action, { action: tip, title: song.title });
    if (button.getAttribute("aria-label") !== spoken) button.setAttribute("aria-label", spoken);
    button.title = tip;
    button.hidden = kind === "ban" && !song.first_artist;
    // A state is of like and pin alone; the others do something once.
    if (kind === "like" || kind === "pin") button.setAttribute("aria-pressed", String(song.marks.includes(kind)));
  }
}

/** The provider's picture with a link back; where there is none, the card's stripe is enough. */
function updateArt(art, song, act) {
  const address = isWeb(song.artwork) ? song.artwork : "";
  const page = song.links[0]?.address ?? "";
  if (isWeb(page)) art.href = page;
  art.target = "_blank";
  art.rel = "noopener noreferrer";
  art.onclick = () => act("open", song.key);
  if (art.address === address) return;
  art.address = address;
  art.replaceChildren();
  art.hidden = !address;
  if (!address) return;
  const picture = make("img");
  picture.alt = "";
  picture.width = picture.height = 88;
  picture.loading = "lazy";
  picture.decoding = "async";
  picture.referrerPolicy = "no-referrer";
  picture.addEventListener("error", () => (art.hidden = true), { once: true });
  picture.src = address;
  art.append(picture);
}
