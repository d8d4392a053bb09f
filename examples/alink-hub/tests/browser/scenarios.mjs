// What an operator does on the page, in order.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { DESK, PHONE } from '../../../../tests/browser/browser.mjs';
import { Device } from './device.mjs';

const NAME = 'T@1';
const HERE = `device/tracker/${encodeURIComponent(NAME)}`;
const VIEWS = ['', 'products', 'log', HERE];

export const HOME = '/';

export function begin() {}

export function end({ device }) {
  device?.kill();
}

export const SCENARIOS = [
  ['the page is served under a strict policy', strictPolicy],
  ['both languages have every text', sameTexts],
  ['without a device it says what to do', empty],
  ['an operator adds a device', addDevice],
  ['what is offline is told', offline],
  ['the device comes online without a reload', online],
  ['properties are live, and a number has its curve', live],
  ['a property is set', set],
  ['a wrong value is told with its place', wrongValue],
  ['a service is called and its answer shown', service],
  ['what the device refuses is told with its code', refused],
  ['a file is uploaded and pushed', update],
  ['what it has uploaded is listed and handed out', uploaded],
  ['history shows events and calls', history],
  ['desired properties are kept, and what is no JSON is told', desired],
  ['a configuration is kept and taken away', configuration],
  ['the log tells who changed what', log],
  ['hostile texts stay texts', hostile],
  ['what cannot be shown is told, and tried again', trouble],
  ['every view fits a phone, in Chinese', phone],
  ['the dark looks', dark],
  ['the device goes, and is deleted once that is confirmed', remove],
  ['with a token everybody logs in', logIn],
  ['a viewer looks and changes nothing', viewer],
];

const api = (base, path) => `${base}/api/v1${path}`;

async function strictPolicy({ base }) {
  const policy = (await fetch(`${base}/`)).headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
}

async function sameTexts({ browser }) {
  await browser.open();
  const [en, zh] = await browser.page.evaluate(async () => {
    const { texts } = await import('/web/i18n.js');
    return [Object.keys(texts.en).sort(), Object.keys(texts.zh).sort()];
  });
  assert.ok(en.length > 100);
  assert.deepEqual(en, zh);
}

async function empty({ browser }) {
  await browser.settled();
  await browser.at('devices').locator('[data-empty]').waitFor();
}

async function addDevice(world) {
  const { browser } = world;
  await browser.page.locator('[data-testid="add"] [name="product"]').selectOption('tracker');
  await browser.fillIn('add', { name: NAME });
  await browser.submit('add');
  await browser.page.locator('h1', { hasText: NAME }).waitFor();
  await browser.at('state').and(browser.page.locator('[data-state="offline"]')).waitFor();
  await browser.at('device').getByText('Show').click();
  world.secret = await browser.at('secret').innerText();
  assert.match(world.secret, /^[0-9a-f]{32}$/);
  await browser.go('');
  await browser.fillIn('add', { name: NAME });
  await browser.page.locator('[data-testid="add"] [name="product"]').selectOption('tracker');
  await browser.submit('add');
  await browser.outcome('add-outcome', 'bad', 'there is a device of that name');
}

async function offline({ browser }) {
  await browser.go(HERE);
  await browser.submit('service-Locate');
  await browser.outcome('service-Locate-outcome', 'bad', 'The device is offline');
}

async function online(world) {
  const { browser, secret } = world;
  await browser.page.locator('#live.on').waitFor();
  world.device = await Device.start(world, NAME, secret);
  await browser.at('state').and(browser.page.locator('[data-state="online"]')).waitFor();
  await browser.hasText('device', 'default');
  await browser.go('');
  await browser.at(`state-${NAME}`).and(browser.page.locator('[data-state="online"]')).waitFor();
  await browser.settled();
  await browser.shot('devices-en');
  await browser.page.locator('a', { hasText: NAME }).click();
}

async function live({ browser }) {
  await browser.hasText('value-Position', 'Longitude');
  const first = await browser.at('value-Position').innerText();
  await browser.until('the position to change', async () => (await browser.at('value-Position').innerText()) !== first || first);
  await browser.click('curve-BatteryLevel');
  const points = async () => Number(await browser.at('chart').getAttribute('data-points'));
  await browser.until('a curve', async () => (await points()) > 0 || 'no points');
  const before = await points();
  await browser.until('the curve to grow', async () => (await points()) > before || before);
  await browser.at('chart').locator('svg').hover();
  await browser.hasText('chart', '100 %');
}

async function set({ browser }) {
  await browser.fillIn('set', { PhoneNumber: '112', Armed: '0' });
  await browser.submit('set');
  await browser.outcome('set-outcome', 'good', 'The device has set it');
  await browser.fillIn('set', { PhoneNumber: '', Armed: '' });
}

