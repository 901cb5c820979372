#!/usr/bin/env node
// The page of examples/http in two browsers, Ann's and Ben's, who edit the same shop. With HTTP_SCREENSHOTS=folder it also leaves pictures.
import assert from 'node:assert/strict';

import { Example, sql } from './example.mjs';
import { run, test } from './tap.mjs';
import { Driver, KEYS, weakTexts } from './webdriver.mjs';

const SHOP = {
  name: "Mozart's", street: 'Lamplighter Lane 3', opens: '08:00', closes: '18:00', seats: 24, wifi: false, note: '', changedBy: 'Wolfgang',
};
let example, driver, ann, ben;

const stored = (id = 'mozarts') =>
  JSON.parse(sql(`SELECT coalesce((SELECT jsonb_build_array(version, data) FROM shops WHERE id = '${id}'), 'null')`));
const address = (as, shop = 'mozarts') => `${example.url}?${new URLSearchParams({ as, shop })}`;

/** Both load the shop. */
async function bothLoad(shop) {
  for (const [page, name] of [[ann, 'Ann'], [ben, 'Ben']]) {
    await page.goto(address(name, shop));
    await page.until('the shop', async () => !(await page.text('h1')).startsWith('Loading'));
  }
}

/** Ann changes when it closes and the note, and saves; Ben, who has changed when it closes and the seats, wants to. */
async function bothSave() {
  await bothLoad();
  await ann.type('Closes', '20:00');
  await ann.type('Note', 'Cake on Sundays.');
  await ben.type('Closes', '22:00');
  await ben.type('Seats', '30');
  await ann.click('Save');
  await ann.shows('#status', 'Saved as version 2.');
  await ben.click('Save');
  await ben.shows('#alert', 'Ann saved version 2');
}

/** What the second form says: for each field both values, and which is chosen. */
const choices = (page) => page.run(() => [...document.querySelectorAll('fieldset')].map((field) => [
  field.querySelector('legend').firstChild.data.trim(),
  ...[...field.querySelectorAll('label')].map((label) => label.querySelector('.who').innerText + ': ' + label.querySelector('.value').innerText),
  field.querySelector(':checked')?.value ?? null,
]));

/** The labels of the fields that are marked: edited, or merged. */
const marked = (page, mark) => page.run((name) => [...document.querySelectorAll(`.${name} label`)].map(({ textContent }) => textContent), mark);

