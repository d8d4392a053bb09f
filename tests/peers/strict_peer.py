"""What the peers built on the `ocpp` library share: events and strictness.

The library validates every payload against the JSON schemas of its version,
but it logs and survives much of what it finds: a frame it cannot parse, a
response nobody asked for, a request it had to answer with a CALLERROR. Here
each of those ends the program, so that a run which reaches its last event is
evidence that the library had nothing to object to.
"""

import asyncio
import json
import logging
import re
import sys
from datetime import datetime, timezone

from ocpp import v16
from ocpp.charge_point import ChargePoint

SUBPROTOCOL = "ocpp1.6"  # of StrictPeer; a peer of another version names its own
TIMEOUT = 10

CALL, CALL_RESULT, CALL_ERROR = 2, 3, 4
FRAME_LENGTH = {CALL: 4, CALL_RESULT: 3, CALL_ERROR: 5}

# The schemas declare these fields as "date-time", which the library leaves
# unchecked. RFC 3339 demands the offset.
DATE_TIME_FIELDS = {"cacheExpiryDateTime", "currentTime", "expiryDate", "timestamp"}
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


class PeerError(Exception):
    """The other side, or the test that drives it, broke the rules."""


def emit(event, **fields):
    """Write one event as a line of JSON."""
    print(json.dumps({"event": event, **fields}, separators=(",", ":")), flush=True)


def now():
    """The current time as OCPP writes it."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def run(main):
    """Run a coroutine; turn whatever goes wrong into an error event and exit code 1."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO)
    try:
        asyncio.run(main)
    except Exception as error:
        logging.exception("failed")
        emit("error", detail=f"{type(error).__name__}: {error}")
        sys.exit(1)


async def within(awaitable, what):
    """Await something for at most TIMEOUT seconds."""
    try:
        return await asyncio.wait_for(awaitable, TIMEOUT)
    except TimeoutError:
        raise PeerError(f"waited {TIMEOUT} s for {what}") from None


def check_date_times(value):
    """Check every date-time field, however deep in the payload."""
    if isinstance(value, list):
        for item in value:
            check_date_times(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in DATE_TIME_FIELDS:
                if not RFC3339.fullmatch(item):
                    raise PeerError(f"{key} is not an RFC 3339 date-time: {item!r}")
                datetime.fromisoformat(item)
            check_date_times(item)


def require_accepted(status, what):
    """Raise unless a status is Accepted."""
    if status != "Accepted":
        raise PeerError(f"{what} was answered with {status}")


class Strict(ChargePoint):
    """An endpoint of any version that raises where the library would log.

    It comes before the library's own class of a version: class P(Strict, v201.ChargePoint).
    """

    def __init__(self, id, connection):
        super().__init__(id, connection, response_timeout=TIMEOUT)
        self._pending_id = None
        self._settled = asyncio.Event()

    async def request(self, payload):
        """Send a CALL; a CALLERROR or an invalid CALLRESULT raises."""
        self._settled.clear()
        try:
            return await self.call(payload, suppress=False)
        finally:
            self._settled.set()

    async def provoke(self, unique_id, *rest):
        """Send a CALL as it stands, schemas or not; return the code of the CALLERROR due."""
        self._settled.clear()
        try:
            await self._send(json.dumps([CALL, unique_id, *rest], separators=(",", ":")))
            answer = await within(self._response_queue.get(), f"a CALLERROR for {unique_id}")
            if answer.message_type_id != CALL_ERROR:
                raise PeerError(f"{unique_id} was answered with {answer.to_json()}")
            parts = (answer.error_code, answer.error_description, answer.error_details)
            if [type(part) for part in parts] != [str, str, dict]:
                raise PeerError(f"not a CALLERROR: {answer.to_json()}")
            return answer.error_code
        finally:
            self._settled.set()

    async def route_message(self, raw_msg):
        if not isinstance(raw_msg, str):
            raise PeerError(f"a frame that is not text: {raw_msg!r}")
        frame = json.loads(raw_msg)
        if not isinstance(frame, list) or not frame or len(frame) != FRAME_LENGTH.get(frame[0]):
            raise PeerError(f"not an OCPP-J message: {raw_msg}")
        if frame[0] == CALL:
            self.on_call(frame[2], frame[3])
            check_date_times(frame[3])
            await super().route_message(raw_msg)
            self.on_answered(frame[2], frame[3])
            return
        if frame[1] != self._pending_id:
            raise PeerError(f"a response to nothing that was asked: {raw_msg}")
        self._pending_id = None
        check_date_times(frame[2:])
        await super().route_message(raw_msg)
        # Read no further frame until request() has delivered this response:
        # the next CALL may already refer to what it says.
        await self._settled.wait()

    async def _send(self, message):
        frame = json.loads(message)
        if frame[0] == CALL:
            self._pending_id = frame[1]
        await super()._send(message)
        if frame[0] == CALL_ERROR:
            raise PeerError(f"a CALL had to be answered with {message}")

    def on_call(self, action, payload):
        """Hook: a CALL has arrived; the payload is as it was on the wire."""

    def on_answered(self, action, payload):
        """Hook: the CALL has been answered with a CALLRESULT."""

    async def play(self, script):
        """Run a script while receiving; the first of the two to end decides.

        Returns when the script does. An exception of either side is raised,
        and so is the closing of the connection by the other side.
        """
        script = asyncio.ensure_future(script)
        receiver = asyncio.ensure_future(self.start())
        try:
            await asyncio.wait({script, receiver}, return_when=asyncio.FIRST_COMPLETED)
            # A broken rule says more than the script's failure to get on.
            if receiver.done() and isinstance(receiver.exception(), PeerError):
                receiver.result()
            (script if script.done() else receiver).result()
        finally:
            script.cancel()
            receiver.cancel()
            await asyncio.gather(script, receiver, return_exceptions=True)


class StrictPeer(Strict, v16.ChargePoint):
    """An OCPP 1.6 endpoint that raises where the library would log."""
