// The server of this page has ended, or cannot be reached: Streamlit's dialog of it, which greys the page and asks
// for the internet, is closed, and our own line says what to do. Only Streamlit's own words tell that dialog.

if (!window.overheardAway) {
  const line = document.createElement("p");
  line.className = "overheard-away";
  line.setAttribute("role", "alert");
  const look = () => {
    const app = document.querySelector("[data-test-connection-state]");
    if (app?.dataset.testConnectionState === "CONNECTED") line.remove();
    const dialog = document.querySelector("[data-testid=stDialog]");
    if (!dialog?.textContent.includes("Connection error")) return;
    dialog.querySelector("button[aria-label=Close]")?.click();
    line.textContent = window.overheardAway;
    document.body.append(line);
  };
  const options = { childList: true, subtree: true, attributes: true, attributeFilter: ["data-test-connection-state"] };
  new MutationObserver(look).observe(document.body, options);
}
window.overheardAway = AWAY; // the text, in the reader's language
