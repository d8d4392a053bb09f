// A gateway built on one of Aliyun's two SDKs for Node.js, with one sub-device, for a platform without TLS on 127.0.0.1:
//
//     alink_gateway.cjs SDK PORT PRODUCT_KEY DEVICE_NAME DEVICE_SECRET SUB_PRODUCT_KEY SUB_DEVICE_NAME SUB_DEVICE_SECRET
//
// SDK is `alibabacloud-iot-device-sdk` or `aliyun-iot-device-sdk`, to be found by NODE_PATH. Both
// send numbers where text is documented; the older one has line breaks in its client id, and answers no service by itself.
//
// Standard output has one JSON object per line:
//
//     {"event":"connected"}
//     {"event":"posted","code":N}         the gateway's own Power 3.5
//     {"event":"added","code":N}
//     {"event":"topology","data":V}
//     {"event":"online","code":N}
//     {"event":"told","code":N}           the sub-device's Power 12.5
//     {"event":"ready"}                   from here on it waits for
//     {"event":"called","name":S}         a service of the gateway, answered with PowerSwitch 1; then
//     {"event":"offline","code":N}
//     {"event":"removed","code":N}
//
// Any failure, and a wait of 10 s, prints {"event":"error","detail":S} and exits with code 1.

'use strict';

const TIMEOUT = 10_000;
const [sdk, port, productKey, deviceName, deviceSecret, subKey, subName, subSecret] = process.argv.slice(2);
const iot = require(sdk);

const emit = (event, members = {}) => console.log(JSON.stringify({ event, ...members }));
const fail = (error) => {
  emit('error', { detail: String(error && error.stack ? error.stack : error) });
  process.exit(1);
};
process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);

// What the SDK calls back with, in time.
const answer = (what, ask) => new Promise((resolve, reject) => {
  const timer = setTimeout(() => reject(new Error(`no answer to ${what}`)), TIMEOUT);
  ask((reply) => {
    clearTimeout(timer);
    resolve(reply);
  });
});

async function main() {
  const gateway = iot.gateway({ productKey, deviceName, deviceSecret, brokerUrl: `mqtt://127.0.0.1:${port}` });
  gateway.on('error', fail);
  await answer('the login', (done) => gateway.on('connect', () => done()));
  emit('connected');
  const posted = await answer('a post', (done) => gateway.postProps({ Power: 3.5 }, done));
  emit('posted', { code: posted.code });
  const sub = { productKey: subKey, deviceName: subName, deviceSecret: subSecret };
  const added = await answer('topo.add', (done) => gateway.addTopo([{ ...sub }], done));
  emit('added', { code: added.code });
  const topology = await answer('topo.get', (done) => gateway.getTopo(done));
  emit('topology', { data: topology.data });
  let device;
  const online = await answer('a sub-device\'s login', (done) => { device = gateway.login({ ...sub }, done); });
  emit('online', { code: online.code });
  // What the older one has no function for, the sub-device's own messages, it publishes.
  const told = await answer('a sub-device\'s post', (done) => {
    if (sdk === 'alibabacloud-iot-device-sdk') return device.postProps({ Power: 12.5 }, done);
    const topic = `/sys/${subKey}/${subName}/thing/event/property/post`;
    gateway.on('message', (on, payload) => { if (on === `${topic}_reply`) done(JSON.parse(String(payload))); });
    gateway.publish(topic, JSON.stringify({ id: 77, version: 1.0, params: { Power: 12.5 }, method: 'thing.event.property.post' }));
  });
  emit('told', { code: told.code });
  const called = answer('the wait for a service', (done) => {
    const topic = `/sys/${productKey}/${deviceName}/thing/service/ResetEnergy_reply`;
    gateway.onService('ResetEnergy', (request, reply = (text) => gateway.publish(topic, JSON.stringify(text))) => {
      reply({ id: request.id, code: 200, data: {} });
      done(request);
    });
  });
  emit('ready');
  await called;
  emit('called', { name: 'ResetEnergy' });
  const offline = await answer('a sub-device\'s logout',
    (done) => gateway.logout({ productKey: subKey, deviceName: subName }, done));
  emit('offline', { code: offline.code });
  const removed = await answer('topo.delete',
    (done) => gateway.removeTopo([{ productKey: subKey, deviceName: subName }], done));
  emit('removed', { code: removed.code });
  gateway.end(true);
  process.exit(0);
}

main().catch(fail);
