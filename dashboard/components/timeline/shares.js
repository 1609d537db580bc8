// The genres' shares as bars, each with its name and how long it played.

export default function ({ parentElement, data }) {
  let root = parentElement.querySelector(".timeline");
  if (!root) {
    root = made("section", "timeline");
    root.dataset.testid = "shares";
    root.append(made("h2"), made("ul"));
    parentElement.append(root);
  }
  const content = JSON.stringify(data);
  if (root.content === content) return;
  root.content = content;
  root.querySelector("h2").textContent = data.heading;
  root.querySelector("ul").replaceChildren(...data.shares.map(bar));
}

function bar({ name, colour, share, said }) {
  const item = made("li", colour ? "" : "other");
  const track = made("span", "track");
  const fill = made("span", "fill");
  fill.style.width = `${100 * Math.min(Math.max(share, 0), 1)}%`;
  fill.style.background = colour;
  track.append(fill);
  item.append(made("span", "name", name), track, made("span", "said", said));
  return item;
}

function made(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}
