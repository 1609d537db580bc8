// What the reader liked, skipped or banned: listed, taken back, forgotten in one step.

function makeChoices(root) {
  const box = make("details", "choices");
  box.dataset.testid = "choices";
  box.parts = {
    title: make("summary"),
    where: make("p"),
    listed: make("ul"),
    more: make("p"),
    forget: make("button", "plain"),
  };
  box.parts.forget.type = "button";
  box.parts.forget.addEventListener("click", () => root.act("forget", ""));
  box.append(...Object.values(box.parts));
  return box;
}

function updateChoices(root, { choices, words }) {
  const box = root.parts.choices;
  const { title, where, listed, more, forget } = box.parts;
  const inside = box.contains(box.getRootNode().activeElement);
  say(title, choices.title);
  say(where, words.where);
  say(more, choices.more);
  say(forget, words.forget);
  forget.disabled = choices.count === 0;
  fillList(listed, choices.listed, ({ artist, said }) => {
    const item = make("li");
    const name = make("span", "name", artist);
    name.dir = "auto";
    const back = make("button", "plain", words.back);
    back.type = "button";
    back.setAttribute("aria-label", fill(words.back_artist, { artist }));
    back.addEventListener("click", () => root.act("take back", artist));
    item.append(name, make("span", "chosen", said), back);
    return item;
  });
  // What was pressed may be gone now.
  if (inside && !box.contains(box.getRootNode().activeElement)) title.focus({ preventScroll: true });
}
