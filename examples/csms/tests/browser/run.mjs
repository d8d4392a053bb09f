// Drives the web page of a running csms in headless Chromium.
//
//   node run.mjs --base http://127.0.0.1:8080 --peers target/peers/node --shots target/browser
//
// `--peers` is where npm installed playwright-core and ws. The charge points are simulated here. Each scenario starts
// where the one before it ended. Ends with 0 when all held, else with 1 and the reason on standard error.

import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { Browser } from './browser.mjs';
import { SCENARIOS } from './scenarios.mjs';

const { values: options } = parseArgs({
  options: {
    base: { type: 'string' },
    peers: { type: 'string' },
    shots: { type: 'string', default: 'target/browser' },
    chromium: { type: 'string', default: '/usr/bin/chromium' },
  },
});
if (!options.base || !options.peers) {
  console.error('usage: run.mjs --base URL --peers DIR [--shots DIR] [--chromium PATH]');
  process.exit(2);
}

// ES modules are looked for beside the script, where npm has installed nothing.
const require = createRequire(join(resolve(options.peers), 'package.json'));
const { chromium } = require('playwright-core');
const { WebSocket } = require('ws');

mkdirSync(options.shots, { recursive: true });
const browser = await Browser.start({ chromium, executable: options.chromium, base: options.base, shots: options.shots });
const world = { base: options.base, browser, WebSocket, chargePoints: [] };
let failed = null;
try {
  for (const [name, scenario] of SCENARIOS) {
    const start = Date.now();
    try {
      await scenario(world);
      browser.checkQuiet();
    } catch (error) {
      failed = name;
      await browser.shotOnFailure();
      console.error(`browser: FAILED: ${name}\n${error.stack}`);
      break;
    }
    console.log(`browser: ok: ${name} (${Date.now() - start} ms)`);
  }
} finally {
  for (const chargePoint of world.chargePoints) chargePoint.close();
  await browser.close();
}
if (failed) process.exit(1);
console.log(`browser: ${SCENARIOS.length} scenarios held; screenshots in ${options.shots}`);
