// A banner at the bottom of the page while the dashboard's server is unreachable. It replaces Streamlit's own
// dialog, which grays out the page and asks about the internet connection.

import { createElement } from "../dom.js";

const STREAMLIT_TEXT = "Connection error"; // only this text distinguishes the dialog from Streamlit's other dialogs
const STATE_ATTRIBUTE = "data-test-connection-state";

class OfflineBanner {
  constructor() {
    this.text = ""; // in the user's language
    this.element = createElement("p", "overheard-offline");
    this.element.setAttribute("role", "alert");
    const observer = new MutationObserver(() => this.checkConnection());
    const options = { childList: true, subtree: true, attributes: true, attributeFilter: [STATE_ATTRIBUTE] };
    observer.observe(document.body, options);
  }

  checkConnection() {
    const app = document.querySelector(`[${STATE_ATTRIBUTE}]`);
    if (app?.getAttribute(STATE_ATTRIBUTE) === "CONNECTED") this.element.remove();
    const dialog = document.querySelector("[data-testid=stDialog]");
    if (!dialog?.textContent.includes(STREAMLIT_TEXT)) return;
    dialog.querySelector("button[aria-label=Close]")?.click();
    this.element.textContent = this.text;
    document.body.append(this.element);
  }
}

/**
 * Watch the connection as long as the tab is open. Streamlit calls this at every run of the script and may
 * evaluate this module again, so the window keeps the only banner.
 */
export default function mount({ data }) {
  window.overheardOfflineBanner ??= new OfflineBanner();
  window.overheardOfflineBanner.text = data;
}
