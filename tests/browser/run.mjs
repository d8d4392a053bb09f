// Drives the web page of a running program in headless Chromium.
//
//   node run.mjs --scenarios ../../examples/csms/tests/browser/scenarios.mjs --base http://127.0.0.1:8080
//     --peers target/peers/node --shots target/browser/csms
//
// `--peers` is where npm installed playwright-core and ws; `--devices` is where devices connect, and `--programs` the folder
// of the programs that play them. The scenarios say where the page is (`HOME`), what they need first (`begin`) and what to end
// (`end`). Each one starts where the one before it ended. Ends with 0 when all held, else with 1 and the reason on standard
// error.

import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { Browser } from './browser.mjs';

const { values: options } = parseArgs({
  options: {
    scenarios: { type: 'string' },
    base: { type: 'string' },
    peers: { type: 'string' },
    devices: { type: 'string' },
    programs: { type: 'string' },
    shots: { type: 'string', default: 'target/browser' },
    chromium: { type: 'string', default: '/usr/bin/chromium' },
  },
});
if (!options.scenarios || !options.base || !options.peers) {
  console.error('usage: run.mjs --scenarios FILE --base URL --peers DIR [--devices URL] [--programs DIR] [--shots DIR] [--chromium PATH]');
  process.exit(2);
}

// ES modules are looked for beside the script, where npm has installed nothing.
const require = createRequire(join(resolve(options.peers), 'package.json'));
const { chromium } = require('playwright-core');
const { SCENARIOS, HOME, begin, end } = await import(pathToFileURL(resolve(options.scenarios)).href);

mkdirSync(options.shots, { recursive: true });
const { base, shots, devices, programs } = options;
const browser = await Browser.start({ chromium, executable: options.chromium, base, shots, home: HOME });
const world = { base, browser, devices, programs };
let failed = null;
try {
  begin(world, require);
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
  end(world);
  await browser.close();
}
if (failed) process.exit(1);
console.log(`browser: ${SCENARIOS.length} scenarios held; screenshots in ${shots}`);