async function wrongValue({ browser }) {
  // The form keeps most of it away; the hub judges all the same.
  await browser.page.locator('[data-testid="set"]').evaluate((form) => { form.noValidate = true; });
  await browser.fillIn('set', { ReportInterval: 7 });
  await browser.submit('set');
  await browser.outcome('set-outcome', 'bad', 'A value is wrong', '/ReportInterval');
  await browser.fillIn('set', { ReportInterval: '' });
  await browser.submit('set');
  await browser.outcome('set-outcome', 'bad', 'there is nothing to set');
}

async function service({ browser }) {
  await browser.fillIn('service-SetPowerLevel', { PowerLevel: '10' });
  await browser.submit('service-SetPowerLevel');
  await browser.outcome('service-SetPowerLevel-outcome', 'good', 'Answer 200', 'Whether it was set (Accepted): 1 accepted');
  await browser.shot('device-en');
  // The picture of the README.
  await browser.shot('alink-hub', { full: false });
}

/** It loses its satellites now and then. */
async function refused({ browser }) {
  await browser.until('a refusal', async () => {
    await browser.submit('service-Locate');
    const outcome = browser.at('service-Locate-outcome');
    await browser.page.locator('[data-testid="service-Locate-outcome"]:not([data-state="busy"])').waitFor();
    return (await outcome.getAttribute('data-state')) === 'bad' || outcome.innerText();
  });
  await browser.outcome('service-Locate-outcome', 'bad', 'The device refused [100001]', 'no satellites');
}

async function update({ browser, programs }) {
  // Another program that does the same: a script in front of it.
  const script = `#!/bin/sh\nexec '${join(programs, 'alink-device')}' "$@"\n`;
  await browser.at('files').locator('[data-empty]').waitFor();
  await browser.page.setInputFiles('[data-testid="upload"] [name="file"]', { name: 'app 1.bin', mimeType: 'application/octet-stream', buffer: Buffer.from(script) });
  await browser.fillIn('upload', { version: '9.0.0' });
  await browser.submit('upload');
  await browser.outcome('upload-outcome', 'good', 'SHA-256');
  await browser.fillIn('push', { protocol: 'mqtt' });
  await browser.click('push-9.0.0');
  await browser.outcome('update-outcome', 'good', '9.0.0');
  await browser.at('updates').locator('[data-state="done"]').waitFor();
  await browser.hasText('device', 'default 9.0.0');
  await browser.at('files').getByText('Delete').click();
  await browser.click('confirm-yes');
  await browser.gone('confirm');
  await browser.at('files').locator('[data-empty]').waitFor();
}

/** The simulated tracker uploads nothing: the list is the test's own. */
async function uploaded({ browser }) {
  const file = { name: 'a.log', size: 5, received: 5, complete: true, createdAt: '2026-01-01T00:00:00Z', changedAt: '2026-01-01T00:00:00Z' };
  await browser.page.route('**/T%401/files', (route) => route.fulfill({ json: [file, { ...file, name: 'b.log', size: null, received: 2, complete: false }] }));
  await browser.page.route('**/T%401/files/a.log', (route) => route.fulfill({ contentType: 'application/octet-stream', body: 'hello' }));
  await browser.go('');
  await browser.settled();
  await browser.go(HERE);
  await browser.hasText('uploads', '2 / ?');
  const [download] = await Promise.all([browser.page.waitForEvent('download'), browser.click('download-a.log')]);
  assert.equal(download.suggestedFilename(), 'a.log');
  await browser.page.unrouteAll();
  await browser.page.locator('[data-testid="uploads"] [name="log"]').setChecked(false);
  await browser.outcome('uploads-outcome', 'good');
}

async function history({ browser }) {
  await browser.hasText('history', 'MovementAlarm');
  await browser.page.locator('[data-testid="history"] [name="kind"]').selectOption('service');
  await browser.hasText('history', '100001');
  await browser.hasText('history', 'SetPowerLevel');
}

async function desired({ browser }) {
  await browser.fillIn('desired', { desired: '{"PowerLevel": 2' });
  await browser.submit('desired');
  await browser.outcome('desired-outcome', 'bad', 'This is no JSON');
  await browser.fillIn('desired', { desired: '{"PowerLevel": 2}' });
  await browser.submit('desired');
  await browser.outcome('desired-outcome', 'good');
  await browser.hasText('wanted', 'PowerLevel');
}

async function configuration({ browser }) {
  await browser.go('products');
  const product = browser.at('product-tracker');
  await browser.fillIn('product-tracker', { config: 'interval = 5' });
  await product.getByText('Save', { exact: true }).click();
  await browser.outcome('product-tracker-outcome', 'good');
  await browser.page.reload();
  await browser.settled();
  assert.equal(await product.locator('[name="config"]').inputValue(), 'interval = 5');
  await product.getByText('Delete').click();
  await browser.click('confirm-yes');
  await browser.gone('confirm');
  assert.equal(await product.locator('[name="config"]').inputValue(), '');
  await browser.fillIn('product-tracker', { registration: 'known' });
  await browser.outcome('product-tracker-outcome', 'good');
  await browser.shot('products-en');
}

