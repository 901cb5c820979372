#!/usr/bin/env node
// examples/http as RFC 9110 (HTTP Semantics), RFC 6585 (428), RFC 9457 (problems), RFC 5789 and RFC 7396 (PATCH) want it.
import assert from 'node:assert/strict';
import net from 'node:net';

import { assertProblem, Example, Holder, sql, until } from './example.mjs';
import { run, test } from './tap.mjs';

const SHOP = { name: 'Sperl', street: 'Gumpendorfer 11', opens: '07:00', closes: '22:00', seats: 60, wifi: true, note: '', changedBy: 'Ann' };
const SMALL = { name: 'Sperl', changedBy: 'Ben' };
// None of these is an entity tag, or a list of them.
const MALFORMED = ['3', '"3', '3"', '"3" "4"', '"3", *', '*, "3"', 'w/"3"', 'W/3', 'W/ "3"', '"a b"', '**', '"3";', "'3'"];

let example;
const ask = (...request) => example.ask(...request);
const put = (body, headers = {}, id = 'sperl') => ask('PUT', `/shops/${id}`, { body, ...headers });
const patch = (body, headers = {}, id = 'sperl') => ask('PATCH', `/shops/${id}`, { body, ...headers });
const EDIT_TYPE = 'application/vnd.coffee-shop.edit+json';
const edit = (body, headers = {}, id = 'sperl') => patch(body, { 'Content-Type': EDIT_TYPE, ...headers }, id);
/** What Ben has made of the shop as it was loaded. */
const edited = (changes, base = SHOP) => ({ base, shop: { ...base, ...changes, changedBy: 'Ben' } });
/** Carla saves something: version 4. */
const carlaChanges = (changes) => sql(`SELECT docstore.patch('shops', 'sperl', '${JSON.stringify({ ...changes, changedBy: 'Carla' })}', 3)`);
const stored = (id = 'sperl') =>
  JSON.parse(sql(`SELECT coalesce((SELECT jsonb_build_array(version, data) FROM shops WHERE id = '${id}'), 'null')`));
const unchanged = () => assert.deepEqual(stored(), [3, SHOP]);

// --- Reading ----------------------------------------------------------------------------------------------------------

test('RFC 9110 8.8.3: GET answers with the version as a strong ETag', async () => {
  const answer = await ask('GET', '/shops/sperl');
  assert.equal(answer.status, 200);
  assert.equal(answer.etag, '"3"');
  assert.deepEqual(answer.json, SHOP);
  assert.equal(answer.headers.get('Cache-Control'), 'no-cache');
});

test('RFC 9110 8.8.1: a version is always the same bytes, also in the answer to the PUT that made it', async () => {
  const before = await ask('GET', '/shops/sperl');
  const saved = await put(Object.fromEntries(Object.entries(SHOP).reverse()), { 'If-Match': '"3"' });
  const after = await ask('GET', '/shops/sperl');
  assert.deepEqual([saved.etag, after.etag], ['"4"', '"4"']);
  assert.deepEqual([saved.text, after.text], [before.text, before.text]);
});

test('RFC 9110 13.1.2 and 15.4.5: GET with the ETag in If-None-Match is 304, with the ETag and without a body', async () => {
  const answer = await ask('GET', '/shops/sperl', { 'If-None-Match': '"3"' });
  assert.equal(answer.status, 304);
  assert.equal(answer.etag, '"3"');
  assert.equal(answer.headers.get('Cache-Control'), 'no-cache');
  assert.equal(answer.text, '');
});

test('RFC 9110 13.1.2: If-None-Match of a GET takes weak tags, lists and *', async () => {
  for (const known of ['W/"3"', '"2", "3"', '"x,y" ,, W/"3"\t,', '*', '"a", "b", "3"']) {
    assert.equal((await ask('GET', '/shops/sperl', { 'If-None-Match': known })).status, 304, known);
  }
  for (const known of ['"2"', '"4", W/"2"', '"03"', '"W/3"', '""', '"*"', '"9223372036854775808"', '']) {
    const answer = await ask('GET', '/shops/sperl', { 'If-None-Match': known });
    assert.equal(answer.status, 200, known);
    assert.equal(answer.etag, '"3"');
    assert.deepEqual(answer.json, SHOP);
  }
});

