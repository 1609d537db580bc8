"""Hostile and odd answers of stations, playlists, titles, messages, requests, settings and names."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Any

from tests.support.fuzzing.containers import encode
from tests.support.hostile import REFERRING_TEXTS

HOST = b"127.0.0.1:65530"
"""Host in the inputs, in place of which a target writes its own server."""

SOUND = f"http://{HOST.decode()}/sound"

METADATA_INTERVAL = 2_000


def answer(body: bytes, *headers: str, status: str = "HTTP/1.1 200 OK") -> bytes:
    """Return a response of a web server."""
    return "\r\n".join((status, *headers, "", "")).encode("utf-8", "surrogateescape") + body


def title_block(content: bytes) -> bytes:
    """Return a block of ICY metadata."""
    length = min(255, -(-len(content) // 16))
    return bytes([length]) + content[: 16 * length].ljust(16 * length, b"\0")


def with_titles(sound: bytes, *blocks: bytes) -> bytes:
    """Return a station's body in which each part of the sound is followed by the next block."""
    parts = [sound[at : at + METADATA_INTERVAL] for at in range(0, len(sound), METADATA_INTERVAL)]
    full = [part for part in parts if len(part) == METADATA_INTERVAL]
    return b"".join(part + title_block(blocks[at % len(blocks)]) for at, part in enumerate(full))


def playlists() -> dict[str, bytes]:
    """Return playlists with and without traps. ``/sound`` and ``/sound.ts`` on ``HOST`` are sound."""
    hls = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:0\n"
    segment = "#EXTINF:0.3,\nsound.ts\n"
    master = "#EXTM3U\n" + "".join(
        f'#EXT-X-STREAM-INF:BANDWIDTH={kilobits}000,CODECS="mp4a.40.2"\nlist.m3u8?{kilobits}\n'
        for kilobits in (24, 128, 320)
    )
    texts = {
        "plain.m3u": f"#EXTM3U\n#EXTINF:-1,Radio\n{SOUND}\n",
        "relative.m3u": "nothing\nsound\n",
        "files.m3u": "file:///etc/passwd\n/dev/zero\n/dev/random\n../../etc/shadow\nC:\\a.mp3\n\\\\host\\a\n",
        "protocols.m3u": "concat:a|b\nsubfile,,start,0,end,9,,:a\npipe:0\ndata:audio/wav;base64,AAAA\n"
        "lavfi:sine\n",
        "ports.m3u": "http://127.0.0.1:0/\nhttp://127.0.0.1:99999/\nhttp://127.0.0.1:x/\nhttp://[::1/\n"
        "http:///\n",
        "users.m3u": f"http://a:b@{HOST.decode()}/sound\nhttp://%00@{HOST.decode()}/\n"
        f"http://:@{HOST.decode()}/\n",
        "rtsp.m3u": "rtsp://127.0.0.1:9/x\nrtsps://127.0.0.1:9/\nrtsp://:secret@127.0.0.1:9\n",
        "private.m3u": "http://10.255.255.1/\nhttp://169.254.169.254/\nhttp://[fe80::1]/\n"
        "http://0.0.0.0:9/\n",
        "itself.m3u": f"#EXTM3U\nhttp://{HOST.decode()}/x\n",
        "many.m3u": "\n".join(f"http://127.0.0.1:9/{number}" for number in range(3_000)),
        "long name.m3u": "a" * 300 + "\n" + "a/" * 5_000 + "\n",
        "long.m3u": "http://127.0.0.1:9/" + "a" * 60_000,
        "numbers.pls": f"[playlist]\nFile-1=x\nFile99999999999=y\nFile2={SOUND}\nNumberOfEntries=1e9\n",
        "empty.pls": "[playlist]\nNumberOfEntries=0\n",
        "reference.pls": f"[Reference]\nRef1={SOUND}\n",
        "spaces.xspf": "<?xml version='1.0'?><playlist><trackList><track><location>sound%20\n"
        "</location></track></trackList>"
        "</playlist>",
        "bomb.xspf": '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaa">'
        '<!ENTITY b "&a;&a;&a;&a;">]><playlist>'
        "<trackList><track><location>&b;&b;</location></track></trackList></playlist>",
        "external.xspf": '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><playlist><trackList><track>'
        "<location>&f;</location></track></trackList></playlist>",
        "entry.asx": f"<asx version='3'><entry><ref href='{SOUND}'/></entry></asx>",
        "media.m3u8": f"{hls}{segment}{segment}#EXT-X-ENDLIST\n",
        "endless.m3u8": f"{hls}{segment}",
        "nothing.m3u8": f"{hls}#EXT-X-ENDLIST\n",
        "key.m3u8": f'{hls}#EXT-X-KEY:METHOD=AES-128,URI="/etc/passwd"\n{segment}#EXT-X-ENDLIST\n',
        "map.m3u8": f'{hls}#EXT-X-MAP:URI="file:///etc/passwd"\n{segment}#EXT-X-ENDLIST\n',
        "ranges.m3u8": f"{hls}#EXT-X-BYTERANGE:99999999999@-5\n{segment}#EXT-X-ENDLIST\n",
        "segments.m3u8": f"{hls}#EXTINF:1,\nfile:///etc/passwd\n#EXTINF:1,\nconcat:a|b\n#EXT-X-ENDLIST\n",
        "master.m3u8": master,
        "nested.m3u8": master.replace("list.m3u8", "x"),
        "durations.m3u8": hls.replace("DURATION:1", "DURATION:-99999999999")
        + segment.replace("0.3", "1e300"),
    }
    contents = {name: text.encode() for name, text in texts.items()}
    contents |= {
        f"{kind}.m3u": text.format(folder="/nowhere", port=9).encode()
        for kind, text in REFERRING_TEXTS.items()
    }
    contents["utf16.m3u"] = texts["plain.m3u"].encode("utf-16")
    contents["bom.pls"] = b"\xef\xbb\xbf" + contents["reference.pls"]
    contents["packed.m3u"] = gzip.compress(contents["plain.m3u"])
    return contents


