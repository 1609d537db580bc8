"""Websocket protocol: messages, requests, stream states, and the JSON Schema generated from them.

The names of ``builders``, ``spectrum``, ``schema`` and ``history`` are imported from these modules, because
not every client needs them.
"""

from realtime.protocol.codes import ResponseCode, StateCode
from realtime.protocol.estimate import GenreEstimate, StreamState
from realtime.protocol.health import Percentiles, PipelineHealth, SourceStatus
from realtime.protocol.messages import VERSION, Message, ServerMessage, decode, encode
from realtime.protocol.requests import ClientMessage, Outcome, RequestError, decode_request

__all__ = [
    "VERSION",
    "ClientMessage",
    "GenreEstimate",
    "Message",
    "Outcome",
    "Percentiles",
    "PipelineHealth",
    "RequestError",
    "ResponseCode",
    "ServerMessage",
    "SourceStatus",
    "StateCode",
    "StreamState",
    "decode",
    "decode_request",
    "encode",
]