test('RFC 9110 13.1.1: If-Match of a GET must hold', async () => {
  for (const match of ['"3"', '*', '"2", "3"']) assert.equal((await ask('GET', '/shops/sperl', { 'If-Match': match })).status, 200, match);
  for (const match of ['"2"', 'W/"3"']) assertProblem(await ask('GET', '/shops/sperl', { 'If-Match': match }), 412);
});

test('RFC 9110 13.2.2: If-Match comes before If-None-Match', async () => {
  assert.equal((await ask('GET', '/shops/sperl', { 'If-Match': '"3"', 'If-None-Match': '"3"' })).status, 304);
  assert.equal((await ask('GET', '/shops/sperl', { 'If-Match': '"2"', 'If-None-Match': '"3"' })).status, 412);
});

test('RFC 9110 9.3.2: HEAD is GET without the body', async () => {
  const answer = await ask('HEAD', '/shops/sperl');
  assert.deepEqual([answer.status, answer.etag, answer.text], [200, '"3"', '']);
  assert.equal((await ask('HEAD', '/shops/sperl', { 'If-None-Match': '"3"' })).status, 304);
});

test('RFC 9110 13.2.1: no shop is 404, whatever the preconditions are', async () => {
  for (const headers of [{}, { 'If-None-Match': '"1"' }, { 'If-None-Match': '*' }, { 'If-Match': '"1"' }]) {
    assertProblem(await ask('GET', '/shops/none', headers), 404);
  }
  for (const path of ['/shops/NOT', `/shops/${'x'.repeat(65)}`, '/shops/a%00b', '/shops/%27', '/nothing']) {
    assertProblem(await ask('GET', path), 404);
  }
  assertProblem(await ask('GET', '/shops/%E0%A4%A'), 400);
});

// --- Writing ----------------------------------------------------------------------------------------------------------

test('RFC 9110 13.1.1: PUT with the ETag in If-Match replaces the shop, and answers with the next', async () => {
  const answer = await put(SMALL, { 'If-Match': '"3"' });
  assert.deepEqual([answer.status, answer.etag, answer.json], [200, '"4"', SMALL]);
  assert.equal(answer.headers.get('Content-Location'), '/shops/sperl');
  assert.deepEqual(stored(), [4, SMALL]);
});

test('RFC 9110 13.1.1 and 15.5.13: PUT with another ETag is 412, with the conflict and the shop as data', async () => {
  for (const stale of ['2', '4', '9007199254740993']) {
    const answer = await put(SMALL, { 'If-Match': `"${stale}"` });
    assertProblem(answer, 412);
    const { violations: [{ reason, expected, actual, id }], changedBy, current } = answer.json;
    assert.deepEqual([reason, expected, actual, id], ['stale', Number(stale), 3, 'sperl']);
    assert.equal(changedBy, 'Ann');
    assert.deepEqual([current.etag, current.shop], ['"3"', SHOP]);
    assert.ok(Date.now() - Date.parse(current.changedAt) < 60_000);
  }
  unchanged();
});

test('RFC 9110 13.1.1: a PUT of a shop that is gone is 412, and does not create it', async () => {
  for (const match of ['"3"', '*', 'W/"1"']) {
    const answer = await put(SMALL, { 'If-Match': match }, 'gone');
    assertProblem(answer, 412);
    assert.deepEqual([answer.json.changedBy, answer.json.current], [null, null]);
  }
  assert.equal(stored('gone'), null);
});

test('RFC 9110 13.1.1: If-Match: * is content with any version of a shop that is there', async () => {
  assert.deepEqual([(await put(SMALL, { 'If-Match': '*' })).etag, stored()], ['"4"', [4, SMALL]]);
});

test('RFC 9110 13.1.1: of a list of ETags one has to match', async () => {
  for (const [n, match] of [[4, '"3", "4"'], [5, '"3","4"'], [6, '"x", "9", W/"5", "5"'], [7, ',"6",,'], [8, '"9", "8", "7"']].entries()) {
    assert.deepEqual([(await put(SMALL, { 'If-Match': match[1] })).status, stored()[0]], [200, match[0]], `${n}: ${match[1]}`);
  }
  assertProblem(await put(SMALL, { 'If-Match': '"3", "4", "9"' }), 412);
});

