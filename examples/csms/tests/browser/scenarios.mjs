// What an operator does on the page, in order.

import assert from 'node:assert/strict';

import { DESK, PHONE } from '../../../../tests/browser/browser.mjs';
import { ChargePoint, SILENCE } from './charge-point.mjs';

const ID = 'CP-浏览器 1';
const MINUTE = 60000;
const METER_START = 120000;
const POWERS = [0, 3200, 6900, 7300, 7350, 7400, 7380, 7400, 7390, 7410, 7400, 7200, 6800, 6100, 5200, 4300, 3600, 3000, 2500, 2100];
const VIEWS = [
  'charge-points', `charge-points/${encodeURIComponent(ID)}/overview`, `charge-points/${encodeURIComponent(ID)}/configuration`,
  `charge-points/${encodeURIComponent(ID)}/charging`, `charge-points/${encodeURIComponent(ID)}/reservations`,
  `charge-points/${encodeURIComponent(ID)}/local-list`, `charge-points/${encodeURIComponent(ID)}/firmware`,
  `charge-points/${encodeURIComponent(ID)}/raw`, `charge-points/${encodeURIComponent(ID)}/messages`, 'transactions', 'messages', 'id-tags',
  'charging-profiles', 'reservations', 'local-lists', 'files', 'security-events', 'audit', 'users', 'server',
];
const HERE = `charge-points/${encodeURIComponent(ID)}`;

export const HOME = '/web/';

export function begin(world, require) {
  world.WebSocket = require('ws').WebSocket;
  world.chargePoints = [];
}

export function end(world) {
  for (const chargePoint of world.chargePoints) chargePoint.close();
}

export const SCENARIOS = [
  ['the page is served under a strict policy', strictPolicy],
  ['both languages have every text', sameTexts],
  ['an operator enters a charge point', addChargePoint],
  ['a charge point boots and appears without a reload', boot],
  ['charging starts from the page', start],
  ['the curves grow while it charges', curves],
  ['charging stops from the page', stop],
  ['a call error is told with its code and description', callError],
  ['a wrong payload is told with its pointer', wrongPayload],
  ['a charge point that does not answer is told', timeout],
  ['the configuration is read and changed', configuration],
  ['a profile is made, set, and its schedule drawn', smartCharging],
  ['a tag is made, blocked and deleted', idTags],
  ['a reservation is made and cancelled', reservation],
  ['the local list is sent', localList],
  ['a hard reset is sent once it is confirmed', hardReset],
  ['availability and extended triggers are sent', everydayCommands],
  ['signed values are handed out as they came', signedData],
  ['a lost stop is marked as estimated', estimated],
  ['charging starts with a stored profile', startWithProfile],
  ['what there is not is told', nothingThere],
  ['the keyboard is enough', keyboard],
  ['a firmware is uploaded and offered, diagnostics are asked for', files],
  ['a signed firmware is offered', signedFirmware],
  ['a log is asked for and comes', securityLog],
  ['the log shows whole messages and can be filtered and paused', messages],
  ['hostile texts stay texts', hostile],
  ['an offline charge point is told', offline],
  ['the page recovers from a lost connection', reconnect],
  ['every view fits a phone, in Chinese', phone],
  ['the dark looks', dark],
  ['one switch closes the server', closeServer],
  ['with the first administrator everybody logs in', logIn],
  ['a viewer looks and does nothing', viewer],
];

async function strictPolicy({ base }) {
  const response = await fetch(`${base}/web/`);
  assert.equal(response.status, 200);
  const policy = response.headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src '(self|none)'/);
  assert.doesNotMatch(policy, /unsafe/);
}

async function sameTexts({ browser }) {
  await browser.open();
  const [en, zh] = await browser.page.evaluate(async () => {
    const keys = async (name) => Object.keys((await import(`/web/i18n/${name}.js`)).default).filter((key) => !key.startsWith('word.')).sort();
    return [await keys('en'), await keys('zh')];
  });
  assert.ok(en.length > 200);
  assert.deepEqual(en, zh);
}

