"""A device with the habits of Aliyun's SDK for C, whose HTTP client is what matters here, for a platform without TLS on 127.0.0.1:

    alink_c_device.py PORT FILES_PORT PRODUCT_KEY DEVICE_NAME DEVICE_SECRET

It connects with `_ss=1` and subscribes to nothing. Of a URL it reads the host and the path: a port in it would become a part of
the host. Port 80 is FILES_PORT here. Of an answer it reads the status, and `Content-Length` in that spelling only; without
it there is no body. A file is fetched in ranges of 4,000 bytes.

Standard output has one JSON object per line:

    {"event":"connected"}
    {"event":"configured","content":S}      what it asked for, and a digest that is right
    {"event":"ready"}                       from here on it waits for
    {"event":"pushed","content":S}          a configuration that is pushed; then
    {"event":"updated","version":S,"size":N}    an update, reported, with a digest that is right

Any failure, and a wait of 10 s, prints {"event":"error","detail":S} and exits with code 1.
"""

import hashlib
import hmac
import json
import os
import queue
import socket
import sys
import traceback

import paho.mqtt.client as mqtt

TIMEOUT = 10
RANGE = 4000


def emit(event, **members):
    print(json.dumps({"event": event, **members}), flush=True)


def fail(detail):
    emit("error", detail=detail)
    os._exit(1)


class Device:
    def __init__(self, port, files_port, product, name, secret):
        self.files_port, self.of = int(files_port), f"{product}/{name}"
        self.messages = queue.Queue()
        client_id = f"{product}.{name}"
        stamp = "2524608000000"
        signed = f"clientId{client_id}deviceName{name}productKey{product}timestamp{stamp}"
        parameters = f"timestamp={stamp},_ss=1,_v=sdk-c-4.1.0,securemode=3,signmethod=hmacsha256,ext=3,"
        self.client = mqtt.Client(client_id=f"{client_id}|{parameters}|")
        password = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest().upper()
        self.client.username_pw_set(f"{name}&{product}", password)
        self.client.on_connect = lambda client, data, flags, rc: self.messages.put(("connected", rc))
        self.client.on_message = lambda client, data, message: self.messages.put((message.topic, message.payload))
        self.client.connect("127.0.0.1", int(port), keepalive=60)
        self.client.loop_start()

    def wait(self, topic):
        """The next message on a topic; others are passed over."""
        while True:
            try:
                found, payload = self.messages.get(timeout=TIMEOUT)
            except queue.Empty:
                fail(f"nothing came on {topic} within {TIMEOUT} s")
            if found == topic:
                return payload

    def publish(self, topic, **message):
        self.client.publish(topic, json.dumps(message))

    def get(self, url, first):
        """One range, and the length of the whole."""
        scheme, rest = url.split("://", 1)
        host, path = rest.split("/", 1)
        if scheme != "http" or ":" in host:
            fail(f"{host} is no host")
        with socket.create_connection((host, self.files_port), timeout=TIMEOUT) as stream:
            head = f"GET /{path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html, application/xhtml+xml\r\n"
            stream.sendall(f"{head}Range: bytes={first}-{first + RANGE - 1}\r\nContent-Length: 0\r\n\r\n".encode())
            received = b""
            while b"\r\n\r\n" not in received:
                if not (more := stream.recv(512)):
                    fail("the answer has no end")
                received += more
            head, body = received.split(b"\r\n\r\n", 1)
            status = int(head.split(b" ", 2)[1])
            headers = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
            if status not in (200, 206) or b"Content-Length" not in headers:
                fail(f"status {status}, {sorted(headers)}")
            while len(body) < int(headers[b"Content-Length"]):
                if not (more := stream.recv(4096)):
                    fail("the body was cut")
                body += more
            return body

    def fetch(self, url, size, digest):
        file = b""
        while len(file) < size:
            file += self.get(url, len(file))
        if len(file) != size or hashlib.sha256(file).hexdigest() != digest.lower():
            fail(f"{len(file)} bytes with another digest")
        return file

    def configuration(self, data):
        return self.fetch(data["url"], int(data["configSize"]), data["sign"]).decode()

    def run(self):
        if (rc := self.wait("connected")) != 0:
            fail(f"not connected: {rc}")
        emit("connected")
        own = f"/sys/{self.of}/thing/config"
        params = {"configScope": "product", "getType": "file"}
        self.publish(f"{own}/get", id="3", version="1.0", params=params, sys={"ack": 1})
        emit("configured", content=self.configuration(json.loads(self.wait(f"{own}/get_reply"))["data"]))
        self.publish(f"/ota/device/inform/{self.of}", id="4", params={"version": "1.0.0"})
        emit("ready")
        pushed = json.loads(self.wait(f"{own}/push"))
        self.publish(f"{own}/push_reply", id=pushed["id"], code=200, data={})
        emit("pushed", content=self.configuration(pushed["params"]))
        offer = json.loads(self.wait(f"/ota/device/upgrade/{self.of}"))["data"]
        file = self.fetch(offer["url"], int(offer["size"]), offer["sign"])
        self.publish(f"/ota/device/progress/{self.of}", id="5", params={"step": "100", "desc": ""})
        self.publish(f"/ota/device/inform/{self.of}", id="6", params={"version": offer["version"]})
        emit("updated", version=offer["version"], size=len(file))
        self.client.disconnect()
        self.client.loop_stop()


try:
    Device(*sys.argv[1:]).run()
except Exception:
    fail(traceback.format_exc())
