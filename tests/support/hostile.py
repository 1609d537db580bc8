"""Hostile and odd inputs: texts that FFmpeg would follow, and sound in unusual containers."""

from __future__ import annotations

REFERRING_TEXTS = {
    "sdp": (
        "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        "m=audio 50004 RTP/AVP 97\r\na=rtpmap:97 L16/44100/2\r\n"
    ),
    "concat": "ffconcat version 1.0\nfile sound.wav\n",
    "concat of an address": "ffconcat version 1.0\nfile 'http://127.0.0.1:{port}/secret'\n",
    "hls": (
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:2.0,\n"
        "{folder}/sound.wav\n#EXT-X-ENDLIST\n"
    ),
    "dash": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>'
        '<AdaptationSet contentType="audio"><Representation id="1" bandwidth="64000">'
        "<BaseURL>http://127.0.0.1:{port}/secret</BaseURL></Representation></AdaptationSet></Period></MPD>"
    ),
    "rtsp description": (
        "RTSP/1.0 200 OK\r\nContent-Type: application/sdp\r\n\r\nv=0\r\nm=audio 50004 RTP/AVP 0\r\n"
    ),
    "vobsub": "# VobSub index file, v7 (do not modify this line!)\nid: en, index: 0\n",
    "metadata": ";FFMETADATA1\ntitle=sound.wav\n",
    "subtitles": "WEBVTT\n\n00:00.000 --> 00:01.000\nsound.wav\n",
    "smil": '<smil><body><audio src="http://127.0.0.1:{port}/secret"/></body></smil>',
}
"""Texts of a kind each. ``{folder}`` and ``{port}`` stand for a folder with sound.wav and a web server."""