async function addChargePoint({ browser }) {
  await browser.click('add-charge-point');
  await browser.fillIn('add-form', { id: ID, note: 'Hall 3' });
  await browser.submit('add-form');
  await browser.hasText('tab-overview', 'Overview');
  assert.match(await browser.page.locator('h1').innerText(), new RegExp(ID));
  await browser.page.locator('#connection [data-connected="false"]').waitFor();
}

async function boot(world) {
  const { browser } = world;
  await browser.go('charge-points');
  const row = browser.at(`charge-point-${ID}`);
  await row.locator('[data-connected="false"]').waitFor();
  await browser.page.locator('#live[data-state="on"]').waitFor();
  await browser.settled();
  const chargePoint = await ChargePoint.connect(world.WebSocket, world.base, ID, answers());
  world.chargePoint = chargePoint;
  world.chargePoints.push(chargePoint);
  await chargePoint.boot();
  await chargePoint.status(0, 'Available');
  await chargePoint.status(1, 'Available');
  await chargePoint.status(2, 'Faulted', 'GroundFailure', { info: 'RCD' });
  await row.locator('[data-connected="true"]').waitFor();
  await row.locator('[data-word="Available"]').waitFor();
  await row.locator('[data-word="Faulted"]').waitFor();
  await browser.hasText(`charge-point-${ID}`, 'Onwire Simulated');
  await browser.shot('charge-points-en');
  await row.locator('a').first().click();
  await browser.hasText('connector-1', 'Available');
  await browser.hasText('connector-2', 'Ground failure');
  await browser.shot('charge-point-en');
}

/** What the simulated charge point answers. */
function answers() {
  const configuration = new Map([
    ['HeartbeatInterval', { value: '300', readonly: false }],
    ['MeterValueSampleInterval', { value: '60', readonly: false }],
    ['NumberOfConnectors', { value: '2', readonly: true }],
    ['SupportedFeatureProfiles', { value: 'Core,SmartCharging,Reservation,LocalAuthListManagement,RemoteTrigger,FirmwareManagement', readonly: true }],
  ]);
  let listVersion = 0;
  return {
    RemoteStartTransaction: { status: 'Accepted' },
    RemoteStopTransaction: { status: 'Accepted' },
    UnlockConnector: ['NotSupported', 'this connector has no lock', { connector: 'tethered' }],
    Reset: ({ type }) => ({ status: type === 'Hard' ? 'Accepted' : 'Rejected' }),
    TriggerMessage: SILENCE,
    GetConfiguration: ({ key }) => ({
      configurationKey: [...configuration].filter(([name]) => !key?.length || key.includes(name)).map(([name, entry]) => ({ key: name, ...entry })),
      unknownKey: (key ?? []).filter((name) => !configuration.has(name)),
    }),
    ChangeConfiguration: ({ key, value }) => {
      if (!configuration.has(key)) return { status: 'NotSupported' };
      configuration.get(key).value = value;
      return { status: 'Accepted' };
    },
    SetChargingProfile: { status: 'Accepted' },
    ClearChargingProfile: { status: 'Accepted' },
    GetCompositeSchedule: ({ connectorId, duration }) => ({
      status: 'Accepted',
      connectorId,
      scheduleStart: new Date().toISOString(),
      chargingSchedule: {
        duration,
        chargingRateUnit: 'A',
        chargingSchedulePeriod: [{ startPeriod: 0, limit: 16 }, { startPeriod: duration / 4, limit: 6 }, { startPeriod: duration / 2, limit: 32 }],
      },
    }),
    ChangeAvailability: { status: 'Scheduled' },
    ExtendedTriggerMessage: { status: 'NotImplemented' },
    ClearCache: { status: 'Accepted' },
    UpdateFirmware: {},
    SignedUpdateFirmware: { status: 'Accepted' },
    GetDiagnostics: { fileName: 'diagnostics.log' },
    GetLog: { status: 'Accepted', filename: 'security.log' },
    ReserveNow: { status: 'Accepted' },
    CancelReservation: { status: 'Accepted' },
    GetLocalListVersion: () => ({ listVersion }),
    SendLocalList: (request) => {
      listVersion = request.listVersion;
      return { status: 'Accepted' };
    },
  };
}

