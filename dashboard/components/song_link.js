// Links to songs on other services.

import { createElement } from "./dom.js";

/**
 * Create a link that opens in a new tab.
 *
 * @param {{service: string, address: string, label: string, tooltip: string}} link `label` is the accessible name
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

/** Return true if an address begins with https. Other addresses, such as javascript:, are never linked or loaded. */
export function isHttps(address) {
  return /^https:\/\//.test(address);
}
