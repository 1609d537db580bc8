// Axis labels of the recent timeline and the spectrogram.

import { createElement, hasChanged } from "../dom.js";

const WIDE_MARKS_HZ = [200, 1000, 4000, 8000]; // for rows of increasing height in Hz
const OUTER_PERCENT = [6, 93]; // the outer labels are moved inwards, since half of each would lie outside the image

/** Label evenly spaced times from `first` units ago to now. `unit` is "minutes" or "seconds". */
export function showMoments(box, first, parts, unit, translator) {
  box.replaceChildren(
    ...[...Array(parts + 1).keys()].map((part) => {
      const ago = first - (part * first) / parts;
      const text = part === 0 ? translator.text(`timeline.${unit}`, { [unit]: ago }) : String(ago);
      return createElement("span", "", part === parts ? translator.text("timeline.now") : text);
    }),
  );
}

/** Label frequencies at the edge of the spectrogram. `edges` are the limits of its rows in Hz, lowest first. */
export function showFrequencies(box, edges) {
  if (!hasChanged(box, edges)) return;
  box.replaceChildren(
    ...frequencyMarks(edges).map(({ text, position }) => {
      const mark = createElement("span", "", text);
      const [lowest, highest] = OUTER_PERCENT;
      mark.style.bottom = `${Math.min(Math.max(position * 100, lowest), highest)}%`;
      return mark;
    }),
  );
}

/** List the frequencies to label: [{text, position}], lowest first, or [] without edges. */
export function frequencyMarks(edges) {
  const top = edges.at(-1) ?? -1;
  const wanted = edges.length > 2 ? WIDE_MARKS_HZ : top >= 8000 ? [0, 5000, top] : [0, top];
  return wanted
    .filter((hz) => hz >= edges[0] && hz <= top)
    .map((hz) => ({ text: formatFrequency(hz), position: frequencyPosition(hz, edges) }));
}

/** Position of a frequency on the image, 0 at the bottom and 1 at the top. All rows have the same height. */
export function frequencyPosition(hz, edges) {
  const above = edges.findIndex((edge) => edge > hz);
  if (above < 0) return 1;
  return (above - 1 + (hz - edges[above - 1]) / (edges[above] - edges[above - 1])) / (edges.length - 1);
}

function formatFrequency(hz) {
  if (hz === 0) return "0";
  return hz < 1000 ? `${hz} Hz` : `${Math.round(hz / 1000)} kHz`;
}