async function start(world) {
  const { browser, chargePoint } = world;
  await browser.page.locator('#start-tag').fill('DRIVER-1');
  await browser.click('start-1');
  const request = await chargePoint.asked('RemoteStartTransaction');
  assert.deepEqual(request, { connectorId: 1, idTag: 'DRIVER-1' });
  await browser.outcome('outcome-1', 'good', 'Accepted');
  world.began = Date.now() - POWERS.length * MINUTE;
  world.transaction = await chargePoint.start(1, 'DRIVER-1', world.began, METER_START);
  await browser.hasText('connector-1', 'Charging');
  await browser.hasText('transaction-1', String(world.transaction));
}

async function curves(world) {
  const { browser, chargePoint, transaction, began } = world;
  let meter = METER_START;
  const measure = async (index) => {
    meter += POWERS[index] / 60;
    await chargePoint.meter(1, transaction, began + (index + 1) * MINUTE, [
      ['Energy.Active.Import.Register', meter.toFixed(0), 'Wh'],
      ['Power.Active.Import', POWERS[index], 'W'],
      ['Current.Import', (POWERS[index] / 690).toFixed(1), 'A', 'L1'],
      ['Current.Import', (POWERS[index] / 700).toFixed(1), 'A', 'L2'],
      ['Current.Import', (POWERS[index] / 695).toFixed(1), 'A', 'L3'],
      ['SoC', 40 + index, 'Percent'],
    ]);
  };
  for (let index = 0; index < POWERS.length - 2; index += 1) await measure(index);
  await browser.hasText('energy-1', 'kWh');
  await browser.shot('charging-en');
  await browser.click('transaction-1');
  await drawnPoints(browser, 'energy-chart', POWERS.length - 2);
  await drawnPoints(browser, 'power-chart', POWERS.length - 2);
  const before = Number(await browser.at('power-chart').getAttribute('data-points'));
  await measure(POWERS.length - 2);
  await measure(POWERS.length - 1);
  await drawnPoints(browser, 'power-chart', before + 2);
  world.meter = Math.round(meter);
  const box = await browser.page.locator('[data-testid="power-chart"] svg').boundingBox();
  await browser.page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await browser.hasText('power-chart-readout', 'kW');
  await browser.page.selectOption('[name="measurand"]', 'Current.Import');
  await drawnPoints(browser, 'other-chart', POWERS.length);
  await browser.hasText('other-chart', 'L3');
  await browser.at('meter-values-fold').locator('summary').click();
  await browser.hasText('meter-values', 'Energy.Active.Import.Register');
  await browser.at('meter-values-fold').locator('summary').click();
  await browser.shot('transaction-en');
}

/** At least `least` points, as a curve that is really there: it has a length on the screen. */
async function drawnPoints(browser, chart, least) {
  await browser.until(`${least} points in ${chart}`, async () => {
    const points = Number(await browser.at(chart).getAttribute('data-points', { timeout: 1000 }));
    const length = await browser.page.locator(`[data-testid="${chart}"] path.curve`).first().evaluate((path) => path.getTotalLength());
    return (points >= least && length > 100) || `${points} points, ${length} px`;
  });
}

async function stop(world) {
  const { browser, chargePoint, transaction } = world;
  await browser.go(`${HERE}/overview`);
  await browser.click('stop-1');
  assert.deepEqual(await chargePoint.asked('RemoteStopTransaction'), { transactionId: transaction });
  await browser.outcome('outcome-1', 'good', 'Accepted');
  await chargePoint.stop(1, transaction, Date.now(), world.meter, 'Remote');
  await browser.hasText('connector-1', 'Available');
  await browser.at('start-1').waitFor({ state: 'visible' });
  await browser.go('transactions');
  await browser.hasText(`transaction-${transaction}`, 'Remote');
  await browser.shot('transactions-en');
  await browser.go(`transactions/${transaction}`);
  await browser.hasText('transaction-energy', `${((world.meter - METER_START) / 1000).toFixed(2)}`);
}

