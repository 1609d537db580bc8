// The page's own websocket to the analyzer. live.py joins the live*.js files into one module.

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 3000;
const OPEN_TIMEOUT_MS = 5000;
const LONGEST_QUIET_MS = 15000; // a computer that fell asleep does not hang up

const PROTOCOL = "overheard.1";
const OF_THE_SERVER = new Set(["sources", "answer"]); // and of no single source

/**
 * Keeps a connection until `stop`; losing it is normal and ends in another attempt. Of several sources
 * it follows the one whose hello comes first, and later whichever says that it replaces that one.
 */
class AnalyzerLink {
  /**
   * @param {string} url the analyzer's websocket
   * @param {(message: object) => void} onMessage gets every JSON object that arrives
   * @param {() => void} onAway called after each attempt or connection that came to its end
   * @param {() => boolean} mayBeQuiet whether nothing need come any more
   * @param {string} token what the analyzer wants to see, empty for nothing
   */
  constructor(url, onMessage, onAway, mayBeQuiet, token = "") {
    this.url = url;
    // A browser cannot set headers, and an address ends up in logs: the token is a second protocol.
    this.protocols = token ? [PROTOCOL, `overheard.token.${token}`] : [PROTOCOL];
    this.onMessage = onMessage;
    this.onAway = onAway;
    this.mayBeQuiet = mayBeQuiet;
    this.waitMs = FIRST_WAIT_MS;
    this.stopped = false;
    // A tab in the background may sleep for a minute between attempts; its reader should not wait so long.
    this.onLook = () => { if (!document.hidden && this.timer) this.open(); };
    document.addEventListener("visibilitychange", this.onLook);
    window.addEventListener("online", this.onLook);
    this.open();
  }

  open() {
    clearTimeout(this.timer);
    this.timer = 0;
    let socket;
    try {
      socket = new WebSocket(this.url, this.protocols);
    } catch {
      this.retry(); // refused before it was tried: an insecure address on a secure page
      return;
    }
    this.socket = socket;
    let followed = null;
    const patience = setTimeout(() => socket.close(), OPEN_TIMEOUT_MS);
    socket.onopen = () => {
      clearTimeout(patience);
      socket.send(JSON.stringify({ type: "subscribe", spectrum: true }));
    };
    socket.onmessage = (event) => {
      const message = parsed(event.data);
      if (!message) return;
      this.waitMs = FIRST_WAIT_MS; // not at onopen: something else may hold the port and hang up at once
      if (message.type === "hello" && (followed === null || message.replaces === followed)) {
        followed = textOr(message.source, "", Infinity);
      }
      // Another version may name its sources elsewhere, and the page has to say that there is one.
      const ours = message.version !== 1 || OF_THE_SERVER.has(message.type)
        || (followed !== null && message.source === followed);
      if (ours) this.onMessage(message);
      clearTimeout(this.watchdog);
      if (!this.mayBeQuiet()) this.watchdog = setTimeout(() => this.giveUp(socket), LONGEST_QUIET_MS);
    };
    socket.onclose = () => {
      clearTimeout(patience);
      if (this.socket === socket && !this.stopped) this.retry();
    };
  }

  /** One message to the analyzer; false: there is no connection. */
  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** Leave a connection over which nothing comes; closing it properly could take as long again. */
  giveUp(socket) {
    if (this.socket !== socket || this.stopped) return;
    this.socket = null;
    socket.onmessage = null;
    socket.close();
    this.retry();
  }

  retry() {
    clearTimeout(this.watchdog);
    this.onAway();
    // Between half and all of it, so that many pages do not knock at the same moment.
    this.timer = setTimeout(() => this.open(), this.waitMs * (0.5 + 0.5 * Math.random()));
    this.waitMs = Math.min(2 * this.waitMs, LONGEST_WAIT_MS);
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    clearTimeout(this.watchdog);
    document.removeEventListener("visibilitychange", this.onLook);
    window.removeEventListener("online", this.onLook);
    this.socket?.close();
  }
}

/** Where the analyzer should be. A loopback address means the reader's own computer, not the one that serves the page. */
function awayHint(address, words) {
  const loopback = (host) => /^(localhost|127\.[\d.]+|\[::1\])$/.test(host);
  if (!loopback(new URL(address).hostname) || loopback(location.hostname)) {
    const command = `overheard listen --allow-origin ${location.origin}`;
    return words.say("away.expected", { address, command });
  }
  return words.say("away.elsewhere", { address });
}

/** A JSON object, or null for anything else. */
function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

// Messages are not trusted: a number is finite or the fallback, a text is short.
function numberOr(value, fallback) {
  return typeof value === "number" && Number.isFinite(value) ? value : fallback;
}
function textOr(value, fallback, longest = 200) {
  return typeof value === "string" ? value.slice(0, longest) : fallback;
}
