// The page's own websocket to the analyzer.

import { PROTOCOL_VERSION, parseMessage, textOr } from "./messages.js";

const FIRST_BACKOFF_MS = 250;
const MAX_BACKOFF_MS = 3000;
const OPEN_TIMEOUT_MS = 5000; // then the attempt is abandoned and repeated
const SILENCE_TIMEOUT_MS = 15_000; // then the connection is replaced: a suspended computer does not hang up

const PROTOCOL = `overheard.${PROTOCOL_VERSION}`;
const SERVER_MESSAGES = new Set(["sources", "response"]); // these belong to the server, not to one source

/**
 * Keeps a connection until `stop`; a lost connection is opened again. Of several sources it follows the
 * one whose hello comes first, and later the source whose hello says that it replaces that one.
 */
export class AnalyzerConnection {
  /**
   * @param {string} url the analyzer's websocket
   * @param {object} handlers
   * @param {(message: object) => void} handlers.onMessage receives every JSON object
   * @param {() => void} handlers.onLost called after every connection or attempt that has ended
   * @param {() => boolean} handlers.mayBeSilent whether the analyzer may send nothing for a long time
   * @param {string} token the analyzer's token, empty if it needs none
   */
  constructor(url, handlers, token = "") {
    this.url = url;
    this.handlers = handlers;
    // A browser cannot set headers, and addresses end up in logs: the token travels as a second protocol.
    this.protocols = token ? [PROTOCOL, `overheard.token.${token}`] : [PROTOCOL];
    this.backoffMs = FIRST_BACKOFF_MS;
    this.stopped = false;
    // A tab in the background may sleep for a minute between attempts; its reader should not wait so long.
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
      this.retry(); // the browser refuses an insecure address on a secure page
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
      this.backoffMs = FIRST_BACKOFF_MS; // not in onopen: another program on the port may hang up at once
      if (message.type === "hello" && (followed === null || message.replaces_source === followed)) {
        followed = textOr(message.source, "", Infinity);
      }
      // Another protocol version may name its sources elsewhere, and the page has to report that version.
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

  /** Leave a silent connection without waiting for its closing handshake. */
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
    // A random part of the wait, so that many pages do not connect at the same moment.
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

/** Say where the analyzer is expected. A loopback address means the reader's computer, not the page's server. */
export function analyzerHint(address, translator) {
  if (!isLoopback(new URL(address).hostname) || isLoopback(location.hostname)) {
    const command = `overheard listen --allow-origin ${location.origin}`;
    return translator.text("away.expected", { address, command });
  }
  return translator.text("away.elsewhere", { address });
}

/** Whether a host name is this computer's own loopback address. */
export function isLoopback(host) {
  return /^(localhost|127\.[\d.]+|\[::1\])$/.test(host);
}
