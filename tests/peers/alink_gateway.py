"""A gateway built on Aliyun's own SDK, `aliyun-iot-linkkit`, with one sub-device, for a platform without TLS on 127.0.0.1:

    alink_gateway.py PORT PRODUCT_KEY DEVICE_NAME DEVICE_SECRET SUB_PRODUCT_KEY SUB_DEVICE_NAME SUB_DEVICE_SECRET

The SDK connects with `_ss=1` and subscribes to nothing. What it has no function for, the sub-device's own messages, it publishes.

Standard output has one JSON object per line:

    {"event":"connected"}
    {"event":"refused","code":N}        a login before the two belong together
    {"event":"added","code":N,"data":V}
    {"event":"online","code":N,"data":V}
    {"event":"posted","topic":S,"code":N}   the sub-device's Power 12.5
    {"event":"ready"}                   from here on it waits for a change of the topology, and for
    {"event":"called","topic":S}        a service of the sub-device, answered with PowerSwitch 1
    {"event":"change","params":V}       `thing.topo.change`; then
    {"event":"offline","code":N,"data":V}
    {"event":"stray","code":N,"data":V}     what it is told for posting all the same
    {"event":"deleted","code":N}

Any failure, and a wait of 10 s, prints {"event":"error","detail":S} and exits with code 1.
"""

import json
import os
import queue
import sys
import traceback

from linkkit import linkkit

TIMEOUT = 10


def emit(event, **members):
    print(json.dumps({"event": event, **members}), flush=True)


def fail(detail):
    emit("error", detail=detail)
    os._exit(1)


class Gateway:
    def __init__(self, port, product_key, device_name, secret):
        self.events = queue.Queue()
        self.kit = linkkit.LinkKit(
            host_name="127.0.0.1", product_key=product_key, device_name=device_name, device_secret=secret
        )
        self.kit.config_mqtt(port=port, secure="")
        kit, put = self.kit, self.events.put
        reply = lambda name: lambda id, code, data, message, _: put((name, (code, data)))
        kit.on_connect = lambda flag, rc, _: put(("connected", rc))
        kit.on_gateway_add_subdev_topo_reply = reply("added")
        kit.on_gateway_delete_subdev_topo_reply = reply("deleted")
        kit.on_gateway_login_subdev_reply = reply("online")
        kit.on_gateway_logout_subdev_reply = reply("offline")
        kit.on_gateway_topo_change = lambda id, params, _: put(("change", params))
        kit.on_topic_message = self.message

    def message(self, topic, payload, qos, _):
        message = json.loads(payload)
        if "/rrpc/request/" in topic:
            emit("called", topic=topic)
            answer = {"id": message["id"], "code": 200, "data": {"PowerSwitch": 1}}
            self.kit.publish_topic(topic.replace("/request/", "/response/"), json.dumps(answer))
        elif topic.startswith("/ext/error/"):
            self.events.put(("error", (message["code"], message["data"])))
        elif topic.endswith("/post_reply"):
            self.events.put(("posted", (topic, message["code"])))

    def wait(self, name):
        """What came with that event; others before it are passed over."""
        while True:
            try:
                event, value = self.events.get(timeout=TIMEOUT)
            except queue.Empty:
                fail(f"nothing came within {TIMEOUT} s: {name}")
            if event == name:
                return value

    def ask(self, function, argument, name):
        if function(argument)[0] != 0:
            fail(f"not sent: {name}")
        return self.wait(name)


def main():
    port, product_key, device_name, secret, *sub = sys.argv[1:]
    gateway = Gateway(int(port), product_key, device_name, secret)
    kit = gateway.kit
    kit.connect_async()
    if (rc := gateway.wait("connected")) != 0:
        fail(f"not connected: {rc}")
    emit("connected")
    code, _ = gateway.ask(kit.gateway_login_subdev, [sub], "online")
    emit("refused", code=code)
    code, data = gateway.ask(kit.gateway_add_subdev_topo, [sub], "added")
    emit("added", code=code, data=data)
    code, data = gateway.ask(kit.gateway_login_subdev, [sub], "online")
    emit("online", code=code, data=data)

    topic = "/sys/%s/%s/thing/event/property/post" % tuple(sub[:2])
    post = {"id": "1", "version": "1.0", "params": {"Power": 12.5}, "method": "thing.event.property.post"}
    kit.publish_topic(topic, json.dumps(post))
    topic_of_reply, code = gateway.wait("posted")
    emit("posted", topic=topic_of_reply, code=code)
    emit("ready")
    emit("change", params=gateway.wait("change"))

    code, data = gateway.ask(kit.gateway_logout_subdev, [sub[:2]], "offline")
    emit("offline", code=code, data=data)
    kit.publish_topic(topic, json.dumps(post))
    code, data = gateway.wait("error")
    emit("stray", code=code, data=data)
    code, _ = gateway.ask(kit.gateway_delete_subdev_topo, [sub[:2]], "deleted")
    emit("deleted", code=code)
    os._exit(0)


if __name__ == "__main__":
    try:
        main()
    except Exception:
        traceback.print_exc()
        fail("an exception")
