"""An OCPP 2.0.1 charging station built on the `ocpp` library: charging_station_201.py URL

It proves that a charging station written by others can boot, charge, be asked
for its variables, and be refused what breaks the schemas by a CSMS, with each
other request and response validated against the OCPP 2.0.1 JSON schemas. The
last path segment of URL is its identity: ws://127.0.0.1:PORT/ocpp/CS-PY.

Standard output has one JSON object per line, in this order:

    {"event":"boot","status":S,"interval":N}
    {"event":"started","status":S or null}    for idToken PYTAG1; null: no idTokenInfo
    {"event":"ended"}
    {"event":"ready"}                         from here on it waits for GetVariables
    {"event":"get_variables","variables":[[COMPONENT,VARIABLE],..]}
    {"event":"refused","code":S}              BootNotification without chargingStation
    {"event":"refused","code":S}              Heartbeat without a payload
    {"event":"done"}                          closed normally; exit code 0

Each further GetVariables, whenever it comes, adds its line. All are answered:
HeartbeatInterval of OCPPCommCtrlr with "300", the rest with UnknownComponent.

The two refused CALLs are raw frames with the ids bad-1 and bad-2. Each has to
be answered with a CALLERROR of that id, of whatever code.

Boot and, where the Started event is answered with one, the idTokenInfo have
to be Accepted. Any failure (a status other than that, a CALLERROR in either
direction that is not one of the two, an invalid frame, a wait of 10 s) prints
{"event":"error","detail":S} and exits with code 1. Logs go to standard error.
"""

import asyncio
import sys

from ocpp.routing import after, on
from ocpp.v201 import ChargePoint, call, call_result
from ocpp.v201.datatypes import ChargingStationType, EVSEType, GetVariableResultType, IdTokenType
from ocpp.v201.datatypes import MeterValueType, SampledValueType, TransactionType, UnitOfMeasureType
from ocpp.v201.enums import Action
from ocpp.v201.enums import GetVariableStatusEnumType as Status
from websockets.asyncio.client import connect
from websockets.frames import CloseCode

from strict_peer import TIMEOUT, PeerError, Strict
from strict_peer import emit, now, require_accepted, run, within

SUBPROTOCOL = "ocpp2.0.1"
ID_TOKEN = IdTokenType("PYTAG1", "Central")
TRANSACTION_ID = "TX-1"
EVSE = EVSEType(id=1, connector_id=1)
# Names are compared without regard to case.
VARIABLES = {("ocppcommctrlr", "heartbeatinterval"): "300"}


def sample(value, measurand, unit, context, phase=None):
    return SampledValueType(
        value, context, measurand, phase, "Outlet", unit_of_measure=UnitOfMeasureType(unit)
    )


def energy(wh, context="Sample.Periodic"):
    return sample(wh, "Energy.Active.Import.Register", "Wh", context)


def meter_value(*samples):
    return MeterValueType(timestamp=now(), sampled_value=list(samples))


class PythonChargingStation(Strict, ChargePoint):
    def __init__(self, id, connection):
        super().__init__(id, connection)
        self.asked = asyncio.Event()

    async def transaction_event(self, event, reason, seq_no, *samples, id_token=None, **info):
        return await self.request(
            call.TransactionEvent(
                event_type=event,
                timestamp=now(),
                trigger_reason=reason,
                seq_no=seq_no,
                transaction_info=TransactionType(TRANSACTION_ID, **info),
                meter_value=[meter_value(*samples)],
                evse=EVSE,
                id_token=id_token,
            )
        )

    async def boot_and_charge(self):
        """What a driver with a card and an hour to spare would cause."""
        station = ChargingStationType("PyOcpp", "Peer-201", firmware_version="1.0")
        boot = await self.request(call.BootNotification(station, "PowerUp"))
        emit("boot", status=boot.status, interval=boot.interval)
        require_accepted(boot.status, "BootNotification")
        await self.request(call.StatusNotification(now(), "Available", EVSE.id, EVSE.connector_id))

        started = await self.transaction_event(
            "Started",
            "CablePluggedIn",
            0,
            energy(1000, "Transaction.Begin"),
            id_token=ID_TOKEN,
            charging_state="EVConnected",
        )
        status = started.id_token_info and started.id_token_info["status"]
        emit("started", status=status)
        if status is not None:
            require_accepted(status, "TransactionEvent")
        await self.transaction_event(
            "Updated",
            "MeterValuePeriodic",
            1,
            energy(1500.5),
            sample(7.36, "Power.Active.Import", "kW", "Sample.Periodic"),
            sample(16.0, "Current.Import", "A", "Sample.Periodic", "L1"),
            charging_state="Charging",
        )
        await self.transaction_event(
            "Ended",
            "EVCommunicationLost",
            2,
            energy(2000, "Transaction.End"),
            charging_state="Idle",
            stopped_reason="EVDisconnected",
        )
        emit("ended")
        await self.request(call.Heartbeat())

    async def misbehave(self):
        """Two CALLs that break the schemas, past the library's own validation."""
        code = await self.provoke("bad-1", Action.boot_notification, {"reason": "PowerUp"})
        emit("refused", code=code)
        code = await self.provoke("bad-2", Action.heartbeat)
        emit("refused", code=code)

    async def script(self):
        await self.boot_and_charge()
        emit("ready")
        await within(self.asked.wait(), Action.get_variables)
        await self.misbehave()

    @on(Action.get_variables)
    def on_get_variables(self, get_variable_data, **_):
        names = [(item["component"]["name"], item["variable"]["name"]) for item in get_variable_data]
        emit("get_variables", variables=names)
        results = []
        for item, (component, variable) in zip(get_variable_data, names):
            value = VARIABLES.get((component.casefold(), variable.casefold()))
            status = Status.unknown_component if value is None else Status.accepted
            attribute = item.get("attribute_type")
            results.append(
                GetVariableResultType(status, item["component"], item["variable"], attribute, value)
            )
        return call_result.GetVariables(results)

    @after(Action.get_variables)
    def after_get_variables(self, **_):
        self.asked.set()


async def main():
    if len(sys.argv) != 2:
        raise PeerError("usage: charging_station_201.py URL")
    url = sys.argv[1]
    timeouts = {"open_timeout": TIMEOUT, "close_timeout": TIMEOUT}
    async with connect(url, subprotocols=[SUBPROTOCOL], proxy=None, **timeouts) as connection:
        if connection.subprotocol != SUBPROTOCOL:
            raise PeerError(f"negotiated the subprotocol {connection.subprotocol}")
        peer = PythonChargingStation(url.rsplit("/", 1)[-1], connection)
        await peer.play(peer.script())
    if connection.close_code == CloseCode.ABNORMAL_CLOSURE:
        raise PeerError("the closing handshake was not completed")
    emit("done")


if __name__ == "__main__":
    run(main())
