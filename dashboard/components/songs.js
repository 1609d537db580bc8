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
  say(parts.causeHeading, words.cause);
  say(parts.cause, data.cause);
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
    now: make("p", "now"),
    muted: make("p", "muted"),
    notes: make("ul", "notes"),
    providersHeading: make("h3"),
    providers: make("dl", "providers"),
  };
  parts.bar.setAttribute("role", "img");
  for (const name of ["notes", "providers", "cause", "muted"]) parts[name].dataset.testid = `song-${name}`;
  const aside = make("div", "aside");
  aside.append(...Object.values(parts));
  parts.list = make("ol");
  parts.list.tabIndex = -1; // takes the focus when the last card goes
  parts.announcement = make("p", "unseen");
  parts.announcement.setAttribute("role", "status");
  parts.announcement.dataset.testid = "song-announcement";
  parts.choices = makeChoices(root);
  root.parts = parts;
  root.append(parts.list, aside, parts.choices, parts.announcement);
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
  const act = (kind, key) => root.act(kind, key);
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
  restoreFocus(list, focus);
  if (fresh.length) announce(root, fill(words.announce, { count: fresh.length }));
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
