"""A minimal OCPP 1.6J central system on the `ocpp` library: python_server.py HOST:PORT

`cargo xtask load` starts it. It prints the address that identities are
appended to, says nothing more, and ends with the process that started it.

Every request and response is validated against the OCPP 1.6 JSON schemas, as
is the library's default.
"""

import asyncio
import ctypes
import signal
import sys
from datetime import datetime, timezone

import ocpp.messages
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import Action, RegistrationStatus
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

PR_SET_PDEATHSIG = 1

# By default the library validates in another thread, which takes more CPU time.
ocpp.messages.ASYNC_VALIDATION = False


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class CentralSystem(ChargePoint):
    @on(Action.boot_notification)
    def on_boot_notification(self, **_):
        return call_result.BootNotification(now(), 300, RegistrationStatus.accepted)

    @on(Action.heartbeat)
    def on_heartbeat(self):
        return call_result.Heartbeat(now())

    @on(Action.meter_values)
    def on_meter_values(self, **_):
        return call_result.MeterValues()

    @on(Action.status_notification)
    def on_status_notification(self, **_):
        return call_result.StatusNotification()


async def attend(connection):
    try:
        await CentralSystem(connection.request.path.rsplit("/", 1)[-1], connection).start()
    except ConnectionClosed:
        pass


async def main():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    host, port = sys.argv[1].rsplit(":", 1)
    # The others do not ping, and tokio's queue of connections not yet accepted is this long.
    options = {"subprotocols": ["ocpp1.6"], "ping_interval": None, "backlog": 1024}
    async with serve(attend, host, int(port), **options) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"ws://{host}:{port}/ocpp/", flush=True)
        await asyncio.get_running_loop().create_future()


asyncio.run(main())
