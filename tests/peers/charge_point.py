"""An OCPP 1.6J charge point built on the `ocpp` library: charge_point.py URL [ID_TAG]

It proves that a charge point written by others can boot, charge, and be
commanded by a central system, with each request and response validated
against the OCPP 1.6 JSON schemas. The last path segment of URL is its
identity: ws://127.0.0.1:PORT/ocpp/CP-PY.

Standard output has one JSON object per line, in this order:

    {"event":"boot","status":S,"interval":N,"currentTime":T}
    {"event":"authorize","status":S}                for ID_TAG, else PYTAG1
    {"event":"start","status":S,"transactionId":N}
    {"event":"data_transfer","status":S}            for vendorId com.example.unknown
    {"event":"stop","status":S or null}             null: no idTagInfo in the answer
    {"event":"ready"}                               from here on it takes commands
    {"event":"remote_start","idTag":S,"connectorId":N or null}
    {"event":"remote_started","transactionId":N}
    {"event":"remote_stop","transactionId":N}
    {"event":"remote_stopped"}
    {"event":"done"}                                closed normally; exit code 0

A GetLocalListVersion is answered with -1: there is no local list. Each
GetConfiguration, whenever it comes, adds
{"event":"get_configuration","key":[S,..] or null}. A RemoteStopTransaction of
another transaction is printed and answered with Rejected.

Boot, Authorize and both StartTransactions have to be Accepted. Any failure
(a status other than that, a CALLERROR in either direction, an invalid frame,
a wait of 10 s) prints {"event":"error","detail":S} and exits with code 1.
Logs go to standard error.
"""

import asyncio
import sys

from ocpp.routing import after, on
from ocpp.v16 import call, call_result
from ocpp.v16.datatypes import KeyValue, MeterValue, SampledValue
from ocpp.v16.enums import Action, ChargePointStatus, RemoteStartStopStatus
from websockets.asyncio.client import connect
from websockets.frames import CloseCode

from strict_peer import SUBPROTOCOL, TIMEOUT, PeerError, StrictPeer
from strict_peer import emit, now, require_accepted, run, within

ID_TAG = "PYTAG1"
CONFIGURATION = [
    KeyValue(key="HeartbeatInterval", readonly=False, value="300"),
    KeyValue(key="NumberOfConnectors", readonly=True, value="1"),
]


def sample(value, measurand, unit, context="Sample.Periodic", phase=None, location=None):
    return SampledValue(value, context, "Raw", measurand, phase, location, unit)


def energy(wh, context="Sample.Periodic"):
    return sample(str(wh), "Energy.Active.Import.Register", "Wh", context, location="Outlet")


def meter_value(*samples):
    return MeterValue(timestamp=now(), sampled_value=list(samples))


