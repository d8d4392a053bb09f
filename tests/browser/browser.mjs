// Chromium with one page, and what a scenario asks of it. Every wait ends at a limit and names what it waited for.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const LIMIT = 15000;
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];
export const DESK = { width: 1280, height: 860 };
export const PHONE = { width: 390, height: 844 };

export class Browser {
  static async start(settings) {
    const browser = new Browser();
    Object.assign(browser, settings);
    return browser;
  }

  /** Where the page is. */
  home = '/';
  page = null;
  context = null;
  complaints = [];
  requests = new Set();

  /** A new window: fresh storage, `locale` as the browser's language. */
  async open({ locale = 'en-GB', viewport = DESK, dark = false, path = this.home } = {}) {
    await this.close();
    this.profile = mkdtempSync(join(tmpdir(), 'onwire-browser-'));
    this.context = await this.chromium.launchPersistentContext(this.profile, {
      executablePath: this.executable,
      headless: true,
      args: FLAGS,
      locale,
      viewport,
      colorScheme: dark ? 'dark' : 'light',
      hasTouch: viewport === PHONE,
      isMobile: viewport === PHONE,
    });
    this.context.setDefaultTimeout(LIMIT);
    this.page = this.context.pages()[0] ?? (await this.context.newPage());
    this.page.on('pageerror', (error) => this.complaints.push(`uncaught: ${error.message}`));
    this.page.on('console', (message) => {
      // A refused command is the subject of some scenarios; the browser reports each as a failed resource.
      const text = message.text();
      if (['error', 'warning'].includes(message.type()) && !text.startsWith('Failed to load resource') && !text.includes('ERR_INTERNET_DISCONNECTED')) {
        this.complaints.push(`${message.type()}: ${text}`);
      }
    });
    this.requests.clear();
    this.page.on('request', (request) => !request.url().includes('/api/v1/events') && this.requests.add(request));
    for (const end of ['requestfinished', 'requestfailed']) this.page.on(end, (request) => this.requests.delete(request));
    await this.page.goto(this.base + path);
  }

  async close() {
    await this.context?.close();
    this.context = null;
    this.page = null;
    if (this.profile) rmSync(this.profile, { recursive: true, force: true });
    this.profile = null;
  }

  /** Fails if the page has complained: uncaught errors, warnings, anything the security policy refused. */
  checkQuiet() {
    if (this.complaints.length > 0) throw new Error(`the page complains:\n  ${this.complaints.join('\n  ')}`);
  }

  /** Waits until the view has fetched what it shows: no request but the event stream is under way. */
  async settled() {
    await this.page.locator('#view h1').waitFor();
    await this.until('the requests to end', async () => (this.requests.size === 0 ? true : [...this.requests].map((request) => request.url()).join()));
  }

  at = (testid) => this.page.locator(`[data-testid="${testid}"]`);

  async go(fragment) {
    await this.page.evaluate((hash) => { location.hash = hash; }, `#/${fragment}`);
  }

  async click(testid) {
    await this.at(testid).click();
  }

  async fillIn(testid, values) {
    for (const [name, value] of Object.entries(values)) {
      const input = this.page.locator(`[data-testid="${testid}"] [name="${name}"]`);
      const tag = await input.evaluate((node) => `${node.tagName} ${node.type}`);
      if (tag.startsWith('SELECT')) await input.selectOption(value);
      else if (tag.endsWith('checkbox')) await input.setChecked(value);
      else await input.fill(String(value));
    }
  }

  async submit(testid) {
    await this.click(`${testid}-submit`);
  }

  /** Waits until `probe` says yes of what `locator` holds. */
  async until(what, probe) {
    const end = Date.now() + LIMIT;
    let seen;
    for (;;) {
      seen = await probe().catch((error) => `(${error.message.split('\n')[0]})`);
      if (seen === true) return;
      if (Date.now() > end) throw new Error(`waited ${LIMIT} ms for: ${what}; there was: ${seen}`);
      await this.page.evaluate(() => new Promise((done) => requestAnimationFrame(done)));
    }
  }

  async hasText(testid, expected) {
    await this.until(`"${expected}" in ${testid}`, async () => {
      const text = await this.at(testid).first().innerText({ timeout: 1000 });
      return text.includes(expected) || JSON.stringify(text);
    });
  }

  async gone(testid) {
    await this.at(testid).first().waitFor({ state: 'detached' });
  }

  /** The outcome of a command: its state, and texts that it must show. */
  async outcome(testid, state, ...texts) {
    await this.until(`outcome ${testid} to be ${state}`, async () => {
      const now = await this.at(testid).getAttribute('data-state', { timeout: 1000 });
      return now === state || `${now}: ${JSON.stringify(await this.at(testid).innerText())}`;
    });
    for (const text of texts) await this.hasText(testid, text);
  }

  /** What does not fit is a fault: nobody scrolls a page sideways. */
  async fits(what) {
    const [needed, has] = await this.page.evaluate(() => [document.scrollingElement.scrollWidth, window.innerWidth]);
    if (needed > has) throw new Error(`${what} is ${needed} px wide on a screen of ${has} px`);
  }

  async shot(name, { full = true } = {}) {
    await this.page.evaluate(() => window.scrollTo(0, 0));
    await this.page.screenshot({ path: join(this.shots, `${name}.png`), fullPage: full, animations: 'disabled' });
  }

  async shotOnFailure() {
    await this.page?.screenshot({ path: join(this.shots, 'failure.png'), fullPage: true }).catch(() => null);
  }
}
