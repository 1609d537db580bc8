// A line at the bottom of the page while the dashboard's server is unreachable. It replaces Streamlit's own
// dialog, which greys the page and asks about the internet.

import { createElement } from "../dom.js";

const STREAMLIT_TEXT = "Connection error"; // only this text tells the dialog from Streamlit's other dialogs
const STATE_ATTRIBUTE = "data-test-connection-state";

const banner = createElement("p", "overheard-offline");
banner.setAttribute("role", "alert");
let text = ""; // in the reader's language
let observer = null;

function checkConnection() {
  const app = document.querySelector(`[${STATE_ATTRIBUTE}]`);
  if (app?.getAttribute(STATE_ATTRIBUTE) === "CONNECTED") banner.remove();
  const dialog = document.querySelector("[data-testid=stDialog]");
  if (!dialog?.textContent.includes(STREAMLIT_TEXT)) return;
  dialog.querySelector("button[aria-label=Close]")?.click();
  banner.textContent = text;
  document.body.append(banner);
}

/** Watch the connection for the life of the tab. Streamlit calls this at every run of the script. */
export default function mount({ data }) {
  text = data;
  if (observer) return;
  observer = new MutationObserver(checkConnection);
  const options = { childList: true, subtree: true, attributes: true, attributeFilter: [STATE_ATTRIBUTE] };
  observer.observe(document.body, options);
}