class PythonChargePoint(StrictPeer):
    def __init__(self, id, connection, id_tag):
        super().__init__(id, connection)
        self.id_tag = id_tag
        self.transaction_id = None
        self.commands = asyncio.Queue()

    async def status(self, status, connector_id=1):
        await self.request(call.StatusNotification(connector_id, "NoError", status, now()))

    async def start_transaction(self, id_tag, meter_start):
        answer = await self.request(call.StartTransaction(1, id_tag, meter_start, now()))
        self.transaction_id = answer.transaction_id
        return answer

    async def boot_and_charge(self):
        """What a driver with a card and an hour to spare would cause."""
        boot = await self.request(call.BootNotification("Peer-1", "PyOcpp", firmware_version="1.0"))
        emit("boot", status=boot.status, interval=boot.interval, currentTime=boot.current_time)
        require_accepted(boot.status, "BootNotification")
        await self.status(ChargePointStatus.available, connector_id=0)
        await self.status(ChargePointStatus.available)

        authorize = await self.request(call.Authorize(self.id_tag))
        emit("authorize", status=authorize.id_tag_info["status"])
        require_accepted(authorize.id_tag_info["status"], "Authorize")
        await self.status(ChargePointStatus.preparing)
        start = await self.start_transaction(self.id_tag, 1000)
        emit("start", status=start.id_tag_info["status"], transactionId=start.transaction_id)
        require_accepted(start.id_tag_info["status"], "StartTransaction")
        await self.status(ChargePointStatus.charging)

        first = meter_value(
            energy(1000, "Transaction.Begin"),
            sample("16.0", "Current.Import", "A", phase="L1"),
            sample("15.9", "Current.Import", "A", phase="L2"),
            sample("230.4", "Voltage", "V", phase="L1-N"),
            sample("400.1", "Voltage", "V", phase="L1-L2"),
        )
        second = [
            meter_value(
                energy(1500),
                sample("7.36", "Power.Active.Import", "kW"),
                sample("42", "SoC", "Percent", location="EV"),
            ),
            meter_value(energy(1520, "Sample.Clock"), SampledValue("1520")),
        ]
        await self.request(call.MeterValues(1, [first], start.transaction_id))
        await self.request(call.MeterValues(1, second, start.transaction_id))
        await self.request(call.Heartbeat())
        transfer = await self.request(call.DataTransfer("com.example.unknown", "Ping", "{}"))
        emit("data_transfer", status=transfer.status)

        data = [first, *second, meter_value(energy(2000, "Transaction.End"))]
        stop = await self.request(
            call.StopTransaction(2000, now(), start.transaction_id, "Local", self.id_tag, data)
        )
        self.transaction_id = None
        emit("stop", status=stop.id_tag_info and stop.id_tag_info["status"])
        await self.status(ChargePointStatus.finishing)
        await self.status(ChargePointStatus.available)

    async def obey(self):
        """One remotely started transaction, stopped remotely."""
        emit("ready")
        id_tag = await self.command(Action.remote_start_transaction)
        await self.status(ChargePointStatus.preparing)
        start = await self.start_transaction(id_tag, 2000)
        require_accepted(start.id_tag_info["status"], "StartTransaction")
        emit("remote_started", transactionId=start.transaction_id)

        transaction_id = await self.command(Action.remote_stop_transaction)
        await self.request(call.StopTransaction(2100, now(), transaction_id, "Remote"))
        emit("remote_stopped")

    async def command(self, expected):
        action, argument = await within(self.commands.get(), expected)
        if action != expected:
            raise PeerError(f"{action} where {expected} was due")
        return argument

    async def script(self):
        await self.boot_and_charge()
        await self.obey()

    @on(Action.get_configuration)
    def on_get_configuration(self, key=None):
        emit("get_configuration", key=key)
        wanted = {name.casefold() for name in key or []}
        known = {item.key.casefold() for item in CONFIGURATION}
        found = [item for item in CONFIGURATION if not wanted or item.key.casefold() in wanted]
        unknown = [name for name in key or [] if name.casefold() not in known]
        return call_result.GetConfiguration(found or None, unknown or None)

    @on(Action.get_local_list_version)
    def on_get_local_list_version(self):
        return call_result.GetLocalListVersion(-1)

    @on(Action.remote_start_transaction)
    def on_remote_start(self, id_tag, connector_id=None, **_):
        emit("remote_start", idTag=id_tag, connectorId=connector_id)
        return call_result.RemoteStartTransaction(RemoteStartStopStatus.accepted)

    @after(Action.remote_start_transaction)
    def after_remote_start(self, id_tag, **_):
        self.commands.put_nowait((Action.remote_start_transaction, id_tag))

    @on(Action.remote_stop_transaction)
    def on_remote_stop(self, transaction_id):
        emit("remote_stop", transactionId=transaction_id)
        ours = transaction_id == self.transaction_id
        status = RemoteStartStopStatus.accepted if ours else RemoteStartStopStatus.rejected
        return call_result.RemoteStopTransaction(status)

    @after(Action.remote_stop_transaction)
    def after_remote_stop(self, transaction_id):
        if transaction_id == self.transaction_id:
            self.commands.put_nowait((Action.remote_stop_transaction, transaction_id))


async def main():
    if len(sys.argv) not in (2, 3):
        raise PeerError("usage: charge_point.py URL [ID_TAG]")
    url = sys.argv[1]
    id_tag = sys.argv[2] if len(sys.argv) == 3 else ID_TAG
    timeouts = {"open_timeout": TIMEOUT, "close_timeout": TIMEOUT}
    async with connect(url, subprotocols=[SUBPROTOCOL], proxy=None, **timeouts) as connection:
        if connection.subprotocol != SUBPROTOCOL:
            raise PeerError(f"negotiated the subprotocol {connection.subprotocol}")
        peer = PythonChargePoint(url.rsplit("/", 1)[-1], connection, id_tag)
        await peer.play(peer.script())
    if connection.close_code == CloseCode.ABNORMAL_CLOSURE:
        raise PeerError("the closing handshake was not completed")
    emit("done")


if __name__ == "__main__":
    run(main())