test('RFC 9110 8.8.3.2: If-Match compares strongly, so a weak ETag never matches', async () => {
  for (const match of ['W/"3"', 'W/"3", W/"4"', 'W/"3", "2"']) {
    const answer = await put(SMALL, { 'If-Match': match });
    assertProblem(answer, 412);
    assert.equal(answer.json.current.etag, '"3"');
  }
  unchanged();
});

test('RFC 9110 8.8.3: ETags are opaque: one that looks like the version only to a number is another one', async () => {
  for (const match of ['"03"', '"+3"', '"3.0"', '"0"', '"-1"', '"-2"', '""', '"*"', '"any"', '"9223372036854775808"', '']) {
    assertProblem(await put(SMALL, { 'If-Match': match }), 412);
  }
  unchanged();
});

test('RFC 9110 13.1.1 and 13.1.2: what is neither * nor a list of ETags is 400', async () => {
  for (const tags of MALFORMED) {
    assertProblem(await put(SMALL, { 'If-Match': tags }), 400);
    assertProblem(await put(SMALL, { 'If-None-Match': tags }), 400);
    assertProblem(await ask('GET', '/shops/sperl', { 'If-None-Match': tags }), 400);
    assertProblem(await ask('GET', '/shops/sperl', { 'If-Match': tags }), 400);
  }
  unchanged();
});

test('RFC 6585 3: a request that writes without a precondition is 428', async () => {
  assertProblem(await put(SMALL), 428);
  assertProblem(await put(SMALL, {}, 'new'), 428);
  assertProblem(await patch({ changedBy: 'Ben' }), 428);
  assertProblem(await ask('DELETE', '/shops/sperl'), 428);
  assertProblem(await put(SMALL, { 'If-Unmodified-Since': new Date().toUTCString() }), 428);
  unchanged();
  assert.equal(stored('new'), null);
});

test('RFC 9110 13.1.2 and 15.3.2: PUT with If-None-Match: * creates a shop, 201', async () => {
  const answer = await put(SMALL, { 'If-None-Match': '*' }, 'new');
  assert.deepEqual([answer.status, answer.etag, answer.json], [201, '"1"', SMALL]);
  assert.deepEqual(stored('new'), [1, SMALL]);
});

test('RFC 9110 13.1.2: PUT with If-None-Match: * of a shop that is there is 412', async () => {
  const answer = await put(SMALL, { 'If-None-Match': '*' });
  assertProblem(answer, 412);
  assert.deepEqual([answer.json.violations[0].reason, answer.json.violations[0].actual, answer.json.current.etag], ['exists', 3, '"3"']);
  unchanged();
});

test('RFC 9110 13.2.2: If-Match and If-None-Match: * at once never hold', async () => {
  for (const match of ['"3"', '*']) {
    assertProblem(await put(SMALL, { 'If-Match': match, 'If-None-Match': '*' }), 412);
    assertProblem(await put(SMALL, { 'If-Match': match, 'If-None-Match': '*' }, 'new'), 412);
  }
  unchanged();
});

test('a version that a deleted shop had matches none that was made later', async () => {
  assert.equal((await ask('DELETE', '/shops/sperl', { 'If-Match': '"3"' })).status, 204);
  // The deletion was version 4.
  assert.equal((await put(SMALL, { 'If-None-Match': '*' })).etag, '"5"');
  for (const match of ['"3"', '"4"']) assertProblem(await put(SMALL, { 'If-Match': match }), 412);
});

test('DELETE: with the ETag 204, with another one 412, of no shop 404', async () => {
  const stale = await ask('DELETE', '/shops/sperl', { 'If-Match': '"2"' });
  assertProblem(stale, 412);
  assert.deepEqual([stale.json.violations[0].op, stale.json.changedBy], ['delete', 'Ann']);
  assertProblem(await ask('DELETE', '/shops/sperl', { 'If-Match': 'W/"3"' }), 412);
  assertProblem(await ask('DELETE', '/shops/sperl', { 'If-None-Match': '*' }), 400);
  unchanged();
  const deleted = await ask('DELETE', '/shops/sperl', { 'If-Match': '"3"' });
  assert.deepEqual([deleted.status, deleted.etag, deleted.text, stored()], [204, null, '', null]);
  for (const match of ['"3"', '*', 'W/"3"']) assertProblem(await ask('DELETE', '/shops/sperl', { 'If-Match': match }), 404);
});

