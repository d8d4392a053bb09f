"""Decodes and encodes one CALL of OCPP 1.6 by the `ocpp` library, as often as it is told: python_ocpp.py

The benchmark `time` starts it, once for each message. Standard input has the
CALL in its first line, which is answered with the CALL that encodes what was
decoded from it, for whoever asks to compare. Each further line

    {"work":"decode"|"encode","validate":B,"times":N}

is answered with the nanoseconds that it took to do so N times. It ends with
its input.

The work is what the library's ChargePoint does, between the text and the
dataclass of a request. The JSON array around the payload is part of it, since
the library has no function for less.
"""

import asyncio
import json
import sys
import time

import ocpp.messages
from ocpp.charge_point import camel_to_snake_case, remove_nones, serialize_as_dict, snake_to_camel_case
from ocpp.messages import Call, pack, unpack, validate_payload
from ocpp.v16 import call

# By default the library validates in another thread; waiting for that thread would be measured too.
ocpp.messages.ASYNC_VALIDATION = False


async def decode(text, validate):
    message = unpack(text)
    if validate:
        await validate_payload(message, "1.6")
    return getattr(call, message.action)(**camel_to_snake_case(message.payload))


async def encode(request, validate):
    payload = remove_nones(snake_to_camel_case(serialize_as_dict(request)))
    message = Call("1", type(request).__name__, payload)
    if validate:
        await validate_payload(message, "1.6")
    return pack(message)


async def main():
    def answer(line):
        print(line, flush=True)

    text = sys.stdin.readline()
    request = await decode(text, validate=True)
    answer(await encode(request, validate=True))
    works = {"decode": (decode, text), "encode": (encode, request)}
    for line in sys.stdin:
        question = json.loads(line)
        work, value = works[question["work"]]
        validate, times = question["validate"], question["times"]
        start = time.perf_counter_ns()
        for _ in range(times):
            await work(value, validate)
        answer(time.perf_counter_ns() - start)


asyncio.run(main())
