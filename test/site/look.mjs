#!/usr/bin/env node
// The site that dev/docs makes, in a browser: three pages, wide and narrow, and the search. SITE is its directory.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';

import { run, test } from '../http/tap.mjs';
import { Driver } from '../http/webdriver.mjs';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.json': 'application/json', '.svg': 'image/svg+xml', '.png': 'image/png' };
const PAGES = ['', 'docs/conflicts-and-retries/', 'docs/scopes/'];

/** Serves the site as any web server would. */
const server = http.createServer((request, response) => {
  const name = decodeURIComponent(new URL(request.url, 'http://site').pathname);
  const file = path.join(process.env.SITE, name.endsWith('/') ? `${name}index.html` : name);
  if (!fs.existsSync(file)) return response.writeHead(404).end();
  response.writeHead(200, { 'Content-Type': TYPES[path.extname(file)] ?? 'application/octet-stream' });
  return fs.createReadStream(file).pipe(response);
});
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const home = `http://127.0.0.1:${server.address().port}/`;
let driver, page;

for (const address of PAGES) {
  for (const width of [1280, 390]) {
    test(`/${address}, ${width} pixels wide`, async () => {
      await page.look(width, 'light');
      await page.goto(home + address);
      await page.until('every picture', () => page.run(() => document.querySelectorAll('pre.mermaid').length === 0));
      assert.equal(await page.run(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), true, 'nothing is cut off');
      assert.deepEqual(await page.run(() => [...document.images].filter(({ naturalWidth }) => naturalWidth === 0).map(({ src }) => src)), []);
      await page.picture(`site-${address.replace(/\W+/g, '-')}${width}`);
    });
  }
}

test('the search finds "stale"', async () => {
  await page.look(1280, 'light');
  await page.goto(`${home}?q=stale`);
  await page.until('an answer', () => page.run(() => document.querySelectorAll('.md-search-result__item').length > 0));
  assert.match(await page.run(() => document.querySelector('.md-search-result__list').textContent), /stale/i);
});

driver = await Driver.start();
page = await driver.open(home);
await run({
  after: async () => assert.deepEqual(await page.complaints(), []),
  end: async () => {
    await driver.close();
    server.close();
  },
});