test('RFC 5789 and RFC 7396: PATCH changes members, null takes one away', async () => {
  const answer = await patch({ closes: '23:00', note: null, changedBy: 'Ben' }, { 'If-Match': '"3"' });
  assert.deepEqual([answer.status, answer.etag, answer.text], [204, '"4"', '']);
  const { note, ...rest } = SHOP;
  assert.deepEqual(stored(), [4, { ...rest, closes: '23:00', changedBy: 'Ben' }]);
  assert.equal((await patch({ changedBy: 'Ben' }, { 'If-Match': '*' })).etag, '"5"');
});

test('RFC 5789 2.2: PATCH with another ETag is 412, of no shop 404, and never creates one', async () => {
  assertProblem(await patch({ changedBy: 'Ben' }, { 'If-Match': '"2"' }), 412);
  assertProblem(await patch({ changedBy: 'Ben' }, { 'If-Match': 'W/"3"' }), 412);
  for (const match of ['"3"', '*']) assertProblem(await patch({ changedBy: 'Ben' }, { 'If-Match': match }, 'new'), 404);
  assertProblem(await patch(SMALL, { 'If-None-Match': '*' }, 'new'), 400);
  unchanged();
  assert.equal(stored('new'), null);
});

// --- Edits, which are merged ------------------------------------------------------------------------------------------

test('an edit of the version that is there is saved, and the answer is the shop', async () => {
  const answer = await edit(edited({ seats: 61 }), { 'If-Match': '"3"' });
  const after = { ...SHOP, seats: 61, changedBy: 'Ben' };
  assert.deepEqual([answer.status, answer.etag, answer.json, stored()], [200, '"4"', after, [4, after]]);
  assert.equal(answer.headers.get('Content-Location'), '/shops/sperl');
});

test('an edit of an older version is merged with what has changed meanwhile; changedBy is who saved last', async () => {
  carlaChanges({ note: 'Closed in August', wifi: null });
  const answer = await edit(edited({ seats: 61, street: undefined }), { 'If-Match': '"3"' });
  const { street, wifi, ...rest } = SHOP;
  const after = { ...rest, seats: 61, note: 'Closed in August', changedBy: 'Ben' };
  assert.deepEqual([answer.status, answer.etag, answer.json, stored()], [200, '"5"', after, [5, after]]);
  assert.equal(answer.text, (await ask('GET', '/shops/sperl')).text);
});

test('an edit that collides is 412: where, with what either side has; nothing is saved', async () => {
  carlaChanges({ closes: '21:00', seats: 10, note: null });
  const answer = await edit(edited({ closes: '23:00', wifi: false, note: 'Piano' }), { 'If-Match': '"3"' });
  assertProblem(answer, 412);
  const { violations: [{ reason, expected, actual, conflicts }], changedBy, current } = answer.json;
  assert.deepEqual([reason, expected, actual, changedBy, current.etag, current.shop.closes], ['merge', 3, 4, 'Carla', '"4"', '21:00']);
  assert.deepEqual(conflicts, [{ path: '/closes', kind: 'edit/edit' }, { path: '/note', kind: 'edit/delete' }]);
  assert.deepEqual(answer.json.conflicts, [{ path: '/closes', kind: 'edit/edit', base: '22:00', mine: '23:00', theirs: '21:00' },
    { path: '/note', kind: 'edit/delete', base: '', mine: 'Piano' }]);
  assert.equal(stored()[0], 4);
});