async function log({ browser }) {
  await browser.go('log');
  await browser.page.locator('[name="source"]').selectOption('api');
  await browser.hasText('log', '(no token): PATCH /products/tracker: 200');
  await browser.hasText('log', '"PowerLevel":"10"'.replace(/"10"/, '10'));
  await browser.shot('log-en');
}

async function hostile({ base, browser }) {
  const body = JSON.stringify({ '<img src=x onerror=alert(1)>': '<script>alert(1)</script>' });
  const answer = await fetch(api(base, `/devices/tracker/${encodeURIComponent(NAME)}/shadow`), { method: 'PATCH', headers: { 'content-type': 'application/json' }, body });
  assert.equal(answer.status, 200);
  await browser.go(HERE);
  await browser.page.locator('pre', { hasText: '<script>alert(1)</script>' }).waitFor();
  assert.equal(await browser.page.locator('main img, main script').count(), 0);
}

async function trouble({ browser }) {
  await browser.go('device/tracker/nobody');
  await browser.page.locator('[role="alert"]', { hasText: 'there is no such device' }).waitFor();
  await browser.page.route('**/api/v1/log?*', (route) => route.abort());
  await browser.go('log');
  await browser.page.locator('[role="alert"]', { hasText: 'The hub does not answer' }).waitFor();
  await browser.page.unroute('**/api/v1/log?*');
  // What the browser says of the aborted request is its own.
  browser.complaints.length = 0;
  await browser.page.getByText('Try again').click();
  await browser.hasText('log', 'PATCH');
}

async function phone({ browser }) {
  await browser.open({ locale: 'zh-CN', viewport: PHONE });
  for (const view of VIEWS) {
    await browser.go(view);
    await browser.settled();
    await browser.fits(`#/${view}`);
    await browser.shot(`phone-zh-${view.split('/')[0] || 'devices'}`);
  }
  assert.match(await browser.page.locator('nav').innerText(), /设备/);
  await browser.page.locator('#language').click();
  await browser.page.locator('nav', { hasText: 'Devices' }).waitFor();
  await browser.fits('the page in English');
}

async function dark({ browser }) {
  await browser.open({ dark: true, viewport: DESK });
  await browser.go(HERE);
  await browser.settled();
  await browser.shot('device-dark');
}

async function remove(world) {
  const { browser } = world;
  await world.device.stop();
  await browser.at('state').and(browser.page.locator('[data-state="offline"]')).waitFor();
  await browser.click('disable');
  await browser.click('confirm-yes');
  await browser.at('state').and(browser.page.locator('[data-state="disabled"]')).waitFor();
  await browser.click('remove');
  await browser.click('confirm-no');
  await browser.gone('confirm');
  await browser.click('remove');
  await browser.shot('confirm', { full: false });
  await browser.click('confirm-yes');
  await browser.at('devices').locator('[data-empty]').waitFor();
}

/** Makes a token on the command line, beside the running hub. */
function token({ programs, browser }, name, role) {
  const data = join(browser.shots, 'data');
  return execFileSync(join(programs, 'alink-hub'), ['--data', data, 'token', 'add', name, '--role', role], { env: { PATH: process.env.PATH } }).toString().trim();
}

async function logIn(world) {
  const { browser } = world;
  const operator = token(world, 'operator', 'operator');
  await browser.open();
  const urls = [];
  browser.page.on('request', (request) => urls.push(request.url()));
  await browser.at('login-view').waitFor();
  await browser.shot('login', { full: false });
  await browser.fillIn('login', { token: 'hub_wrong' });
  await browser.submit('login');
  await browser.hasText('login-outcome', 'This token is not good');
  await browser.fillIn('login', { token: operator });
  await browser.submit('login');
  await browser.at('add').waitFor();
  await browser.page.locator('#live.on').waitFor();
  await browser.fillIn('add', { name: 'T2' });
  await browser.submit('add');
  await browser.at('secret').waitFor();
  assert.ok(urls.some((url) => url.includes('/events')) && !urls.some((url) => url.includes(operator)), 'no URL has the token');
  const kept = await browser.page.evaluate(() => [JSON.stringify(localStorage), document.cookie].join());
  assert.ok(!kept.includes(operator), 'the token goes with the tab');
  await browser.click('logout');
  await browser.at('login-view').waitFor();
}

async function viewer(world) {
  const { browser } = world;
  await browser.fillIn('login', { token: token(world, 'reader', 'viewer') });
  await browser.submit('login');
  await browser.go('');
  await browser.page.locator('a', { hasText: 'T2' }).click();
  await browser.click('remove');
  await browser.click('confirm-yes');
  await browser.outcome('confirm-outcome', 'bad', 'Not allowed');
  await browser.click('confirm-no');
  assert.equal(await browser.at('secret').count(), 0);
}
