"""What an Alink platform says, over a plain broker: alink_platform.py PORT PRODUCT_KEY DEVICE_NAME

It listens to every topic of the broker, answers what a tracker asks, and asks
what a platform asks. Each topic, and each payload as far as it does not hold
a time or an id, is checked here. Standard output has one JSON object per line:

    {"event":"listening"}              the device may start
    {"event":"asked","topic":S}        what came of itself and was right, each once: property, event, clock,
                                       shadow, raw bytes, topic of the user's own
    {"event":"answered","topic":S}     a right answer to a request of ours, in the order of `requests`
    {"event":"done"}                   the last one; exit code 0

Our own requests begin with the device's message "ready" on its topic
user/update. Any failure, and a wait of 10 s, prints
{"event":"error","detail":S} and exits with code 1.
"""

import json
import os
import queue
import sys

import paho.mqtt.client as mqtt

TIMEOUT = 10
TIME = 1700000000000


def emit(event, **members):
    print(json.dumps({"event": event, **members}), flush=True)


def fail(detail):
    emit("error", detail=detail)
    os._exit(1)


def check(what, found, expected):
    if found != expected:
        fail(f"{what}: {found!r} and not {expected!r}")


class Platform:
    def __init__(self, port, product, name):
        self.own = f"{product}/{name}"
        self.messages = queue.Queue()
        self.sent = []
        self.client = mqtt.Client(client_id="platform")
        self.client.on_message = lambda client, data, message: self.messages.put(message)
        self.client.on_subscribe = lambda client, data, mid, granted: self.messages.put(granted)
        self.client.connect("127.0.0.1", port, keepalive=60)
        self.client.subscribe("#", 1)
        self.client.loop_start()
        check("granted", list(self.next()), [1])

    def next(self):
        try:
            return self.messages.get(timeout=TIMEOUT)
        except queue.Empty:
            fail(f"nothing came within {TIMEOUT} s")

    def publish(self, topic, payload):
        if isinstance(payload, dict):
            payload = json.dumps(payload)
        if isinstance(payload, str):
            payload = payload.encode()
        self.sent.append((topic, payload))
        self.client.publish(topic, payload, qos=1)

    def receive(self):
        """The next message that is not our own."""
        while True:
            message = self.next()
            said = (message.topic, message.payload)
            if said not in self.sent:
                return said
            self.sent.remove(said)

    def serve(self, topic, payload):
        """Answers what a device asks of itself; whether it is to go on."""
        own = self.own
        thing = f"/sys/{own}/thing"
        if topic == f"/{own}/user/update":
            check(topic, payload, b"ready")
            return False
        elif topic == f"{thing}/model/up_raw":
            check(topic, payload, b"\x01\xff")
            self.publish(f"{thing}/model/up_raw_reply", b"\xff\x01")
        elif topic == f"/ext/ntp/{own}/request":
            sent = json.loads(payload)["deviceSendTime"]
            # One number as text, one as a number.
            self.publish(
                f"/ext/ntp/{own}/response",
                {"deviceSendTime": sent, "serverRecvTime": str(TIME), "serverSendTime": TIME},
            )
        elif topic == f"/shadow/update/{own}":
            request = json.loads(payload)
            reply = {"status": "error", "content": {"errorcode": "407", "errormessage": "empty"}}
            if request["method"] == "update":
                check(topic, request, {"method": "update", "state": {"reported": {"Power": 1}}, "version": 1})
                reply = {"status": "success", "version": 1}
            else:
                check(topic, request, {"method": "get"})
            self.publish(f"/shadow/get/{own}", {"method": "reply", "payload": reply, "timestamp": 1})
        elif topic in (f"{thing}/event/property/post", f"{thing}/event/BatteryLow/post"):
            request = json.loads(payload)
            params = {"BatteryLevel": {"value": 80, "time": TIME}}
            if "BatteryLow" in topic:
                params = {"value": {"Level": 7}, "time": TIME}
            method = topic.split(f"{own}/")[1].replace("/", ".")
            expected = {"id": request["id"], "version": "1.0", "params": params, "method": method}
            check(topic, request, expected)
            reply = {"id": request["id"], "code": 200, "data": {}, "message": "success", "method": method, "version": "1.0"}
            self.publish(f"{topic}_reply", reply)
        else:
            fail(f"unexpected: {topic} {payload!r}")
        emit("asked", topic=topic)
        return True

    def requests(self):
        """Topic, payload, and the topic and the payload of the answer."""
        own = self.own
        thing = f"/sys/{own}/thing"

        def call(method, params, id):
            return {"method": method, "id": id, "params": params, "version": "1.0.0"}

        def answer(id, data):
            return {"id": id, "code": 200, "data": data, "message": "success"}

        power = ("thing.service.SetPowerLevel", {"PowerLevel": 2})
        set_topic = f"{thing}/service/property/set"
        yield set_topic, call("thing.service.property.set", {"ReportInterval": 60}, "7"), f"{set_topic}_reply", answer("7", {})
        service = f"{thing}/service/SetPowerLevel"
        # An id is echoed as it came.
        for id in (8, "8|x", "9"):
            yield service, call(*power, id), f"{service}_reply", answer(id, {"Accepted": 1})
        extended = f"/ext/rrpc/71{service}"
        yield extended, call(*power, "10"), extended, answer("10", {"Accepted": 1})
        request, response = (f"/sys/{own}/rrpc/{what}" for what in ("request/72", "response/72"))
        yield request, call(*power, "11"), response, answer("11", {"Accepted": 1})
        custom = f"/ext/rrpc/73/{own}/user/door"
        yield custom, "open", custom, b"door open"
        request, response = (f"/sys/{own}/rrpc/{what}" for what in ("request/74", "response/74"))
        yield request, b"\xfe\x01", response, b"\x01\xfe"
        yield f"{thing}/model/down_raw", b"\x07", f"{thing}/model/down_raw_reply", b"\x07\xff"
        control = {"method": "control", "payload": {"state": {"desired": {"Power": 2}}}, "version": 2, "timestamp": 1}
        yield f"/shadow/get/{own}", control, f"/{own}/user/told", b'{"Power": 2}'
        yield f"/{own}/user/tariff/day", b"42", f"/{own}/user/told", b"42"


def main():
    port, product, name = sys.argv[1:]
    platform = Platform(int(port), product, name)
    emit("listening")
    while platform.serve(*platform.receive()):
        pass
    for topic, payload, reply_topic, reply in platform.requests():
        platform.publish(topic, payload)
        found, answer = platform.receive()
        check("the answer's topic", found, reply_topic)
        check(found, json.loads(answer) if isinstance(reply, dict) else answer, reply)
        emit("answered", topic=found)
    emit("done")
    platform.client.disconnect()
    platform.client.loop_stop()


if __name__ == "__main__":
    main()