async function callError({ browser, chargePoint }) {
  await browser.go(`${HERE}/overview`);
  await browser.click('unlock-1');
  await browser.outcome('outcome-1', 'bad', 'The charge point answered with an error.', 'NotSupported', 'this connector has no lock', 'tethered');
  await browser.click('reset-Soft');
  assert.deepEqual(await chargePoint.asked('Reset'), { type: 'Soft' });
  await browser.outcome('outcome-Reset', 'bad', 'Rejected');
  await browser.shot('call-error-en');
}

async function wrongPayload({ browser }) {
  await browser.go(`${HERE}/raw`);
  await browser.fillIn('raw', { action: 'UnlockConnector', payload: '{"connectorId": "one"}' });
  await browser.submit('raw');
  await browser.outcome('raw-outcome', 'bad', 'The request is not valid', '/connectorId');
  await browser.shot('wrong-payload-en');
  await browser.fillIn('raw', { payload: '{"connectorId": ' });
  await browser.submit('raw');
  await browser.outcome('raw-outcome', 'bad', 'is not valid JSON');
}

async function timeout({ browser }) {
  await browser.fillIn('raw', { action: 'TriggerMessage', timeoutSeconds: 1, payload: '{"requestedMessage": "Heartbeat"}' });
  await browser.submit('raw');
  await browser.outcome('raw-outcome', 'bad', 'did not answer in time');
}

async function configuration({ browser }) {
  await browser.go(`${HERE}/configuration`);
  await browser.click('read-configuration');
  await browser.outcome('outcome-GetConfiguration', 'good', '4');
  await browser.hasText('configuration-NumberOfConnectors', 'Read-only');
  await browser.click('edit-HeartbeatInterval');
  await browser.fillIn('configuration-form', { value: '120' });
  await browser.submit('configuration-form');
  await browser.outcome('configuration-form-outcome', 'good', 'Accepted');
  await browser.page.keyboard.press('Escape');
  await browser.gone('configuration-dialog');
  await browser.hasText('configuration-HeartbeatInterval', '120');
  await browser.shot('configuration-en');
}

async function smartCharging({ browser, chargePoint }) {
  await browser.go('charging-profiles');
  await browser.click('add-profile');
  await browser.fillIn('profile-form', { name: 'night', chargingProfileKind: 'Recurring', recurrencyKind: 'Daily', startSchedule: '2026-01-01T00:00' });
  await browser.click('add-period');
  await browser.shot('profile-form-en', { full: false });
  await browser.submit('profile-form');
  await browser.gone('profile-dialog');
  await browser.hasText('charging-profile-night', 'TxDefaultProfile');
  await browser.go(`${HERE}/charging`);
  await browser.fillIn('set-profile', { profile: 'night', connectorId: 1 });
  await browser.submit('set-profile');
  await browser.outcome('set-profile-outcome', 'good', 'Accepted');
  const { csChargingProfiles } = await chargePoint.asked('SetChargingProfile');
  assert.equal(csChargingProfiles.chargingSchedule.chargingSchedulePeriod.length, 2);
  await browser.submit('composite');
  await drawnPoints(browser, 'schedule-chart', 4);
  await browser.hasText('schedule-chart', 'A');
  await browser.shot('schedule-en');
}

async function idTags({ browser }) {
  await browser.go('id-tags');
  await browser.click('add-tag');
  await browser.fillIn('tag-form', { idTag: 'TAG-7', note: 'Ada' });
  await browser.submit('tag-form');
  await browser.hasText('id-tag-TAG-7', 'Accepted');
  await browser.click('block-tag-TAG-7');
  await browser.hasText('id-tag-TAG-7', 'Blocked');
  await browser.shot('id-tags-en');
  await browser.click('delete-tag-TAG-7');
  await browser.click('confirm-yes');
  await browser.gone('id-tag-TAG-7');
  await browser.click('add-tag');
  await browser.fillIn('tag-form', { idTag: 'DRIVER-1', group: 'fleet' });
  await browser.submit('tag-form');
  await browser.hasText('id-tag-DRIVER-1', 'fleet');
}