const choose = async (page, field, option) => page.call('POST',
  `/element/${await page.find(`//fieldset[legend[starts-with(., "${field}")]]//label[contains(., "${option}")]/input`)}/click`, {});
const hidden = (page, id) => page.run((name) => document.getElementById(name).hidden, id);
const accept = (page) => page.call('POST', '/alert/accept', {});

// --- The second one hears of the first --------------------------------------------------------------------------------

test('who saves first is told the new version', async () => {
  await bothLoad();
  assert.equal(await ann.text('#version'), 'Version 1, saved by Wolfgang');
  await ann.picture('1-loaded');
  await ann.type('Closes', '20:00');
  assert.equal(await ann.text('#unsaved'), '1 unsaved change');
  await ann.picture('2-edited');
  await ann.click('Save');
  await ann.shows('#status', 'Saved as version 2.');
  assert.equal(await ann.text('#version'), 'Version 2, saved by Ann');
  assert.equal(await ann.text('#unsaved'), '');
  await ann.picture('3-saved');
  assert.deepEqual(stored(), [2, { ...SHOP, closes: '20:00', changedBy: 'Ann' }]);
});

test('who saves second sees whose change is in the way, with both values of each field', async () => {
  await bothSave();
  assert.match(await ben.text('#alert'), /^Ann saved version 2 at \d\d:\d\d, while you were editing\s+Nothing is lost/);
  assert.deepEqual(await choices(ben), [
    ['Closes', 'Yours: 22:00', 'Ann\u2019s: 20:00', null],
    ['Seats', 'Yours: 30', 'Ann\u2019s: 24', 'mine'],
    ['Note', 'Yours: empty', 'Ann\u2019s: Cake on Sundays.', 'theirs'],
  ]);
  assert.match(await ben.text('#choices'), /Before: 18:00/);
  assert.equal(await hidden(ben, 'editor'), true);
  assert.deepEqual(stored()[0], 2);
});

test('field by field: the saved shop has the changes of both', async () => {
  await bothSave();
  await choose(ben, 'Closes', 'Yours');
  await ben.click('Save what is chosen');
  await ben.shows('#status', 'Saved as version 3.');
  assert.deepEqual(stored(), [3, { ...SHOP, closes: '22:00', seats: 30, note: 'Cake on Sundays.', changedBy: 'Ben' }]);
  assert.deepEqual([await hidden(ben, 'conflict'), await ben.value('Note'), await ben.text('#version')],
    [true, 'Cake on Sundays.', 'Version 3, saved by Ben']);
});

test('a field that both have changed must be chosen', async () => {
  await bothSave();
  await ben.click('Save what is chosen');
  assert.equal(await ben.run(() => document.querySelector('#conflict').matches(':invalid')), true);
  assert.deepEqual([await hidden(ben, 'conflict'), stored()[0]], [false, 2]);
});

test('keeping all of mine overwrites what is there, now that it has been seen', async () => {
  await bothSave();
  await ben.click('Keep all of mine');
  await ben.shows('#status', 'Saved as version 3.');
  assert.deepEqual(stored(), [3, { ...SHOP, closes: '22:00', seats: 30, changedBy: 'Ben' }]);
});

test('taking all of theirs writes nothing', async () => {
  await bothSave();
  await ben.click('Take all of Ann\u2019s');
  await ben.shows('#status', 'This is version 2, saved by Ann.');
  assert.deepEqual([await ben.value('Closes'), await ben.value('Seats'), await ben.text('#unsaved')], ['20:00', '24', '']);
  assert.deepEqual(stored(), [2, { ...SHOP, closes: '20:00', note: 'Cake on Sundays.', changedBy: 'Ann' }]);
});

test('choosing theirs everywhere writes nothing either', async () => {
  await bothSave();
  for (const field of ['Closes', 'Seats']) await choose(ben, field, 'Ann');
  await ben.click('Save what is chosen');
  await ben.shows('#status', 'This is version 2, saved by Ann.');
  assert.equal(stored()[0], 2);
});

test('somebody saves again while the second one chooses: the choice is not lost, and is asked for again', async () => {
  await bothSave();
  await choose(ben, 'Closes', 'Yours');
  sql(`SELECT docstore.patch('shops', 'mozarts', '{"seats": 12, "wifi": true, "changedBy": "Carla"}', 2)`);
  await ben.click('Save what is chosen');
  await ben.shows('#alert', 'Carla saved version 3');
  assert.deepEqual(await choices(ben), [
    ['Closes', 'Yours: 22:00', 'Carla\u2019s: 20:00', 'mine'],
    ['Seats', 'Yours: 30', 'Carla\u2019s: 12', null],
    ['Wi-Fi', 'Yours: no', 'Carla\u2019s: yes', 'theirs'],
  ]);
  await choose(ben, 'Seats', 'Carla');
  await ben.click('Save what is chosen');
  await ben.shows('#status', 'Saved as version 4.');
  assert.deepEqual(stored(), [4, { ...SHOP, closes: '22:00', seats: 12, wifi: true, note: 'Cake on Sundays.', changedBy: 'Ben' }]);
});

test('both have made the same change: nothing is to be chosen, and nothing was merged', async () => {
  await bothLoad();
  for (const page of [ann, ben]) {
    await page.click('Wi-Fi');
    await page.click('Save');
    await page.shows('#status', 'Saved');
  }
  assert.deepEqual([await ben.text('#status'), await marked(ben, 'merged')], ['Saved as version 3.', []]);
  assert.deepEqual([await hidden(ben, 'conflict'), stored()], [true, [3, { ...SHOP, wifi: true, changedBy: 'Ben' }]]);
});

test('both have changed other fields: both are saved, and who saves second sees what was merged', async () => {
  await bothLoad();
  await ann.type('Closes', '20:00');
  await ann.type('Note', 'Cake on Sundays.');
  await ann.click('Save');
  await ann.shows('#status', 'Saved as version 2.');
  await ben.type('Seats', '30');
  await ben.click('Save');
  await ben.shows('#status', 'Saved as version 3, with what somebody else has changed meanwhile: Closes, Note.');
  await ben.picture('6-merged');
  assert.deepEqual([await hidden(ben, 'conflict'), await marked(ben, 'merged'), await marked(ben, 'edited')], [true, ['Closes', 'Note'], []]);
  assert.deepEqual([await ben.value('Closes'), await ben.value('Note'), await ben.value('Seats')], ['20:00', 'Cake on Sundays.', '30']);
  assert.deepEqual(stored(), [3, { ...SHOP, closes: '20:00', note: 'Cake on Sundays.', seats: 30, changedBy: 'Ben' }]);
  await ben.click('Wi-Fi');
  await ben.click('Save');
  await ben.shows('#status', 'Saved as version 4.');
  assert.deepEqual([await ben.text('#status'), await marked(ben, 'merged')], ['Saved as version 4.', []]);
});

test('where some fields collide, it is said of each whether it does or was merged', async () => {
  await bothSave();
  assert.deepEqual(await ben.run(() => [...document.querySelectorAll('legend')].map(({ innerText }) => innerText)), [
    'Closes \u2013 both of you changed this, so choose', 'Seats \u2013 merged, as only you changed this', 'Note \u2013 merged, as only Ann changed this']);
});

test('the same person in another window is called so', async () => {
  await bothSave();
  await ben.goto(address('Ann'));
  await ben.shows('h1', 'Mozart');
  await ben.type('Seats', '31');
  await ann.type('Seats', '32');
  await ann.click('Save');
  await ann.shows('#status', 'Saved as version 3.');
  await ben.click('Save');
  await ben.shows('#alert', 'You, in another window, saved version 3');
  assert.deepEqual(await choices(ben), [['Seats', 'Yours: 31', 'The other window\u2019s: 32', null]]);
});

// --- Reloading --------------------------------------------------------------------------------------------------------

test('Reload sends the ETag of what was saved: 304', async () => {
  await bothLoad();
  await ann.click('Wi-Fi');
  await ann.click('Save');
  await ann.shows('#status', 'Saved as version 2.');
  await ann.click('Reload');
  await ann.shows('#status', 'Nothing new: version 2 is the latest.');
  assert.deepEqual(await ann.run(() => performance.getEntriesByType('resource').filter(({ name }) => name.includes('/shops/'))
    .map(({ responseStatus }) => responseStatus)), [200, 200, 304]);
});

test('Reload shows what is new; with unsaved changes beside them', async () => {
  await bothLoad();
  await ben.type('Seats', '30');
  await ann.click('Wi-Fi');
  await ann.click('Save');
  await ann.shows('#status', 'Saved');
  await ben.click('Reload');
  await ben.shows('#alert', 'Ann saved version 2 meanwhile');
  assert.deepEqual(await choices(ben), [['Seats', 'Yours: 30', 'Ann\u2019s: 24', 'mine'], ['Wi-Fi', 'Yours: no', 'Ann\u2019s: yes', 'theirs']]);
  await ben.click('Save what is chosen');
  await ben.shows('#status', 'Saved as version 3.');
  await ann.click('Reload');
  await ann.shows('#alert', 'Ben saved version 3 meanwhile');
  assert.equal(await ann.value('Seats'), '30');
});

// --- Deleting and creating --------------------------------------------------------------------------------------------

test('somebody has deleted the shop: what was edited can be saved as a new one', async () => {
  await bothLoad();
  await ben.type('Seats', '30');
  await ann.click('Delete');
  await accept(ann);
  await ann.shows('#status', 'Deleted.');
  assert.equal(stored(), null);
  await ben.click('Save');
  await ben.shows('#alert', "Somebody has deleted Mozart's while you were editing");
  await ben.picture('5-deleted');
  assert.equal(await ben.value('Seats'), '30');
  await ben.click('Create');
  // The deletion was version 2.
  await ben.shows('#status', 'Saved as version 3.');
  assert.deepEqual(stored(), [3, { ...SHOP, seats: 30, changedBy: 'Ben' }]);
});

test('somebody has deleted the shop: Reload lets the changes go', async () => {
  await bothLoad();
  await ben.type('Seats', '30');
  sql("SELECT docstore.delete('shops', 'mozarts', 1)");
  await ben.click('Save');
  await ben.shows('#alert', 'Somebody has deleted');
  await ben.click('Reload');
  await ben.shows('#status', 'There is no such shop.');
  assert.deepEqual([await ben.value('Seats'), stored()], ['', null]);
});

test('somebody deletes the shop while the second one chooses', async () => {
  await bothSave();
  sql("SELECT docstore.delete('shops', 'mozarts', 2)");
  await ben.click('Keep all of mine');
  await ben.shows('#alert', 'Somebody has deleted');
  assert.deepEqual([await hidden(ben, 'conflict'), await ben.value('Closes'), stored()], [true, '22:00', null]);
});

test('a shop that has changed is not deleted before that was seen', async () => {
  await bothLoad();
  await ann.click('Wi-Fi');
  await ann.click('Save');
  await ann.shows('#status', 'Saved');
  await ben.click('Delete');
  await accept(ben);
  await ben.shows('#alert', 'Not deleted: Ann saved version 2 meanwhile');
  assert.equal(stored()[0], 2);
  await ben.click('Delete');
  await accept(ben);
  await ben.shows('#status', 'Deleted.');
  assert.equal(stored(), null);
});

test('two people create the same shop: the second one hears of it', async () => {
  await bothLoad('sperl');
  for (const [page, street] of [[ann, 'Corner 1'], [ben, 'Corner 2']]) {
    await page.shows('h1', 'New shop: sperl');
    await page.type('Name', 'Sperl');
    await page.type('Street', street);
    await page.click('Create');
  }
  await ben.shows('#alert', 'Ann saved version 1');
  assert.deepEqual(await choices(ben), [['Street', 'Yours: Corner 2', 'Ann\u2019s: Corner 1', null]]);
  await ben.click('Keep all of mine');
  await ben.shows('#status', 'Saved as version 2.');
  assert.deepEqual(stored('sperl'), [2, { name: 'Sperl', street: 'Corner 2', wifi: false, note: '', changedBy: 'Ben' }]);
});

// --- For everybody ----------------------------------------------------------------------------------------------------

test('with the keyboard alone', async () => {
  await bothSave();
  // The focus is where the question is; the next stop is the first field.
  assert.equal(await ben.run(() => document.activeElement.id), 'conflict-title');
  await ben.press(KEYS.tab);
  await ben.press(KEYS.space);
  await ben.press(KEYS.right);
  assert.deepEqual((await choices(ben))[0].at(-1), 'theirs');
  await ben.press(KEYS.tab);
  await ben.press(KEYS.enter);
  await ben.shows('#status', 'Saved as version 3.');
  assert.deepEqual(stored(), [3, { ...SHOP, closes: '20:00', seats: 30, note: 'Cake on Sundays.', changedBy: 'Ben' }]);
  assert.equal(await ben.run(() => document.activeElement.id), 'save');
});

test('for who cannot see it: messages are announced, controls have names, choices have groups', async () => {
  await bothSave();
  const seen = await ben.call('POST', '/elements', { using: 'css selector', value: 'input, textarea, button, a, fieldset, [role]' });
  for (const element of seen.map((each) => Object.values(each)[0])) {
    const [role, name] = await Promise.all(['computedrole', 'computedlabel'].map((word) => ben.call('GET', `/element/${element}/${word}`)));
    if (!['none', 'generic', 'alert', 'status'].includes(role)) assert.notEqual(name, '', role);
    if (role === 'radio') assert.match(name, /^(Yours|Ann\u2019s) /);
    if (role === 'group') assert.match(name, /^(Closes|Seats|Note) \u2013 /);
  }
  const roleOf = async (id) => ben.call('GET', `/element/${await ben.find(`//*[@id="${id}"]`)}/computedrole`);
  assert.deepEqual([await roleOf('alert'), await roleOf('status')], ['alert', 'status']);
  assert.deepEqual(await ben.run(() => [...document.querySelectorAll('[id]')].map(({ id }) => id).filter((id, n, all) => all.indexOf(id) !== n)), []);
  assert.equal(await ben.run(() => document.documentElement.lang), 'en');
});

test('all text stands out from its background (WCAG 2.2, 1.4.3), and nothing is cut off, in light and dark, wide and narrow', async () => {
  await bothSave();
  await choose(ben, 'Closes', 'Yours');
  for (const [page, name] of [[ann, '3-saved'], [ben, '4-conflict']]) {
    for (const scheme of ['light', 'dark']) {
      for (const width of [320, 1000]) {
        await page.look(width, scheme);
        assert.deepEqual(await page.run(weakTexts), [], `${name} ${scheme}`);
        assert.equal(await page.run(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth), true, `${name} ${width}`);
        await page.picture(`${name}-${scheme}-${width}`);
      }
    }
    await page.look(1000, 'light');
  }
});

test('texts are texts, whatever is in them', async () => {
  await bothLoad();
  const text = '<img src=x onerror="document.title=1"> & "quotes" \u2603';
  for (const page of [ann, ben]) {
    await page.type('Name', text);
    await page.type('Note', `${text}${page === ben ? '!' : ''}`);
  }
  await ann.click('Save');
  await ann.shows('h1', text);
  await ben.click('Save');
  await ben.shows('#alert', 'Ann saved');
  assert.deepEqual(await choices(ben), [['Note', `Yours: ${text}!`, `Ann\u2019s: ${text}`, null]]);
  assert.equal(await ben.run(() => document.title), 'Ben: Coffee shop editor');
});

test('nobody saves without a name; the address keeps it', async () => {
  await ann.goto(address(''));
  await ann.shows('h1', 'Mozart');
  await ann.click('Wi-Fi');
  await ann.click('Save');
  assert.deepEqual([await ann.run(() => document.activeElement.id), stored()[0]], ['me', 1]);
  await ann.type('You are', 'Zoe');
  await ann.click('Save');
  await ann.shows('#status', 'Saved as version 2.');
  assert.equal(stored()[1].changedBy, 'Zoe');
  assert.match(await ann.run(() => location.search), /as=Zoe/);
  assert.match(await ann.run(() => document.getElementById('second').href), /as=Ben/);
});

test('what the server refuses is said, and the form keeps it', async () => {
  await bothLoad();
  await ann.type('Name', '   ');
  await ann.click('Save');
  await ann.shows('#alert', 'Name must be a text of 1 to 80 characters');
  assert.equal(await ann.value('Name'), '   ');
  sql('ALTER TABLE shops RENAME TO closed');
  await ann.type('Name', 'Sperl');
  await ann.click('Save');
  await ann.shows('#alert', 'The server has made a mistake');
  sql('ALTER TABLE closed RENAME TO shops');
  await ann.click('Save');
  await ann.shows('#status', 'Saved as version 2.');
});

test('when the server is away the changes stay', async () => {
  await bothLoad();
  await ann.click('Wi-Fi');
  await example.stop();
  await ann.click('Save');
  await ann.shows('#alert', 'The server cannot be reached');
  assert.equal(await ann.run(() => document.getElementById('wifi').checked), true);
  example = await Example.start({ PORT: new URL(example.url).port });
  await ann.click('Save');
  await ann.shows('#status', 'Saved as version 2.');
});

test('no process of the browsers is left', async () => assert.deepEqual(await driver.close(), []));

sql('CREATE EXTENSION docstore');
example = await Example.start();
driver = await Driver.start();
try {
  [ann, ben] = [await driver.open(address('Ann')), await driver.open(address('Ben'))];
} catch (error) {
  await driver.close();
  throw error;
}
await run({
  before: () => sql(`SET session_replication_role = replica; TRUNCATE shops, shops_history RESTART IDENTITY; RESET session_replication_role; SELECT docstore.upsert('shops', 'mozarts', '${JSON.stringify(SHOP).replaceAll("'", "''")}')`),
  // Nothing that the browser complains about.
  after: async () => {
    for (const page of driver.pages) assert.deepEqual(await page.complaints(), []);
  },
  end: async () => {
    await driver.close();
    await example.stop();
  },
});
