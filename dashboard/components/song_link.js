// Links to songs at other services.

import { createElement } from "./dom.js";

/**
 * Create a link that opens in a new tab.
 *
 * @param {{service: string, address: string, label: string, tooltip: string}} link `label` is for screen readers
 * @param {() => void} onOpen called when the link is followed
 */
export function createSongLink({ service, address, label, tooltip }, onOpen = () => {}) {
  const anchor = createElement("a", "", service);
  anchor.href = isHttps(address) ? address : "about:blank";
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer";
  anchor.title = tooltip;
  anchor.setAttribute("aria-label", label);
  anchor.addEventListener("click", onOpen);
  anchor.addEventListener("auxclick", (event) => event.button === 1 && onOpen());
  return anchor;
}

/** Whether an address begins with https. Others, such as javascript:, are never linked or loaded. */
export function isHttps(address) {
  return /^https:\/\//.test(address);
}
