"""An Alink device built on Aliyun's own SDK, `aliyun-iot-linkkit`, for a platform without TLS on 127.0.0.1:

    alink_device.py work PORT PRODUCT_KEY DEVICE_NAME DEVICE_SECRET MODEL
    alink_device.py register PORT PRODUCT_KEY DEVICE_NAME PRODUCT_SECRET MODEL
    alink_device.py regnwl PORT PRODUCT_KEY DEVICE_NAME PRODUCT_SECRET MODEL

MODEL is the file of the smart socket. The SDK connects with `_ss=1` and subscribes to nothing.

Standard output has one JSON object per line:

    {"event":"registered"}                  with `register` and `regnwl`; it connects with what it got
    {"event":"connected"}
    {"event":"posted","code":N}             Power 12.5, PowerSwitch 1
    {"event":"told","name":S,"code":N}      the event OverTemperature
    {"event":"shadow","status":S,"version":N}   after {"Power":1} with the version 1
    {"event":"ready"}                       from here on it obeys, in any order:
    {"event":"property_set","params":{..}}
    {"event":"service","name":S,"params":{..}}  Toggle is answered with PowerSwitch 0, others with nothing
    {"event":"update","version":S,"module":S,"downloaded":B,"sign":S}   the digest was checked by the SDK; the new version
                                            is reported then

With `register` and `regnwl` it ends after `connected`. Any failure, and a wait of 10 s, prints
{"event":"error","detail":S} and exits with code 1.
"""

import json
import os
import queue
import sys
import tempfile
import threading
import traceback

from linkkit import linkkit

TIMEOUT = 10


def emit(event, **members):
    print(json.dumps({"event": event, **members}), flush=True)


def fail(detail):
    emit("error", detail=detail)
    os._exit(1)


class Device:
    def __init__(self, port, model, **login):
        self.events = queue.Queue()
        self.kit = linkkit.LinkKit(host_name="127.0.0.1", **login)
        self.kit.config_mqtt(port=port, secure="")
        kit, put = self.kit, self.events.put
        kit.on_connect = lambda flag, rc, _: put(("connected", rc))
        kit.on_thing_enable = lambda _: put(("enabled", 0))
        kit.on_thing_prop_post = lambda id, code, data, message, _: put(("posted", code))
        kit.on_thing_event_post = lambda event, id, code, data, message, _: put(("told", (event, code)))
        kit.on_thing_shadow_get = lambda payload, _: put(("shadow", payload))
        kit.on_thing_prop_changed = lambda params, _: emit("property_set", params=params)
        kit.on_thing_call_service = self.service
        kit.on_ota_message_arrived = self.update
        kit.on_device_dynamic_register = lambda rc, value, _: put(("registered", (rc, value)))
        kit.on_device_dynamic_register_nwl_reply = lambda *reply: put(("registered", reply))
        if self.kit.thing_setup(model) != 0:
            fail("the model cannot be read")

    def wait(self, name):
        """What came with that event; others before it are passed over."""
        while True:
            try:
                event, value = self.events.get(timeout=TIMEOUT)
            except queue.Empty:
                fail(f"nothing came within {TIMEOUT} s: {name}")
            if event == name:
                return value

    def connect(self):
        self.kit.connect_async()
        if (rc := self.wait("connected")) != 0:
            fail(f"not connected: {rc}")
        emit("connected")

    def service(self, name, request, params, _):
        emit("service", name=name, params=params)
        output = {"PowerSwitch": 0} if name == "Toggle" else {}
        self.kit.thing_answer_service(name, request, 200, output)

    def update(self, kind, version, size, url, sign_method, sign, module, extra):
        with tempfile.TemporaryDirectory() as folder:
            done = self.kit.download_ota_firmware(url, os.path.join(folder, "file"), sign_method, sign)
        good = done == linkkit.LinkKit.ErrorCode.SUCCESS
        emit("update", version=version, module=module, downloaded=good, sign=sign)
        if good:
            self.kit.ota_report_version(module, version)

    def work(self):
        kit = self.kit
        self.connect()
        self.wait("enabled")
        kit.ota_report_version("default", "1.0.0")
        if kit.thing_post_property({"Power": 12.5, "PowerSwitch": 1})[0] != 0:
            fail("the property cannot be posted")
        emit("posted", code=self.wait("posted"))
        if kit.thing_trigger_event(("OverTemperature", {"Temperature": 91.5}))[0] != 0:
            fail("the event cannot be told")
        name, code = self.wait("told")
        emit("told", name=name, code=code)
        kit.thing_update_shadow({"Power": 1}, 1)
        payload = self.wait("shadow")["payload"]
        emit("shadow", status=payload["status"], version=payload.get("version"))
        emit("ready")
        threading.Event().wait()


def main():
    mode, port, product_key, device_name, secret, model = sys.argv[1:]
    of = {"product_key": product_key, "device_name": device_name}
    port = int(port)
    if mode == "work":
        return Device(port, model, device_secret=secret, **of).work()
    device = Device(port, model, device_secret="", product_secret=secret, auth_type=mode, **of)
    device.kit.connect_async()
    reply = device.wait("registered")
    if reply[0] != 0:
        fail(f"not registered: {reply[0]}")
    emit("registered")
    if mode == "register":
        login = {"device_secret": reply[1]}
    else:
        login = dict(zip(("client_id", "username", "password"), reply[1:4]), device_secret="")
    Device(port, model, **login, **of).connect()
    os._exit(0)


if __name__ == "__main__":
    try:
        main()
    except Exception:
        traceback.print_exc()
        fail("an exception")
