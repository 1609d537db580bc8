// The same as words: what is in view as a table.

const MOST_ROWS = 200;

/** One segment in words: { what, time, length, sure, note }. */
function saidOf(segment, data, clock) {
  const genre = data.genres[segment.genre]?.name ?? "";
  const state = data.states[segment.state];
  const heard = segment.state === LISTENING ? genre : genre ? `${state} (${genre})` : state;
  const corrected = segment.correction >= 0;
  return {
    what: corrected ? data.genres[segment.correction].name : heard,
    time: `${clock.time(segment.from)} – ${clock.time(segment.to)}`,
    length: length(segment.to - segment.from),
    sure: segment.sure === null ? "" : clock.percents.format(segment.sure),
    note: corrected ? filled(data.words.corrected, { heard }) : "",
  };
}

/** One event in words. */
function eventSaid([, kind, detail], data) {
  const name = data.kinds[kind] ?? kind;
  return detail ? `${name}: ${detail}` : name;
}

/** Rows of the table, a segment's with a button; `choose` is called with its number. */
function listRows({ data, segments, view, clock }, choose) {
  const inView = segments.slice(Math.max(0, placeOf(segments, view.from))).filter(
    (segment) => segment.from <= view.to && segment.to >= view.from,
  );
  const events = data.events.filter(([at]) => at >= view.from && at <= view.to);
  const entries = [
    ...inView.map((segment) => ({ at: segment.from, segment })),
    ...events.map((event) => ({ at: event[0], event })),
  ].sort((one, other) => one.at - other.at);
  const rows = entries.slice(0, MOST_ROWS).map(({ at, segment, event }) => {
    if (event) return { cells: [clock.time(at), eventSaid(event, data), "", ""], kind: "event" };
    const said = saidOf(segment, data, clock);
    return {
      cells: [said.time, said.note ? `${said.what} (${said.note})` : said.what, said.length, said.sure],
      colour: data.genres[segment.shown]?.colour,
      kind: segment.state === LISTENING || segment.correction >= 0 ? "sure" : "other",
      number: segment.state === SILENT ? null : segment.number,
      chosen: data.chosen === segment.number,
      choose,
    };
  });
  return { rows, count: entries.length };
}

function tableRow(row, words) {
  const line = document.createElement("tr");
  line.className = row.kind;
  if (row.chosen) line.setAttribute("aria-selected", "true");
  row.cells.forEach((text, place) => {
    const cell = made("td", "", text);
    if (place === 1 && row.colour) cell.prepend(swatch(row.colour));
    line.append(cell);
  });
  const last = document.createElement("td");
  if (row.number !== undefined && row.number !== null) {
    const button = made("button", "choose", words.choose);
    button.type = "button";
    button.dataset.number = row.number;
    button.setAttribute("aria-label", `${words.choose}: ${row.cells[0]}, ${row.cells[1]}`);
    button.addEventListener("click", () => row.choose(row.number));
    last.append(button);
  }
  line.append(last);
  return line;
}

function swatch(colour) {
  const square = made("span", "swatch");
  square.style.background = colour;
  return square;
}

function made(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}
