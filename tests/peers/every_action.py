"""Every action of OCPP 1.6, answered by the `ocpp` library.

    every_action.py charge-point URL ACTIONS    connects to URL
    every_action.py central-system ACTIONS      listens on a free port of 127.0.0.1

It first calls ACTIONS (names with commas between them), and then answers. It
proves that each request and answer of the other side is what that library's
schemas allow, and that the other side reads every property there is.
Requests and answers are made from the schemas that the library ships.

Standard output has one JSON object per line:

    {"event":"action","name":A,"requests":[R,R],"response":P}
                                      for each action: what the other side is to
                                      send (all properties, required ones only),
                                      and what it is answered with
    {"event":"listening","port":N}    as a central system
    {"event":"called"}                ACTIONS were all answered with P
    {"event":"done"}                  closed normally; exit code 0

A message that the schema refuses, an answer other than P, or any other failure, prints
{"event":"error","detail":S} and exits with code 1. Logs go to standard error.
"""

import asyncio
import importlib.util
import json
import sys
from decimal import Decimal
from pathlib import Path

from ocpp.charge_point import camel_to_snake_case
from ocpp.routing import on
from ocpp.v16 import call, call_result
from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

from corpus import Maker, read
from strict_peer import SUBPROTOCOL, TIMEOUT, PeerError, StrictPeer, emit, run


def documents():
    """The messages of each action: (action, requests, response)."""
    folder = Path(importlib.util.find_spec("ocpp").origin).parent / "v16" / "schemas"
    for path in sorted(folder.glob("*Response.json")):
        action = path.stem.removesuffix("Response")
        request = Maker(read(folder / f"{action}.json"))
        response = Maker(read(path))
        requests = [request.sample(request.root, full) for full in (True, False)]
        yield action, requests, response.sample(response.root, True)


def answering(action, response):
    def answer(self, **_):
        return getattr(call_result, action)(**camel_to_snake_case(response))

    # The library finds handlers by the names of their functions.
    answer.__name__ = f"on_{action}"
    return on(action)(answer)


def endpoint(names):
    """An endpoint that calls and answers; prints what it expects."""
    methods = {"exchanges": []}
    for action, requests, response in documents():
        emit("action", name=action, requests=requests, response=response)
        methods[f"on_{action}"] = answering(action, response)
        if action in names.split(","):
            methods["exchanges"].append((action, requests, response))
    return type("EveryAction", (StrictPeer,), methods)


async def play(peer):
    """Call, then answer until the other side closes the connection."""
    listening = asyncio.create_task(listen(peer))
    for action, requests, response in peer.exchanges:
        # As the library reads numbers.
        response = json.loads(json.dumps(response), parse_float=Decimal)
        expected = getattr(call_result, action)(**camel_to_snake_case(response))
        for request in requests:
            try:
                payload = getattr(call, action)(**camel_to_snake_case(request))
            except TypeError:
                # The library's own type asks for more than its schema.
                continue
            answer = await peer.request(payload)
            if answer != expected:
                raise PeerError(f"{action} was answered with {answer}")
    emit("called")
    await listening


async def charge_point(peer_type, url):
    timeouts = {"open_timeout": TIMEOUT, "close_timeout": TIMEOUT}
    async with connect(url, subprotocols=[SUBPROTOCOL], proxy=None, **timeouts) as connection:
        peer = peer_type(url.rsplit("/", 1)[-1], connection)
        await play(peer)


async def central_system(peer_type):
    outcome = asyncio.get_running_loop().create_future()

    async def handler(connection):
        try:
            await play(peer_type("CP1", connection))
            outcome.set_result(None)
        except Exception as error:
            outcome.set_exception(error)

    async with serve(handler, "127.0.0.1", 0, subprotocols=[SUBPROTOCOL]) as server:
        emit("listening", port=server.sockets[0].getsockname()[1])
        await outcome


async def listen(peer):
    """Answer until the other side closes the connection."""
    async for message in peer._connection:
        await peer.route_message(message)


async def main():
    match sys.argv[1:]:
        case ["charge-point", url, names]:
            await charge_point(endpoint(names), url)
        case ["central-system", names]:
            await central_system(endpoint(names))
        case _:
            raise PeerError("usage: every_action.py charge-point URL ACTIONS | central-system ACTIONS")
    emit("done")


if __name__ == "__main__":
    run(main())