test('an edit without a base: what it was made of is in the history', async () => {
  carlaChanges({ note: 'Closed in August', closes: '21:00' });
  const { shop } = edited({ seats: 61 });
  assert.deepEqual((await edit({ shop }, { 'If-Match': '"3"' })).json, { ...SHOP, closes: '21:00', note: 'Closed in August', seats: 61, changedBy: 'Ben' });
  const answer = await edit({ shop: { ...shop, closes: '23:00' } }, { 'If-Match': '"3"' });
  assertProblem(answer, 412);
  assert.deepEqual(answer.json.conflicts, [{ path: '/closes', kind: 'edit/edit', base: '22:00', mine: '23:00', theirs: '21:00' }]);
  for (const match of ['"2"', 'W/"3"']) {
    const unknown = await edit({ shop }, { 'If-Match': match });
    assertProblem(unknown, 412);
    assert.deepEqual([unknown.json.current.etag, unknown.json.conflicts], ['"5"', []]);
  }
  assert.equal(stored()[0], 5);
});

test('an edit is merged under the lock: one that waited for another change is merged with that', async () => {
  const holder = await Holder.start("SELECT docstore.patch('shops', 'sperl', '{\"wifi\": false, \"changedBy\": \"Carla\"}', 3)");
  const answer = edit(edited({ seats: 61 }), { 'If-Match': '"3"' });
  await holder.waitedFor();
  await holder.commit();
  assert.deepEqual([(await answer).status, stored()], [200, [5, { ...SHOP, wifi: false, seats: 61, changedBy: 'Ben' }]]);
});

test('of 6 edits of different members with one ETag all are saved', async () => {
  const changes = { name: 'Caf\u00e9 Sperl', street: 'Gumpendorfer Stra\u00dfe 11', opens: '08:00', closes: '20:00', seats: 61, wifi: false };
  const answers = await Promise.all(Object.entries(changes).map(([member, value]) => edit(edited({ [member]: value }), { 'If-Match': '"3"' })));
  assert.deepEqual(answers.map(({ status }) => status), Array(6).fill(200));
  assert.deepEqual(stored(), [9, { ...SHOP, ...changes, changedBy: 'Ben' }]);
});

test('an edit that is sent again changes nothing but the version', async () => {
  carlaChanges({ wifi: false });
  for (const etag of ['"5"', '"6"']) assert.equal((await edit(edited({ seats: 61 }), { 'If-Match': '"3"' })).etag, etag);
  assert.deepEqual(stored(), [6, { ...SHOP, wifi: false, seats: 61, changedBy: 'Ben' }]);
});

test('an edit needs the one ETag that it was made of', async () => {
  const body = edited({ seats: 61 });
  assertProblem(await edit(body), 428);
  for (const match of ['*', '"3", "4"', '3']) assertProblem(await edit(body, { 'If-Match': match }), 400);
  assertProblem(await edit(body, { 'If-None-Match': '*' }), 400);
  for (const match of ['W/"3"', '"x"']) assertProblem(await edit(body, { 'If-Match': match }), 412);
  unchanged();
});

test('an edit of a version that is not there yet is 412', async () => {
  const answer = await edit(edited({ seats: 61 }), { 'If-Match': '"4"' });
  assertProblem(answer, 412);
  assert.deepEqual([answer.json.violations[0].reason, answer.json.conflicts, stored()[0]], ['stale', [], 3]);
});

test('an edit of no shop is 404, and never creates one', async () => {
  assertProblem(await edit(edited({ seats: 61 }), { 'If-Match': '"3"' }, 'new'), 404);
  assert.equal(stored('new'), null);
});

test('what is no edit is 422, and says what is wrong', async () => {
  const wrong = { null: [''], '[]': [''], '3': [''], '{}': [''], '{"base": null}': ['', 'base'],
    '{"base": {"name": "", "changedBy": "a"}, "shop": {"name": "Sperl"}}': ['changedBy', 'base name'] };
  for (const [body, members] of Object.entries(wrong)) {
    const answer = await edit(body, { 'If-Match': '"2"' });
    assertProblem(answer, 422);
    assert.deepEqual(answer.json.errors.map(({ member }) => member), members, body);
  }
  assertProblem(await put(edited({}), { 'If-Match': '"3"', 'Content-Type': EDIT_TYPE }), 415);
  unchanged();
});

// --- Bodies and methods -----------------------------------------------------------------------------------------------

test('RFC 9110 15.5.1: a body that is no JSON is 400', async () => {
  for (const body of ['{', '{"name": "Sperl",}', 'name=Sperl', '\u00ff']) assertProblem(await put(body, { 'If-Match': '"3"' }), 400);
  assertProblem(await patch('{"note": tru', { 'If-Match': '"3"' }), 400);
  unchanged();
});

