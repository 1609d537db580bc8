// Reports to the server whether the page is seen, so that songs do not change in a tab in the background.

const reporters = new Map(); // element -> function that sends the state

function isSeen() {
  return document.visibilityState === "visible";
}

function sendAll() {
  for (const [element, send] of reporters) {
    if (element.isConnected) send(isSeen());
    else reporters.delete(element);
  }
}

/**
 * Send the visibility of the document after every change, and now if the server assumes something else.
 *
 * @param {Element} element element of the component, whose latest function counts
 * @param {boolean} assumed what the server assumes
 * @param {(seen: boolean) => void} send sends the state to the server
 */
export function reportVisibility(element, assumed, send) {
  if (!reporters.size) document.addEventListener("visibilitychange", sendAll); // a second time has no effect
  reporters.set(element, send);
  if (assumed !== isSeen()) send(isSeen());
}
