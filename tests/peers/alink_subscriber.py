"""An Alink device on a plain MQTT client, which subscribes to what it wants to hear:

    alink_subscriber.py [--again] PORT PRODUCT_KEY DEVICE_NAME DEVICE_SECRET

It signs with HMAC-MD5 and has neither `_ss` nor `ext` nor a time-stamp. Standard output has one JSON object per line:

    {"event":"subscribed","granted":[N,..]}     own replies with QoS 0, own calls with QoS 1, and another device's
    {"event":"posted","code":N}                 Power 1.5; a second answer would be an error
    {"event":"ready"}
    {"event":"called","topic":S}                answered with PowerSwitch 1; then it ends

With `--again` the first post is sent every half second until it is answered: the platform may not listen yet. Any failure, and a wait of 10 s, prints {"event":"error","detail":S} and exits with code 1.
"""

import hashlib
import hmac
import json
import os
import queue
import sys

import paho.mqtt.client as mqtt

TIMEOUT = 10


def emit(event, **members):
    print(json.dumps({"event": event, **members}), flush=True)


def fail(detail):
    emit("error", detail=detail)
    os._exit(1)


def next_of(events):
    try:
        return events.get(timeout=TIMEOUT)
    except queue.Empty:
        fail(f"nothing came within {TIMEOUT} s")


def main():
    *again, port, product, name, secret = sys.argv[1:]
    signed = f"clientIdplaindeviceName{name}productKey{product}"
    password = hmac.new(secret.encode(), signed.encode(), hashlib.md5).hexdigest()
    events = queue.Queue()
    client = mqtt.Client(client_id="plain|securemode=3,signmethod=hmacmd5|")
    client.username_pw_set(f"{name}&{product}", password)
    client.on_connect = lambda client, data, flags, rc: events.put(rc)
    client.on_subscribe = lambda client, data, mid, granted: events.put(list(granted))
    client.on_message = lambda client, data, message: events.put(message)
    client.connect("127.0.0.1", int(port), keepalive=60)
    client.loop_start()
    if (rc := next_of(events)) != 0:
        fail(f"not connected: {rc}")
    own = f"/sys/{product}/{name}"
    topics = [(f"{own}/thing/event/+/post_reply", 0), (f"{own}/rrpc/request/+", 1), (f"/sys/{product}/other/#", 0)]
    client.subscribe(topics)
    emit("subscribed", granted=next_of(events))
    for id in ("1", "2"):
        post = {"id": id, "version": "1.0", "params": {"Power": 1.5}, "method": "thing.event.property.post"}
        for attempt in range(20 if again else 1):
            client.publish(f"{own}/thing/event/property/post", json.dumps(post), qos=1)
            try:
                reply = json.loads(events.get(timeout=0.5 if again else TIMEOUT).payload)
                break
            except queue.Empty:
                continue
        else:
            fail(f"no answer within {TIMEOUT} s")
        # Of what was sent more than once.
        while again and reply["id"] != id:
            reply = json.loads(next_of(events).payload)
        # The answer to the first post, if it came twice, would be taken for that to the second.
        if reply["id"] != id:
            fail(f"another answer: {reply}")
    emit("posted", code=reply["code"])
    emit("ready")
    call = next_of(events)
    answer = {"id": json.loads(call.payload)["id"], "code": 200, "data": {"PowerSwitch": 1}}
    sent = client.publish(call.topic.replace("/request/", "/response/"), json.dumps(answer), qos=1)
    sent.wait_for_publish(TIMEOUT)
    emit("called", topic=call.topic)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main()