async function reservation({ browser, chargePoint }) {
  await browser.go(`${HERE}/reservations`);
  await browser.fillIn('reservation-form', { connector: 1, idTag: 'DRIVER-1' });
  await browser.submit('reservation-form');
  const { reservationId } = await chargePoint.asked('ReserveNow');
  await browser.outcome('reservation-form-outcome', 'good', 'Accepted');
  await browser.click(`cancel-reservation-${reservationId}`);
  assert.deepEqual(await chargePoint.asked('CancelReservation'), { reservationId });
  await browser.hasText(`reservation-${reservationId}`, 'Cancelled');
}

async function localList({ browser, chargePoint }) {
  await browser.go(`${HERE}/local-list`);
  await browser.click('send-full-list');
  const { listVersion, updateType } = await chargePoint.asked('SendLocalList');
  assert.equal(updateType, 'Full');
  await browser.outcome('outcome-local-list', 'good', 'Accepted');
  await browser.hasText('list-version', String(listVersion));
}

async function hardReset({ browser, chargePoint }) {
  await browser.go(`${HERE}/overview`);
  const resets = () => chargePoint.requests.filter(({ action }) => action === 'Reset').length;
  const before = resets();
  await browser.click('reset-Hard');
  await browser.page.keyboard.press('Escape');
  await browser.gone('confirm-yes');
  await browser.click('reset-Hard');
  await browser.click('confirm-yes');
  assert.deepEqual(await chargePoint.asked('Reset'), { type: 'Hard' });
  await browser.outcome('outcome-Reset', 'good', 'Accepted');
  assert.equal(resets(), before + 1, 'what was not confirmed is not sent');
}

async function everydayCommands({ browser, chargePoint }) {
  await browser.go(`${HERE}/overview`);
  await browser.fillIn('availability', { connectorId: 2, type: 'Inoperative' });
  await browser.submit('availability');
  assert.deepEqual(await chargePoint.asked('ChangeAvailability'), { connectorId: 2, type: 'Inoperative' });
  await browser.outcome('availability-outcome', 'good', 'Scheduled');
  await browser.fillIn('trigger', { message: 'ExtendedTriggerMessage SignChargePointCertificate' });
  await browser.submit('trigger');
  assert.deepEqual(await chargePoint.asked('ExtendedTriggerMessage'), { requestedMessage: 'SignChargePointCertificate' });
  await browser.outcome('trigger-outcome', 'bad', 'Not implemented');
  await browser.click('clear-cache');
  await browser.outcome('outcome-ClearCache', 'good', 'Accepted');
}

async function signedData(world) {
  const { base, browser, chargePoint, transaction, began } = world;
  await browser.go(`transactions/${transaction}`);
  await browser.at('transaction-energy').waitFor();
  assert.equal(await browser.at('signed-data').isVisible(), false);
  const signed = 'OCMF|{"FV":"1.0", "RD":[]}|{"SD":"3045"}';
  await chargePoint.meter(1, transaction, began + MINUTE, [['Energy.Active.Import.Register', signed, 'Wh', null, 'SignedData']]);
  const link = browser.at('signed-data');
  await link.waitFor({ state: 'visible' });
  const response = await fetch(base + (await link.getAttribute('href')));
  assert.equal((await response.text()).trim(), signed);
}

async function estimated({ browser, chargePoint }) {
  await browser.go('transactions');
  const began = Date.now() - 5 * MINUTE;
  const transaction = await chargePoint.start(1, 'DRIVER-1', began, METER_START);
  await chargePoint.meter(1, transaction, began + MINUTE, [['Energy.Active.Import.Register', METER_START + 250, 'Wh']]);
  await browser.hasText(`transaction-${transaction}`, 'Running');
  await chargePoint.status(1, 'Available');
  await browser.hasText(`transaction-${transaction}`, 'Estimated');
  await browser.hasText(`transaction-${transaction}`, '0.25 kWh');
}

async function startWithProfile({ browser, chargePoint }) {
  await browser.go('charging-profiles');
  await browser.click('add-profile');
  await browser.fillIn('profile-form', { name: 'slow', chargingProfileId: 7, chargingProfilePurpose: 'TxProfile', chargingRateUnit: 'W' });
  await browser.page.locator('.period [name="limit"]').fill('2300');
  await browser.submit('profile-form');
  await browser.gone('profile-dialog');
  await browser.go(`${HERE}/overview`);
  await browser.page.selectOption('#start-profile', 'slow');
  await browser.click('start-1');
  const { chargingProfile } = await chargePoint.asked('RemoteStartTransaction');
  assert.equal(chargingProfile.chargingProfileId, 7);
  assert.deepEqual(chargingProfile.chargingSchedule, { chargingRateUnit: 'W', chargingSchedulePeriod: [{ startPeriod: 0, limit: 2300 }] });
  await browser.outcome('outcome-1', 'good', 'Accepted');
}

