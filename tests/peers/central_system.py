"""An OCPP 1.6J central system built on the `ocpp` library: central_system.py [--remote]

It proves that a central system written by others can serve, and with
--remote also command, a charge point, with each request and response
validated against the OCPP 1.6 JSON schemas. It listens on a free port of
127.0.0.1 and accepts any path and the subprotocol ocpp1.6 only.

Standard output has one JSON object per line:

    {"event":"listening","port":N}
    {"event":"connected","path":S,"subprotocol":S}   for each connection
    {"event":"call","action":S,"payload":{..}}       for each CALL, as on the wire
    {"event":"done"}                                 the last one; exit code 0

Everything is accepted: BootNotification with interval 300, StartTransaction
with transaction ids from 1 upward, DataTransfer with UnknownVendorId. Without
--remote it is done when the charge point closes the connection.

With --remote it waits until a StopTransaction has been answered and connector
1 is then Available, sends GetConfiguration, RemoteStartTransaction (idTag
REMOTE1, connector 1) and, after that transaction's StartTransaction and at
least one MeterValues with its id, RemoteStopTransaction. When its
StopTransaction is answered and connector 1 is Available again it closes the
connection and is done. Between the calls this prints:

    {"event":"configuration","configuration_key":[{"key":S,"readonly":B,"value":S},..]}
    {"event":"remote_start","status":S}
    {"event":"remote_stop","status":S}

Any failure (a remote command not Accepted, a CALLERROR in either direction,
an invalid frame, an abnormal close, 10 s without a connection or a CALL, 10 s
for a step of --remote) prints {"event":"error","detail":S} and exits with
code 1. Logs go to standard error.
"""

import asyncio
import itertools
import sys

from ocpp.routing import on
from ocpp.v16 import call, call_result
from ocpp.v16.datatypes import IdTagInfo
from ocpp.v16.enums import Action, AuthorizationStatus, DataTransferStatus, RegistrationStatus
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosedOK

from strict_peer import SUBPROTOCOL, TIMEOUT, PeerError, StrictPeer
from strict_peer import emit, now, require_accepted, run, within

ID_TAG = "REMOTE1"
ACCEPTED = IdTagInfo(status=AuthorizationStatus.accepted)
transaction_ids = itertools.count(1)


class PythonCentralSystem(StrictPeer):
    """The central system's end of one connection."""

    def __init__(self, id, connection):
        super().__init__(id, connection)
        self.answered = asyncio.Queue()
        self.last_transaction_id = None

    def on_call(self, action, payload):
        emit("call", action=action, payload=payload)

    def on_answered(self, action, payload):
        self.answered.put_nowait((action, payload, self.last_transaction_id))

    async def seen(self, expected, **fields):
        """Wait for an answered CALL with these payload fields, passing over others.

        Returns the id of the transaction started last by then. The wait ends
        in error when no CALL at all comes for TIMEOUT seconds.
        """
        while True:
            answered = await within(self.answered.get(), f"a CALL (expecting {expected} {fields})")
            action, payload, transaction_id = answered
            if action == expected and fields.items() <= payload.items():
                return transaction_id

    async def step(self, expected, **fields):
        """The same, within TIMEOUT seconds whatever else comes."""
        return await within(self.seen(expected, **fields), f"{expected} {fields}")

    async def listen(self):
        """Answer until the charge point leaves."""
        while True:
            await within(self.answered.get(), "a CALL")

    async def command(self):
        """Start and stop a transaction once the charge point's own is over."""
        await self.seen(Action.stop_transaction)
        await self.seen(Action.status_notification, connectorId=1, status="Available")
        configuration = await self.request(call.GetConfiguration())
        emit("configuration", configuration_key=configuration.configuration_key or [])

        start = await self.request(call.RemoteStartTransaction(ID_TAG, 1))
        emit("remote_start", status=start.status)
        require_accepted(start.status, "RemoteStartTransaction")
        transaction_id = await self.step(Action.start_transaction, idTag=ID_TAG, connectorId=1)
        await self.step(Action.meter_values, transactionId=transaction_id)

        stop = await self.request(call.RemoteStopTransaction(transaction_id))
        emit("remote_stop", status=stop.status)
        require_accepted(stop.status, "RemoteStopTransaction")
        await self.step(Action.stop_transaction, transactionId=transaction_id)
        await self.step(Action.status_notification, connectorId=1, status="Available")

    @on(Action.boot_notification)
    def on_boot_notification(self, **_):
        return call_result.BootNotification(now(), 300, RegistrationStatus.accepted)

    @on(Action.heartbeat)
    def on_heartbeat(self):
        return call_result.Heartbeat(now())

    @on(Action.authorize)
    def on_authorize(self, **_):
        return call_result.Authorize(ACCEPTED)

    @on(Action.start_transaction)
    def on_start_transaction(self, **_):
        self.last_transaction_id = next(transaction_ids)
        return call_result.StartTransaction(self.last_transaction_id, ACCEPTED)

    @on(Action.meter_values)
    def on_meter_values(self, **_):
        return call_result.MeterValues()

    @on(Action.stop_transaction)
    def on_stop_transaction(self, id_tag=None, **_):
        return call_result.StopTransaction(ACCEPTED if id_tag else None)

    @on(Action.status_notification)
    def on_status_notification(self, **_):
        return call_result.StatusNotification()

    @on(Action.data_transfer)
    def on_data_transfer(self, **_):
        return call_result.DataTransfer(DataTransferStatus.unknown_vendor_id)


async def attend(connection, remote):
    """Attend to one charge point until it has given all there is to see."""
    path = connection.request.path
    emit("connected", path=path, subprotocol=connection.subprotocol)
    peer = PythonCentralSystem(path.rsplit("/", 1)[-1], connection)
    if remote:
        await peer.play(peer.command())
        return
    try:
        await peer.play(peer.listen())
    except ConnectionClosedOK:
        pass


async def main():
    options = sys.argv[1:]
    if options not in ([], ["--remote"]):
        raise PeerError("usage: central_system.py [--remote]")
    connected = asyncio.Event()
    outcome = asyncio.get_running_loop().create_future()

    async def handler(connection):
        connected.set()
        try:
            await attend(connection, remote=bool(options))
            # No new connection may come in while this one is being closed.
            server.close(close_connections=False)
            await connection.close()
        except Exception as error:
            if not outcome.done():
                outcome.set_exception(error)
        else:
            if not outcome.done():
                outcome.set_result(None)

    listener = serve(
        handler, "127.0.0.1", 0, subprotocols=[SUBPROTOCOL], close_timeout=TIMEOUT
    )
    async with listener as server:
        emit("listening", port=server.sockets[0].getsockname()[1])
        await within(connected.wait(), f"a connection that speaks {SUBPROTOCOL}")
        await outcome
    emit("done")


if __name__ == "__main__":
    run(main())
