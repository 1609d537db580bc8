// The websocket from the browser to the analyzer.

import { PROTOCOL_VERSION, parseMessage, textOr } from "./messages.js";

const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 3000;
const OPEN_TIMEOUT_MS = 5000; // after this time, the attempt is abandoned and repeated
const SILENCE_TIMEOUT_MS = 15_000; // after this time, the connection is replaced, since a suspended computer sends no close frame

const PROTOCOL = `overheard.${PROTOCOL_VERSION}`;
const SERVER_MESSAGES = new Set(["sources", "response"]); // messages of the server, not of one source

/**
 * Connection that is opened again when it is lost, until `stop`. It follows the source whose hello arrives
 * first, and later the source whose hello names the followed source in `replaces_source`.
 */
export class AnalyzerConnection {
  /**
   * @param {string} url websocket address of the analyzer
   * @param {object} handlers
   * @param {(message: object) => void} handlers.onMessage receives every JSON object
   * @param {() => void} handlers.onLost called after every lost connection and every failed attempt
   * @param {() => boolean} handlers.mayBeSilent whether the analyzer may send nothing for a long time
   * @param {string} token token for the analyzer, empty if the analyzer needs none
   */
  constructor(url, handlers, token = "") {
    this.url = url;
    this.handlers = handlers;
    // A browser cannot set headers, and addresses end up in logs. The token is therefore sent as a subprotocol.
    this.protocols = token ? [PROTOCOL, `overheard.token.${token}`] : [PROTOCOL];
    this.backoffMs = FIRST_BACKOFF_MS;
    this.stopped = false;
    // A tab in the background may sleep for a minute between attempts. A user who returns should not wait for it.
    this.retryNow = () => {
      if (!document.hidden && this.timer) this.open();
    };
    document.addEventListener("visibilitychange", this.retryNow);
    window.addEventListener("online", this.retryNow);
    this.open();
  }

  open() {
    clearTimeout(this.timer);
    this.timer = 0;
    let socket;
    try {
      socket = new WebSocket(this.url, this.protocols);
    } catch {
      this.retry(); // the browser rejects an insecure address on a secure page
      return;
    }
    this.socket = socket;
    let followed = null;
    const openTimeout = setTimeout(() => socket.close(), OPEN_TIMEOUT_MS);
    socket.onopen = () => {
      clearTimeout(openTimeout);
      socket.send(JSON.stringify({ type: "subscribe", spectrum: true }));
    };
    socket.onmessage = (event) => {
      const message = parseMessage(event.data);
      if (!message) return;
      this.backoffMs = FIRST_BACKOFF_MS; // not in onopen, since another program on the port may accept and then disconnect
      if (message.type === "hello" && (followed === null || message.replaces_source === followed)) {
        followed = textOr(message.source, "", Infinity);
      }
      // A message of another protocol version may have no `source`, and the page has to report the version.
      const wanted =
        message.version !== PROTOCOL_VERSION ||
        SERVER_MESSAGES.has(message.type) ||
        (followed !== null && message.source === followed);
      if (wanted) this.handlers.onMessage(message);
      clearTimeout(this.watchdog);
      if (!this.handlers.mayBeSilent())
        this.watchdog = setTimeout(() => this.abandon(socket), SILENCE_TIMEOUT_MS);
    };
    socket.onclose = () => {
      clearTimeout(openTimeout);
      if (this.socket === socket && !this.stopped) this.retry();
    };
  }

  /** Send one message. Returns false without a connection. */
  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /** Replace a silent connection without waiting for its closing handshake. */
  abandon(socket) {
    if (this.socket !== socket || this.stopped) return;
    this.socket = null;
    socket.onmessage = null;
    socket.close();
    this.retry();
  }

  retry() {
    clearTimeout(this.watchdog);
    this.handlers.onLost();
    // The wait is partly random, so that many pages do not connect at the same time.
    this.timer = setTimeout(() => this.open(), this.backoffMs * (0.5 + 0.5 * Math.random()));
    this.backoffMs = Math.min(2 * this.backoffMs, MAX_BACKOFF_MS);
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    clearTimeout(this.watchdog);
    document.removeEventListener("visibilitychange", this.retryNow);
    window.removeEventListener("online", this.retryNow);
    this.socket?.close();
  }
}

/** Tell the user where the page expects the analyzer. A loopback address means the user's computer, not the server's. */
export function analyzerHint(address, translator) {
  if (!isLoopback(new URL(address).hostname) || isLoopback(location.hostname)) {
    const command = `overheard listen --allow-origin ${location.origin}`;
    return translator.text("away.expected", { address, command });
  }
  return translator.text("away.elsewhere", { address });
}

/** Return true if a host name is a loopback address. */
export function isLoopback(host) {
  return /^(localhost|127\.[\d.]+|\[::1\])$/.test(host);
}