test('RFC 9110 15.5.21: JSON that is no shop is 422, and says which members are wrong', async () => {
  for (const body of ['null', '[]', '"a shop"', '3']) assertProblem(await put(body, { 'If-Match': '"3"' }), 422);
  const wrong = await put({ name: '', closes: '25:00', seats: 1.5, wifi: 'yes', stars: 3, note: 'a\0b' }, { 'If-Match': '"3"' });
  assertProblem(wrong, 422);
  assert.deepEqual(wrong.json.errors.map(({ member }) => member), ['name', 'closes', 'seats', 'wifi', 'stars', 'note', 'changedBy']);
  assertProblem(await put({ ...SMALL, note: '\ud800' }, { 'If-Match': '"3"' }), 422);
  assertProblem(await put('{"__proto__": {}, "name": "a", "changedBy": "b"}', { 'If-Match': '"3"' }), 422);
  for (const body of [{ name: null, changedBy: 'Ben' }, { closes: '20:00' }, { changedBy: null }]) {
    assertProblem(await patch(body, { 'If-Match': '"3"' }), 422);
  }
  unchanged();
});

test('RFC 9110 15.5.16: another type is 415; RFC 5789 2.2: Accept-Patch says which is taken', async () => {
  const headers = { 'If-Match': '"3"' };
  for (const type of ['text/plain', 'application/merge-patch+json', 'application/x-www-form-urlencoded']) {
    assertProblem(await put(SMALL, { ...headers, 'Content-Type': type }), 415);
  }
  assertProblem(await ask('PUT', '/shops/sperl', headers), 415);
  const answer = await patch({ changedBy: 'Ben' }, { ...headers, 'Content-Type': 'application/json' });
  assertProblem(answer, 415);
  assert.equal(answer.headers.get('Accept-Patch'), `application/merge-patch+json, ${EDIT_TYPE}`);
  assertProblem(await put(SMALL, { ...headers, 'Content-Encoding': 'nothing-known' }), 415);
  unchanged();
  assert.equal((await put(SMALL, { ...headers, 'Content-Type': 'application/json; charset=utf-8' })).status, 200);
});

test('RFC 9110 15.5.14: a body that is too large is 413', async () => {
  assertProblem(await put({ ...SMALL, note: 'x'.repeat(200_000) }, { 'If-Match': '"3"' }), 413);
});

test('RFC 9110 13.2.1: a request that fails for another reason fails for that one', async () => {
  assertProblem(await put('{', { 'If-Match': '"2"' }), 400);
  assertProblem(await put({ name: 'Sperl' }, { 'If-Match': '"2"' }), 422);
  assertProblem(await put(SMALL, { 'If-Match': '"2"', 'Content-Type': 'text/plain' }), 415);
});

test('RFC 9110 15.5.6: other methods are 405, and Allow says which are taken', async () => {
  const answer = await ask('POST', '/shops/sperl', { body: SMALL });
  assertProblem(answer, 405);
  assert.equal(answer.headers.get('Allow'), 'GET, HEAD, PUT, PATCH, DELETE');
  const options = await ask('OPTIONS', '/shops/sperl');
  assert.deepEqual([options.status, options.headers.get('Allow')], [204, 'GET, HEAD, PUT, PATCH, DELETE']);
  assertProblem(await ask('GET', '/shops'), 405);
});

// --- A batch ----------------------------------------------------------------------------------------------------------

test('RFC 9110 15.5.10: a batch has its versions in the body, so its conflict is 409; it names every stale shop', async () => {
  const answer = await ask('POST', '/shops', { body: [
    { id: 'new', shop: SMALL, expected: 0 }, { id: 'sperl', shop: SMALL, expected: 2 }, { id: 'gone', shop: SMALL, expected: 7 }] });
  assertProblem(answer, 409);
  assert.deepEqual(answer.json.violations.map(({ item, id, reason, expected, actual }) => [item, id, reason, expected, actual]),
    [[2, 'sperl', 'stale', 2, 3], [3, 'gone', 'missing', 7, null]]);
  unchanged();
  assert.equal(stored('new'), null);
});

