// Debian's Chromium, driven through its driver with the WebDriver protocol: JSON over HTTP, https://www.w3.org/TR/webdriver2/.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

// No sandbox: that needs privileges which neither root file systems nor containers give. Nothing but our own page is shown, and Chromium
// is kept from asking for anything else.
const ARGUMENTS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-breakpad', '--no-proxy-server',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', '--lang=en-GB', '--window-size=1000,900'];

// What the protocol calls an element in JSON, and the keys that a test presses.
const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';
export const KEYS = { tab: '\uE004', space: ' ', enter: '\uE007', right: '\uE014', down: '\uE015' };

/** The driver; close() also ends the browsers that it has started. */
export class Driver {
  static async start() {
    const driver = new Driver();
    driver.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'chromium-'));
    // A home of its own, where Chromium writes what does not belong to a profile.
    driver.process = spawn('chromedriver', ['--port=0'], { env: { ...process.env, HOME: driver.folder, TMPDIR: driver.folder } });
    driver.pages = [];
    let said = '';
    for await (const chunk of driver.process.stdout) {
      const port = /started successfully on port (\d+)/.exec(said += chunk)?.[1];
      if (port) {
        driver.url = `http://127.0.0.1:${port}`;
        break;
      }
    }
    assert.ok(driver.url, `chromedriver has not started: ${said}`);
    return driver;
  }

  async call(method, address, body) {
    const response = await fetch(this.url + address, { method, body: body && JSON.stringify(body) });
    const { value } = await response.json();
    if (!response.ok) throw Object.assign(new Error(`${method} ${address}: ${value.error}: ${value.message}`), { code: value.error });
    return value;
  }

  /** A browser of its own, with a profile of its own: somebody else's. */
  async open(url) {
    const args = [...ARGUMENTS, `--user-data-dir=${path.join(this.folder, `profile-${this.pages.length}`)}`];
    const { sessionId } = await this.call('POST', '/session', { capabilities: { alwaysMatch: {
      browserName: 'chrome', unhandledPromptBehavior: 'ignore',
      'goog:chromeOptions': { binary: '/usr/bin/chromium', args }, 'goog:loggingPrefs': { browser: 'ALL' },
    } } });
    const page = new Page(this, `/session/${sessionId}`);
    this.pages.push(page);
    await page.goto(url);
    return page;
  }

  /** Ends everything, and gives the processes that are left: none. */
  async close() {
    if (this.process.exitCode !== null || this.process.signalCode) return [];
    for (const page of this.pages.splice(0)) await page.call('DELETE', '');
    this.process.kill();
    await once(this.process, 'exit');
    let left = [];
    for (let tries = 0; tries < 100 && (left = processesOf(this.folder)).length > 0; tries++) await sleep(50);
    fs.rmSync(this.folder, { recursive: true, force: true });
    return left;
  }
}

/** The command lines of processes that have the folder in theirs. */
function processesOf(folder) {
  return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((pid) => {
    try {
      return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
    } catch {
      return '';
    }
  }).filter((line) => line.includes(folder));
}

/** A window, as its user meets it: fields by their labels, buttons by their names. */
export class Page {
  constructor(driver, address) {
    Object.assign(this, { driver, address });
  }

  call(method, address, body) {
    return this.driver.call(method, this.address + address, body);
  }

  goto(url) {
    return this.call('POST', '/url', { url });
  }

  /** What a function gives in the page. */
  run(script, ...args) {
    return this.call('POST', '/execute/sync', { script: `return (${script})(...arguments)`, args });
  }

  /** Waits until check() gives something true, and gives that. The page may change while it looks. */
  async until(what, check) {
    for (let tries = 0; ; tries++) {
      const found = await check().catch((error) => {
        if (!['no such element', 'stale element reference'].includes(error.code)) throw error;
      });
      if (found) return found;
      if (tries === 200) assert.fail(`${what} has not come; the page says: ${await this.text('main')}`);
      await sleep(50);
    }
  }

  async find(xpath) {
    return (await this.call('POST', '/element', { using: 'xpath', value: xpath }))[ELEMENT];
  }

  /** The control that a label is for, or the button of that name, when it can be seen. */
  async control(name) {
    const quoted = `normalize-space(.)="${name}"`;
    const element = await this.find(`(//*[@id=//label[${quoted}]/@for] | //button[${quoted}] | //a[${quoted}])[not(ancestor-or-self::*[@hidden])]`);
    assert.ok((await this.call('GET', `/element/${element}/computedlabel`)).startsWith(name), `"${name}" is its name for everybody`);
    return element;
  }

  async click(name) {
    await this.call('POST', `/element/${await this.control(name)}/click`, {});
  }

  async press(keys) {
    await this.call('POST', `/element/${await this.focused()}/value`, { text: keys });
  }

  async focused() {
    return (await this.call('GET', '/element/active'))[ELEMENT];
  }

  /** Sets a field as if somebody had typed. */
  async type(name, text) {
    const element = await this.control(name);
    await this.call('POST', `/element/${element}/clear`, {});
    await this.call('POST', `/element/${element}/value`, { text });
  }

  async value(name) {
    return this.call('GET', `/element/${await this.control(name)}/property/value`);
  }

  /** What an element shows, by its CSS selector; nothing when it is hidden. */
  text(selector) {
    return this.run('(selector) => document.querySelector(selector).innerText', selector);
  }

  /** Waits until an element shows a text. */
  shows(selector, text) {
    return this.until(`"${text}" in ${selector}`, async () => (await this.text(selector)).includes(text));
  }

  /** What the console has said since this was last asked; that a request was refused is said there, too, and is no mistake. */
  async complaints() {
    const entries = await this.call('POST', '/se/log', { type: 'browser' });
    return entries.filter(({ source }) => source !== 'network').map(({ message }) => message);
  }

  /** A command of the DevTools protocol, for what WebDriver has no word for. */
  devtools(cmd, params) {
    return this.call('POST', '/goog/cdp/execute', { cmd, params });
  }

  /** How the page looks, for a person: a file in the folder that HTTP_SCREENSHOTS names. */
  async picture(name) {
    const folder = process.env.HTTP_SCREENSHOTS;
    if (!folder) return;
    await this.devtools('Emulation.setScrollbarsHidden', { hidden: true });
    const { data } = await this.devtools('Page.captureScreenshot', { captureBeyondViewport: true });
    fs.writeFileSync(path.join(folder, `${name}.png`), Buffer.from(data, 'base64'));
    await this.devtools('Emulation.setScrollbarsHidden', { hidden: false });
  }

  /** A window of that width, and a scheme: light or dark. */
  async look(width, scheme) {
    await this.devtools('Emulation.setDeviceMetricsOverride', { width, height: 900, deviceScaleFactor: 1, mobile: false });
    await this.devtools('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
  }
}

/** In the page: the texts whose contrast is below 4.5. */
export function weakTexts() {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const luminance = (colour) => {
    const [red, green, blue] = [...rgba(colour)].map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const background = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    return rgba(colour)[3] > 0 || !element.parentElement ? colour : background(element.parentElement);
  };
  const weak = [];
  for (const element of document.querySelectorAll('body *')) {
    const text = element.value ?? [...element.childNodes].filter(({ nodeType }) => nodeType === 3).map(({ data }) => data).join('').trim();
    if (!text || !element.checkVisibility()) continue;
    const [light, dark] = [luminance(getComputedStyle(element).color), luminance(background(element))].sort((one, other) => other - one);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < 4.5) weak.push(`${text}: ${contrast.toFixed(2)}`);
  }
  return weak;
}