async function nothingThere({ browser }) {
  await browser.go('charge-points/NOBODY');
  await browser.hasText('problem', 'There is no such thing here.');
  await browser.go('transactions/4711000');
  await browser.hasText('problem', 'There is no such thing here.');
}

async function keyboard({ browser, transaction }) {
  const { page } = browser;
  await page.reload();
  await browser.at('menu-transactions').waitFor();
  await page.keyboard.press('Tab');
  assert.match(await page.evaluate(() => document.activeElement.className), /skip/);
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'view');
  await browser.at('menu-transactions').focus();
  await page.keyboard.press('Enter');
  await browser.at(`transaction-${transaction}`).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1', 'a new view is where the focus is');
  await browser.go(`transactions/${transaction}`);
  await drawnPoints(browser, 'energy-chart', POWERS.length);
  await page.locator('[data-testid="energy-chart"] svg').focus();
  await page.keyboard.press('ArrowRight');
  await browser.hasText('energy-chart-readout', '0 kWh');
  await browser.go('id-tags');
  await browser.at('add-tag').focus();
  await page.keyboard.press('Enter');
  await page.locator('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'add-tag', 'the focus returns');
}

async function files({ browser, chargePoint }) {
  await browser.go('files');
  await browser.page.locator('[data-testid="upload"] [name="file"]').setInputFiles({ name: 'firmware-2.0.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(4096, 7) });
  await browser.submit('upload');
  await browser.outcome('upload-outcome', 'good', 'firmware-2.0.bin');
  await browser.hasText('files', '4 KiB');
  await browser.go(`${HERE}/firmware`);
  await browser.submit('update-firmware');
  const update = await chargePoint.asked('UpdateFirmware');
  assert.match(update.location, /^http/);
  await browser.outcome('update-firmware-outcome', 'good');
  await browser.submit('get-diagnostics');
  const { location } = await chargePoint.asked('GetDiagnostics');
  assert.match(location, /^http/);
  await browser.outcome('get-diagnostics-outcome', 'good');
  await browser.hasText('files', 'Awaited');
  await browser.shot('firmware-en');
}

async function signedFirmware({ browser, chargePoint }) {
  const signed = { signature: 'c2lnbmF0dXJl', signingCertificate: '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----' };
  await browser.fillIn('update-firmware', { signed: true });
  await browser.submit('update-firmware');
  await browser.outcome('update-firmware-outcome', 'bad', 'no key to sign with');
  await browser.fillIn('update-firmware', signed);
  await browser.submit('update-firmware');
  const { requestId, firmware } = await chargePoint.asked('SignedUpdateFirmware');
  await browser.outcome('update-firmware-outcome', 'good', 'Accepted');
  assert.deepEqual({ signature: firmware.signature, signingCertificate: firmware.signingCertificate }, signed);
  const image = await (await fetch(firmware.location)).arrayBuffer();
  assert.deepEqual(Buffer.from(image), Buffer.alloc(4096, 7));
  await chargePoint.call('SignedFirmwareStatusNotification', { status: 'SignatureVerified', requestId });
  await browser.page.locator('#firmware-state [data-word="SignatureVerified"]').waitFor();
}

async function securityLog({ browser, chargePoint }) {
  await browser.fillIn('get-log', { logType: 'SecurityLog', oldestTimestamp: '2026-01-01T00:00' });
  await browser.submit('get-log');
  const { logType, requestId, log } = await chargePoint.asked('GetLog');
  assert.equal(logType, 'SecurityLog');
  assert.ok(!Number.isNaN(Date.parse(log.oldestTimestamp)), log.oldestTimestamp);
  await browser.outcome('get-log-outcome', 'good', 'Accepted');
  const row = browser.at('files').locator('tr', { hasText: 'security.log' });
  await row.locator('[data-word="awaited"]').waitFor();
  const text = 'StartupOfTheDevice\n'.repeat(64);
  const response = await fetch(log.remoteLocation, { method: 'PUT', body: text });
  assert.ok(response.ok, `the upload was answered with ${response.status}`);
  await chargePoint.call('LogStatusNotification', { status: 'Uploaded', requestId });
  await browser.page.locator('#firmware-state [data-word="Uploaded"]').waitFor();
  await row.locator('[data-word="complete"]').waitFor();
  const address = await row.locator('a[download]').getAttribute('href');
  assert.equal(await (await fetch(browser.base + address)).text(), text);
  await browser.shot('log-en');
}

async function messages({ browser, chargePoint }) {
  await browser.go(`${HERE}/messages`);
  const log = browser.page.locator('#log');
  await log.locator('li[data-action="SendLocalList"]').first().waitFor();
  await chargePoint.call('Heartbeat', {});
  await log.locator('li[data-action="Heartbeat"]').first().waitFor();
  await browser.at('filter-action').fill('StartTransaction');
  await log.locator('li[data-action="Heartbeat"]').first().waitFor({ state: 'detached' });
  await log.locator('li[data-action="StartTransaction"][data-direction="received"] summary').first().click();
  await browser.hasText('message-text', '"meterStart": 120000');
  await browser.shot('messages-en');
  await browser.at('filter-action').fill('');
  await log.locator('li[data-action="SendLocalList"]').first().waitFor();
  await browser.click('messages-pause');
  const shown = await log.locator('li[data-action="Heartbeat"]').count();
  await chargePoint.call('Heartbeat', {});
  await browser.hasText('messages-pause', '2');
  assert.equal(await log.locator('li[data-action="Heartbeat"]').count(), shown);
  await browser.click('messages-pause');
  await browser.until('the paused messages', async () => (await log.locator('li[data-action="Heartbeat"]').count()) === shown + 2 || 'fewer');
}

async function hostile({ browser, chargePoint }) {
  const markup = '<img src=x onerror="document.title=1">';
  await chargePoint.boot({ chargePointModel: markup.slice(0, 20) });
  await chargePoint.status(2, 'Faulted', 'OtherError', { info: markup });
  await browser.go(`${HERE}/overview`);
  await browser.hasText('connector-2', markup);
  assert.equal(await browser.page.locator('#view img').count(), 0);
  await chargePoint.boot();
}

async function offline(world) {
  const { browser } = world;
  world.chargePoint.close();
  await browser.page.locator('#connection [data-connected="false"]').waitFor();
  await browser.click('start-1');
  await browser.outcome('outcome-1', 'bad', 'The charge point is not connected.');
}

async function reconnect(world) {
  const { browser } = world;
  const live = browser.page.locator('#live');
  await browser.page.locator('#live[data-state="on"]').waitFor();
  await browser.context.setOffline(true);
  // An event stream that is open already may outlive the cut; a stream for another charge point is asked for anew.
  await browser.go('charge-points');
  await browser.page.locator('#live[data-state="waiting"]').waitFor();
  const chargePoint = await ChargePoint.connect(world.WebSocket, world.base, ID, answers());
  world.chargePoint = chargePoint;
  world.chargePoints.push(chargePoint);
  await chargePoint.boot();
  await chargePoint.status(1, 'Available');
  await browser.context.setOffline(false);
  await browser.page.locator('#live[data-state="on"]').waitFor();
  assert.equal(await live.innerText(), 'Live');
  await browser.at(`charge-point-${ID}`).locator('[data-connected="true"]').waitFor();
}

async function phone(world) {
  const { browser, transaction } = world;
  await browser.open({ locale: 'zh-CN', viewport: PHONE });
  await browser.hasText('add-charge-point', '添加充电桩');
  assert.equal(await browser.page.locator('html').getAttribute('lang'), 'zh-CN');
  await browser.shot('phone-charge-points-zh');
  await browser.click('menu-toggle');
  await browser.shot('phone-menu-zh', { full: false });
  await browser.click('menu-transactions');
  await browser.hasText(`transaction-${transaction}`, ID);
  for (const view of VIEWS) {
    await browser.go(view);
    await browser.settled();
    await browser.fits(view);
    assert.equal(await browser.page.locator('#view [data-testid="problem"]').count(), 0, `${view} shows a problem`);
  }
  await browser.go(`${HERE}/overview`);
  await browser.hasText('connector-1', '空闲');
  await browser.shot('phone-charge-point-zh');
  await browser.click('unlock-1');
  await browser.outcome('outcome-1', 'bad', '充电桩返回错误', 'NotSupported');
  await browser.go(`transactions/${transaction}`);
  await drawnPoints(browser, 'energy-chart', POWERS.length);
  await browser.fits('a transaction');
  await browser.shot('phone-transaction-zh');
  await browser.page.selectOption('#language', 'en');
  await browser.hasText('transaction-energy', 'kWh');
  assert.equal(await browser.page.locator('html').getAttribute('lang'), 'en');
  await browser.page.reload();
  await browser.at('menu-toggle').waitFor();
  assert.equal(await browser.page.locator('html').getAttribute('lang'), 'en', 'the choice is kept');
}

async function dark(world) {
  const { browser, transaction } = world;
  await browser.open({ locale: 'zh-CN', viewport: DESK, dark: true });
  await browser.hasText(`charge-point-${ID}`, '空闲');
  await browser.shot('dark-charge-points-zh');
  await browser.go(`transactions/${transaction}`);
  await drawnPoints(browser, 'power-chart', POWERS.length);
  await browser.shot('dark-transaction-zh');
}

async function closeServer({ base, browser, WebSocket }) {
  await browser.open();
  await browser.page.locator('#open-banner').waitFor();
  await browser.click('close-server');
  await browser.click('confirm-yes');
  await browser.page.locator('#open-banner').waitFor({ state: 'detached' });
  const server = await (await fetch(`${base}/api/v1/server`)).json();
  assert.equal(server.unknownChargePoints, false);
  assert.equal(server.unknownIdTags, false);
  await assert.rejects(ChargePoint.connect(WebSocket, base, 'CP-UNKNOWN', {}), /HTTP (401|403|404)/);
}

const ADMIN = { name: 'ada', password: 'correct horse battery' };
const VIEWER = { name: 'vera', password: 'staple the battery' };

async function logIn({ browser }) {
  await browser.go('users');
  await browser.fillIn('user-form', { ...ADMIN, role: 'admin' });
  await browser.submit('user-form');
  await browser.at('login').waitFor();
  await browser.shot('login-en', { full: false });
  await browser.fillIn('login', { ...ADMIN, password: 'wrong horse' });
  await browser.submit('login');
  await browser.outcome('login-outcome', 'bad', 'The user name or the password is wrong.');
  await browser.fillIn('login', ADMIN);
  await browser.submit('login');
  await browser.hasText('user', ADMIN.name);
  // A request that changes something has to carry the session's token.
  await browser.go('users');
  await browser.fillIn('user-form', { ...VIEWER, role: 'viewer' });
  await browser.submit('user-form');
  await browser.outcome('user-form-outcome', 'good', VIEWER.name);
  await browser.fillIn('token-form', { name: 'billing', role: 'viewer' });
  await browser.submit('token-form');
  await browser.at('token-shown').locator('output').waitFor();
  await browser.shot('users-en');
}

async function viewer({ browser, transaction }) {
  await browser.click('log-out');
  await browser.fillIn('login', VIEWER);
  await browser.submit('login');
  await browser.hasText('user', VIEWER.name);
  await browser.go(`${HERE}/overview`);
  await browser.hasText('connector-1', 'Available');
  for (const forbidden of ['start-1', 'unlock-1', 'reset-Soft', 'delete-charge-point', 'menu-users']) {
    assert.equal(await browser.at(forbidden).count(), 0, `a viewer is offered ${forbidden}`);
  }
  await browser.go(`transactions/${transaction}`);
  await drawnPoints(browser, 'energy-chart', POWERS.length);
  await browser.page.reload();
  await browser.hasText('user', VIEWER.name);
}
