// The songs' page: the list, what caused it, who was asked, and the reader's choices. It lays out what
// the server chose, and keeps whatever stays in its place.

export default function ({ parentElement, data, setTriggerValue }) {
  let root = parentElement.querySelector(".songs");
  if (!root) {
    root = makePage();
    parentElement.append(root);
  }
  root.act = (kind, key) => setTriggerValue("action", { kind, key, at: Date.now() });
  const { parts } = root;
  root.lang = data.language;
  root.dataset.genre = data.genre;
  const { words } = data;
  say(parts.causeHeading, data.cause && words.cause);
  say(parts.cause, data.cause);
  say(parts.how, data.mix.length > 1 ? words.mix_how : "");
  say(parts.instead, data.instead);
  parts.aside.hidden = !(data.cause || data.now || data.muted || data.notes.length);
  say(parts.now, data.now);
  say(parts.muted, data.muted);
  parts.bar.hidden = !data.mix.length;
  parts.bar.setAttribute("aria-label", words.mix);
  fillList(parts.bar, data.mix, makeShare);
  fillList(parts.legend, data.mix, makeGenre);
  fillList(parts.notes, data.notes, (note) => make("li", "", note));
  say(parts.providersHeading, words.providers);
  fillList(parts.providers, data.providers, makeProvider);
  parts.list.setAttribute("aria-label", words.list);
  updateList(root, data);
  updateChoices(root, data);
}

function makePage() {
  const root = make("section", "songs");
  root.dataset.testid = "songs";
  const parts = {
    causeHeading: make("h3"),
    cause: make("p", "cause"),
    bar: make("div", "bar"),
    legend: make("ul", "legend"),
    how: make("p", "how"),
    now: make("p", "now"),
    muted: make("p", "muted"),
    notes: make("ul", "notes"),
  };
  const aside = make("div", "aside");
  aside.append(...Object.values(parts));
  parts.aside = aside;
  parts.providersHeading = make("h3");
  parts.providers = make("dl", "providers");
  const asked = make("div", "asked");
  asked.append(parts.providersHeading, parts.providers);
  const beside = make("div", "beside");
  beside.append(aside, asked);
  parts.bar.setAttribute("role", "img");
  parts.instead = make("p", "instead");
  for (const name of ["notes", "providers", "cause", "muted", "instead"]) {
    parts[name].dataset.testid = `song-${name}`;
  }
  parts.list = make("ol");
  parts.list.tabIndex = -1; // takes the focus when the last card goes
  parts.announcement = make("p", "unseen");
  parts.announcement.setAttribute("role", "status");
  parts.announcement.dataset.testid = "song-announcement";
  parts.choices = makeChoices(root);
  root.parts = parts;
  const main = make("div", "main");
  main.append(parts.instead, parts.list);
  root.append(main, beside, parts.choices, parts.announcement);
  return root;
}

function makeShare({ colour, share }) {
  const part = make("span");
  part.style.cssText = `--genre: ${colour}; flex-grow: ${Number(share)}`;
  return part;
}

function makeGenre({ colour, name, percent }) {
  const item = make("li", "", `${name} ${percent}`);
  item.style.setProperty("--genre", colour);
  return item;
}

function makeProvider({ name, said, tone }) {
  const group = make("div", tone);
  group.append(make("dt", "", name), make("dd", "", said));
  return group;
}

/** Cards that stay are left where they are; new ones fade in; a focus that would be lost moves on. */
function updateList(root, { songs, words }) {
  const { list } = root.parts;
  const act = (kind, key, card) => {
    if (kind === "ban") root.banned = { key, artist: card.firstArtist, place: [...list.children].indexOf(card) };
    root.act(kind, key);
  };
  const before = [...list.children];
  const focus = focusIn(list, before);
  const known = new Map(before.map((card) => [card.key, card]));
  const fresh = [];
  const cards = songs.map((song) => {
    let card = known.get(song.key);
    if (!card) {
      card = makeCard(song.key, act);
      card.classList.add("fresh");
      fresh.push(card);
    }
    known.delete(song.key);
    updateCard(card, song, words, act);
    return card;
  });
  for (const card of known.values()) card.remove();
  cards.forEach((card, place) => {
    if (list.children[place] !== card) list.insertBefore(card, list.children[place] ?? null);
  });
  offerBack(root, songs, words);
  restoreFocus(list, focus);
  if (fresh.length) announce(root, fill(words.announce, { count: fresh.length }));
}

/** Where a song went because its artist was banned, the song that took its place offers to take that back. */
function offerBack(root, songs, words) {
  const { banned } = root;
  if (!banned || songs.some(({ key }) => key === banned.key)) return;
  root.banned = null;
  root.offer?.remove();
  const { list } = root.parts;
  const card = list.children[Math.min(banned.place, list.children.length - 1)];
  if (!card) return;
  root.offer = make("span", "offer");
  const said = make("span", "", fill(words.banned, banned));
  said.dir = "auto";
  const back = make("button", "plain back", words.back);
  back.type = "button";
  back.setAttribute("aria-label", fill(words.back_artist, banned));
  back.addEventListener("click", () => {
    root.act("take back", banned.artist);
    root.offer.remove();
    card.querySelector("button.ban").focus({ preventScroll: true });
  });
  root.offer.append(said, back);
  card.append(root.offer);
}

function focusIn(list, cards) {
  const active = list.getRootNode().activeElement;
  const place = cards.findIndex((card) => card.contains(active));
  if (place < 0) return null;
  const links = [...cards[place].querySelectorAll(".links a")];
  return { active, place, kind: active.className, link: links.indexOf(active) };
}

function restoreFocus(list, focus) {
  if (!focus || list.getRootNode().activeElement === focus.active) return;
  let target = focus.active;
  if (!target.isConnected) {
    const card = list.children[Math.min(focus.place, list.children.length - 1)];
    const links = card?.querySelectorAll(".links a") ?? [];
    target = focus.link >= 0 ? links[Math.min(focus.link, links.length - 1)] : card?.querySelector(`button.${focus.kind}`);
  }
  (target ?? list).focus({ preventScroll: true });
}

/** Emptied first: the same words twice would not be read a second time. */
function announce(root, text) {
  const { announcement } = root.parts;
  announcement.textContent = "";
  clearTimeout(root.announcing);
  root.announcing = setTimeout(() => (announcement.textContent = text), 100);
}