def answers() -> dict[str, bytes]:
    """Return responses of web servers and stations, most of them odd."""
    sound = encode("mp3", "libmp3lame")
    opus, wave = encode("ogg", "libopus"), encode("wav", "pcm_alaw")
    size = f"Content-Length: {len(sound)}"
    icy = f"icy-metaint: {METADATA_INTERVAL}"
    titled = with_titles(encode("mp3", "libmp3lame", 1), b"StreamTitle='Band - Song';", b"")
    redirect = "HTTP/1.1 302 Found"
    found = {
        "file": answer(sound, "Content-Type: audio/mpeg", size),
        "ranges": answer(sound, "Accept-Ranges: bytes", size, status="HTTP/1.1 206 Partial Content"),
        "station": answer(titled, "icy-name: Radio", icy, "Content-Type: audio/mpeg"),
        "shoutcast": answer(titled, "icy-name:Radio", f"icy-metaint:{METADATA_INTERVAL}",
        status="ICY 200 OK"),
        "ogg": answer(opus, "Content-Type: application/ogg"),
        "wav": answer(wave, "Content-Type: audio/wav"),
        "interval": answer(sound, "icy-metaint: 99999999999999999999", "icy-name: \x1b[2J"),
        "interval zero": answer(sound, "icy-metaint: 0"),
        "interval one": answer(sound, "icy-metaint: 1"),
        "name": answer(sound, "icy-name: " + "\u202e<b>&amp;#0;" * 200),
        "too long": answer(sound, "Content-Length: 9223372036854775807"),
        "negative length": answer(sound, "Content-Length: -1"),
        "two lengths": answer(sound, "Content-Length: 5", size),
        "chunked": answer(b"%x\r\n" % len(sound) + sound + b"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
        "bad chunks": answer(b"zz\r\n" + sound, "Transfer-Encoding: chunked"),
        "huge chunk": answer(b"7fffffffffffffff\r\n" + sound, "Transfer-Encoding: chunked"),
        "gzip": answer(gzip.compress(sound), "Content-Encoding: gzip"),
        "bomb": answer(gzip.compress(bytes(40_000_000)), "Content-Encoding: gzip"),
        "encoding": answer(sound, "Content-Encoding: br\x1b[2J"),
        "no head": sound,
        "only a status": b"HTTP/1.1 200 OK\r\n",
        "nothing": b"",
        "status": answer(b"", status="HTTP/1.1 999999 \x1b[31mred"),
        "status text": answer(b"", status="ICY abc"),
        "many headers": answer(sound, *(f"X-{number}: y" for number in range(300))),
        "long header": answer(sound, "X: " + "y" * 70_000),
        "itself": answer(b"", f"Location: http://{HOST.decode()}/x", status=redirect),
        "to a file": answer(b"", "Location: file:///etc/passwd", status=redirect),
        "to nowhere": answer(b"", "Location: http://[::1", status=redirect),
        "to a network": answer(b"", "Location: http://10.255.255.1/", status=redirect),
        "to letters": answer(b"", "Location: http://127.0.0.1:9/\u00fc\u6771", status=redirect),
        "cookies": answer(
            b"", *(f"Set-Cookie: {n}={'x' * 2_000}; Path=/; Domain=.; Max-Age=1e9" for n in range(20)),
            f"Location: http://{HOST.decode()}/sound", status=redirect,
        ),
        "login": answer(b"", "WWW-Authenticate: " + "Digest\x1b " * 99, status="HTTP/1.1 401 No"),
        "page": answer(b"<!doctype html><title>\x1b]0;x\x07</title>", "Content-Type: text/html"),
        "cover": answer(b"ID3\4\0\0\0\x7f\x7f\x7f" + sound, "Content-Type: audio/mpeg"),
    }  # fmt: skip
    for kind, text in REFERRING_TEXTS.items():
        found[kind] = answer(text.format(folder="/nowhere", port=9).encode(), "Content-Type: audio/mpeg")
    return found


def titles() -> dict[str, bytes]:
    """Return blocks of ICY metadata."""
    texts: Mapping[str, str] = {
        "plain": "StreamTitle='Band - Song';StreamUrl='';",
        "quotes": "StreamTitle='Guns N' Roses - Don't; Cry';StreamUrl='http://x/?a=1;b=2';",
        "entities": "StreamTitle='Simon &amp; Garfunkel &#0;&#x1b;[2J&#55357; &copy';",
        "nested": "StreamTitle='StreamTitle='StreamTitle='a';';';",
        "open": "StreamTitle='",
        "other": "adw_ad='true';durationMilliseconds='30000';",
        "escapes": "StreamTitle='\x1b]0;owned\x07\x1b[2J\r\n\u2028a\u202eb\u2066c';",
        "markup": "StreamTitle='<img src=x onerror=alert(1)> **bold** [a](http://x) $x$ :smile:';",
        "formula": 'StreamTitle=\'=HYPERLINK("http://x";"y")\';',
        "long": "StreamTitle='" + "x" * 4_000 + "';",
        "fields": "';a='" * 800,
        "marks": "StreamTitle='" + "a\u0301" * 500 + "';",
        "asian": "StreamTitle='東京 - 歌\ufeff\u200b\u3000';",
        "JSON": 'StreamTitle=\'text="Hey" song_spot="M" artist="Foo" title="Bar"\';',
    }
    blocks = {name: text.encode() for name, text in texts.items()}
    for charset in ("cp1251", "koi8-r", "shift_jis", "euc_kr", "latin-1", "utf-16"):
        blocks[charset] = b"StreamTitle='" + "Björk Я 東 한".encode(charset, "ignore") + b"';"
    blocks["cut"] = "StreamTitle='Бя".encode()[:-1]
    blocks["binary"] = b"StreamTitle='" + bytes(range(256)) + b"';"
    blocks["empty"] = b""
    return blocks


def messages() -> dict[str, bytes]:
    """Return messages of clients: valid ones, and odd ones."""
    controls: dict[str, dict[str, Any]] = {
        "pause": {}, "resume": {}, "measure_levels": {}, "delete_history": {},
        "select_source": {"name": "demo"}, "correct_label": {"session": 1, "segment": 1, "genre": "jazz"},
    }  # fmt: skip
    texts = {
        action: json.dumps({"type": "control", "id": action, "action": action} | fields)
        for action, fields in controls.items()
    }
    texts |= {
        "subscribe": '{"type": "subscribe", "spectrum": true}',
        "twice": '{"type": "subscribe", "spectrum": true, "spectrum": false}',
        "number": '{"type": "subscribe", "spectrum": 1e999}',
        "path": '{"type": "control", "id": "a", "action": "select_source", "name": "/etc/passwd"}',
        "row": '{"type": "control", "id": "a", "action": "correct_label", "session": 9007199254740993, '
        '"segment": -1}',
        "surrogate": '{"type": "control", "id": "\\ud800", "action": "pause"}',
        "deep": "[" * 1_000,
        "deep object": '{"type":' * 120,
        "long": '{"type": "subscribe", "spectrum": "' + "x" * 970 + '"}',
        "empty": "",
        "null": "null",
        "digits": "9" * 1_000,
    }
    return {name: text.encode() for name, text in texts.items()} | {"binary": bytes(range(256))}


def requests() -> dict[str, bytes]:
    """Return requests to the port of the analyzer."""
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    upgrade = f"Upgrade: websocket\r\nConnection: Upgrade\r\n{key}\r\nSec-WebSocket-Version: 13\r\n"
    lines = {
        "health": "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "metrics": "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: x\r\n\r\n",
        "session": "GET /history/1 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer x\r\n\r\n",
        "session number": "GET /history/99999999999999999999 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        "log": "GET /log?a=%00 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic \xff\r\n\r\n",
        "websocket": f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n{upgrade}\r\n",
        "origin": f"GET / HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n{upgrade}\r\n",
        "two hosts": f"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n{upgrade}\r\n",
        "protocols": f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-WebSocket-Protocol: a,,overheard.0,\r\n"
        f"{upgrade}\r\n",
        "post": "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999999\r\n\r\nx",
        "chunked": "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "more": "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nzz\r\n",
        "no version": "GET /\r\n\r\n",
        "long": "GET /" + "a" * 20_000 + " HTTP/1.1\r\n\r\n",
        "many": "GET / HTTP/1.1\r\n" + "X: y\r\n" * 500 + "\r\n",
        "TLS": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    }
    return {name: text.encode("latin-1") for name, text in lines.items()}


def settings() -> dict[str, bytes]:
    """Return files of settings, of stations and of a model's description."""
    texts = {
        "settings.toml": '[source]\nsource = ["demo", "http://127.0.0.1:9/"]\nspeed = 1.5\n[server]\n'
        "port = 0\n"
        'host = "127.0.0.1"\nmax_clients = 5\nallow_origin = ["http://a"]\n[smoothing]\n'
        "half_life_seconds = 3\n"
        '[history]\nhistory = "off"\n[outputs]\nwebhook = "http://127.0.0.1:9/"\n',
        "numbers.toml": "[source]\nspeed = nan\n[smoothing]\nhalf_life_seconds = -inf\n[server]\n"
        "port = 1e400\n",
        "types.toml": '[server]\nport = "80"\nhost = 1979-05-27\ntoken = [[1]]\nmax_clients = {a = 1}\n',
        "keys.toml": '[server]\n"\\u0000" = 1\n["\\u202e"]\na = 1\n[server.port]\nx = 1\n',
        "webhook.toml": '[outputs]\nwebhook = "http://u:p@[bad"\nmqtt = "mqtt://[::1"\n',
        "deep.toml": "x = " + "[" * 5_000 + "]" * 5_000,
        "dotted.toml": ".".join("a" * 500) + " = 1",
        "digits.toml": "[server]\nport = " + "9" * 5_000,
        "underscores.toml": "[server]\nport = " + "_".join("1" * 5_000),
        "hexadecimal.toml": "[server]\nhost = 0x" + "f" * 5_000,
        "large.toml": "[source]\nspeed = 1" + "0" * 400,
        "large stations.toml": "group_size = 0x" + "f" * 5_000,
        "stations.toml": 'group_size = 4\n[[station]]\nname = "A"\nurl = "http://127.0.0.1:9/a"\n'
        "[[station]]\n"
        'name = "B"\nurl = "rtsp://u:p@127.0.0.1/"\n',
        "odd stations.toml": 'group_size = true\n[[station]]\nname = ""\nurl = "file:///etc/passwd"\nx = 1\n',
        "model.json": '{"format": 1, "name": "genre", "version": "1", "file": "genre.tflite", '
        '"labels": ["a", "b"],'
        '"audio": {"sample_rate": 22050}, "quantization": "int8 convolutions"}',
        "odd model.json": '{"format": 1e999, "name": "\\u0000", "file": "../../etc/passwd", '
        '"labels": [[]], "audio": null}',
        "deep.json": "[" * 100_000,
        "digits.json": '{"format": ' + "9" * 10_000 + "}",
        "large.json": '{"format": 1' + "0" * 400 + ', "name": 0}',
        "surrogate.json": '{"format": 1, "name": "\\ud800", "file": "\\ud800"}',
    }
    return {name: text.encode() for name, text in texts.items()} | {
        "utf16.toml": "[server]\n".encode("utf-16")
    }


def names() -> dict[str, bytes]:
    """Return names of files."""
    texts = (
        "plain.wav", "10:30 mix.wav", "AC:DC.wav", "concat:a.wav", "pipe:0", "-", "--help", "-i.wav",
        "%03d.wav", "*.wav",
        "a|b.wav", "a?b#c.wav", " .wav", "\x1b[2J\x1b]0;x\x07.wav", "a\nb.wav", "\u202egpj.wav", "a\0b.wav",
        "\r.wav",
        "http:c.wav", "file:d.wav", "file:/", "file://host/x", "file:///%00", "=1+1.wav", "<b>.wav", "~",
        "~nobody/x.wav",
        "x" * 255, "x" * 300, "a/" * 150, "/dev/null", "/dev/fd/99", "/proc/self/mem", "/", "..",
        "\u00e9\u0301.wav",
        "http://127.0.0.1:9/\x1b[2J", "rtsp://:\x00@127.0.0.1:9/", "http://[", "https://127.0.0.1:9/",
        "a.m3u", "a.pls",
    )  # fmt: skip
    found = {ascii(text)[:60]: text.encode() for text in texts}
    return found | {"not UTF-8": b"caf\xe9\xff.wav", "half a letter": b"\xed\xa0\x80.wav"}