test('a batch is saved as a whole, and gives all ETags', async () => {
  const answer = await ask('POST', '/shops', { body: [{ id: 'sperl', shop: SMALL, expected: 3 }, { id: 'new', shop: SMALL, expected: 0 }] });
  assert.deepEqual([answer.status, answer.json], [200, [{ id: 'sperl', etag: '"4"' }, { id: 'new', etag: '"1"' }]]);
  assert.deepEqual([stored(), stored('new')], [[4, SMALL], [1, SMALL]]);
});

test('a batch with a mistake is 422, and says in which item', async () => {
  for (const [item, member] of [[{ id: 'A', shop: SMALL, expected: 3 }, 'id'], [{ id: 'sperl', shop: SMALL }, 'expected'],
    [{ id: 'sperl', shop: SMALL, expected: -1 }, 'expected'], [{ id: 'sperl', expected: 3 }, ''], [null, 'id'], [3, 'id']]) {
    const answer = await ask('POST', '/shops', { body: [{ id: 'new', shop: SMALL, expected: 0 }, item] });
    assertProblem(answer, 422);
    assert.deepEqual(answer.json.errors.map((error) => [error.item, error.member]), [[2, member]]);
  }
  assertProblem(await ask('POST', '/shops', { body: SMALL }), 422);
  assertProblem(await ask('POST', '/shops', { body: [{ id: 'new', shop: SMALL, expected: 0 }, { id: 'new', shop: SMALL, expected: 0 }] }), 422);
  assertProblem(await ask('POST', '/shops', { body: '[]', 'Content-Type': 'text/plain' }), 415);
  assert.equal(stored('new'), null);
});

// --- Many at once -----------------------------------------------------------------------------------------------------

test('of 20 PUTs with one ETag one is saved, and 19 hear of it', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => put({ ...SMALL, seats: n }, { 'If-Match': '"3"' })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array(19).fill(412)]);
  assert.deepEqual(stored(), [4, answers.find(({ status }) => status === 200).json]);
});

test('of 20 PUTs that create a shop one creates it', async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => put({ ...SMALL, seats: n }, { 'If-None-Match': '*' }, 'new')));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, ...Array(19).fill(412)]);
});

test('of a list of ETags the one that comes while the PUT waits matches, too', async () => {
  const holder = await Holder.start("UPDATE shops SET version = 4 WHERE id = 'sperl'");
  const answer = put(SMALL, { 'If-Match': '"5", "3", "4"' });
  await holder.waitedFor();
  await holder.commit();
  assert.deepEqual([(await answer).status, stored()], [200, [5, SMALL]]);
});

test('the version is compared under the lock: a PUT that waited for another change is 412', async () => {
  const holder = await Holder.start("SELECT docstore.patch('shops', 'sperl', '{\"changedBy\": \"Carla\"}', 3)");
  const answer = put(SMALL, { 'If-Match': '"3"' });
  await holder.waitedFor();
  await holder.commit();
  assertProblem(await answer, 412);
  assert.deepEqual([(await answer).json.changedBy, (await answer).json.current.etag], ['Carla', '"4"']);
});

// --- Failures ---------------------------------------------------------------------------------------------------------

test('RFC 9110 15.6.4: a statement that is cancelled is 503 with Retry-After, and nothing of it is told', async () => {
  const holder = await Holder.start("SELECT docstore.patch('shops', 'sperl', '{}', 3)");
  const answer = put(SMALL, { 'If-Match': '"3"' });
  sql(`SELECT pg_cancel_backend(${await holder.waitedFor()})`);
  assertProblem(await answer, 503);
  assert.equal((await answer).headers.get('Retry-After'), '1');
  await holder.commit();
  assert.equal(stored()[0], 4);
});

test('RFC 9110 15.6.1: a mistake of the server is 500; what it was goes to stderr only', async () => {
  sql('ALTER TABLE shops RENAME TO closed');
  const said = example.said.length;
  for (const answer of [await ask('GET', '/shops/sperl'), await put(SMALL, { 'If-Match': '"3"' })]) {
    assertProblem(answer, 500);
    assert.doesNotMatch(answer.text, /closed|relation|42P01|"shops"/);
  }
  sql('ALTER TABLE closed RENAME TO shops');
  await until('the message', () => /PUT \/shops\/sperl: 42P01: /.test(example.said.slice(said)));
  assert.doesNotMatch(example.said.slice(said), /SELECT|    at /);
});

test('connections that the database ends are replaced', async () => {
  sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'docstore-http-example' AND datname = current_database()");
  await until('an answer', async () => (await ask('GET', '/shops/sperl')).status === 200);
  assert.equal(example.process.exitCode, null);
});

test('RFC 9110 15.6.4: no way to the database is 503, until there is one again', async () => {
  const way = net.createServer((socket) => {
    const { PGHOST = '/var/run/postgresql', PGPORT = '5432' } = process.env;
    const server = PGHOST.startsWith('/') ? net.connect(`${PGHOST}/.s.PGSQL.${PGPORT}`) : net.connect(PGPORT, PGHOST);
    for (const [one, other] of [[socket, server], [server, socket]]) {
      one.on('error', () => {}).on('close', () => other.destroy()).pipe(other);
      ends.add(one);
    }
  });
  const ends = new Set();
  const listen = (port) => new Promise((resolve) => way.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = way.address();
  const remote = await Example.start({ PGHOST: '127.0.0.1', PGPORT: String(port) });
  try {
    assert.equal((await remote.ask('GET', '/shops/sperl')).status, 200);
    way.close();
    for (const end of ends) end.destroy();
    const answer = await remote.ask('GET', '/shops/sperl');
    assertProblem(answer, 503);
    assert.equal(answer.headers.get('Retry-After'), '1');
    assertProblem(await remote.ask('PUT', '/shops/sperl', { body: SMALL, 'If-Match': '"3"' }), 503);
    await listen(port);
    assert.equal((await remote.ask('GET', '/shops/sperl')).status, 200);
    assert.equal(await remote.stop(), 0);
  } finally {
    remote.process.kill();
    way.close();
    for (const end of ends) end.destroy();
  }
});

test('without a database it says so and ends', async () => {
  const none = await Example.start({ PGHOST: '127.0.0.1', PGPORT: '1' });
  assert.deepEqual(await none.ended, [1, null]);
  assert.match(none.said, /^The database cannot be prepared: ECONNREFUSED: [^\n]*\n$/);
});

test('RFC 9110 7.6.1: when it is told to stop it answers what it has begun, takes nothing new, and ends', async () => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    const other = await Example.start();
    const { etag } = await other.ask('GET', '/shops/sperl');
    const holder = await Holder.start("SELECT 1 FROM shops WHERE id = 'sperl' FOR UPDATE");
    const answer = other.ask('PUT', '/shops/sperl', { body: SMALL, 'If-Match': etag });
    await holder.waitedFor();
    const ended = other.stop(signal);
    await until('the end of listening', () => fetch(other.url).then(() => false, () => true));
    await holder.commit();
    assert.equal((await answer).status, 200);
    assert.equal(await ended, 0);
    assert.equal(other.said, '');
    assert.equal(sql(`SELECT count(*) FROM pg_stat_activity WHERE pid IN (${holder.pid})`), '0');
  }
});

test('what is in the pages is our own: no other address, no inline code', async () => {
  for (const path of ['/', '/page.mjs', '/page.css', '/icon.svg']) {
    const answer = await ask('GET', path);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('Content-Security-Policy'), "default-src 'self'");
    assert.deepEqual(answer.text.match(/https?:\/\/(?!www\.w3\.org\/2000\/svg)\S+|<style|\son\w+=|\sstyle=/g), null);
  }
});

sql('CREATE EXTENSION docstore');
example = await Example.start();
await run({
  // Each test finds one shop, at version 3, in a collection that has forgotten all others.
  before: () => {
    Holder.endAll();
    sql(`SET session_replication_role = replica; TRUNCATE shops, shops_history RESTART IDENTITY; RESET session_replication_role;
      INSERT INTO shops (id, version, data, created_at, updated_at) VALUES ('sperl', 3, '${JSON.stringify(SHOP)}', now(), now())`);
  },
  end: () => example.stop(),
});
