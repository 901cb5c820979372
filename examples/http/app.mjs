// The shops over HTTP. A version is an ETag; a precondition of a request is docstore's expected version; the conflict is status 412.
//
// Not 409: RFC 9110 says in section 13.1.1 what a server answers when If-Match does not hold, and that is 412 (Precondition Failed).
// 409 is left for expectations that are no header: those in the body of POST /shops, a batch.
import { fileURLToPath } from 'node:url';

import express from 'express';

import { etag, expectedVersions, knownVersions, mayBeRead, NO_VERSION } from './preconditions.mjs';
import { NeverHolds, Problem, sendError, sendProblem, violationsOf } from './problem.mjs';
import { inOrder, mistakes } from './shop.mjs';

const [JSON_TYPE, PATCH_TYPE] = ['application/json', 'application/merge-patch+json'];
const ID = /^[a-z0-9][a-z0-9-]{0,63}$/;
const ID_RULE = 'must be of small letters, digits and hyphens';

export function createApp(pool) {
  const app = express();
  app.disable('x-powered-by');
  // Express would compute weak ETags of its own.
  app.set('etag', false);
  app.use((_, response, next) => {
    response.set({ 'Content-Security-Policy': "default-src 'self'", 'X-Content-Type-Options': 'nosniff' });
    next();
  });
  app.use(express.static(fileURLToPath(new URL('public', import.meta.url))));
  app.use('/shops', express.json({ type: [JSON_TYPE, PATCH_TYPE], strict: false }));

  // begin README
  /** Writes as the request's If-Match or If-None-Match expects, and gives the new version. */
  async function write(request, sql, values = []) {
    // ['3'] for If-Match: "3", [docstore.no_version()] for If-None-Match: *; with neither, status 428.
    let [expected, ...others] = expectedVersions(request);
    while (expected !== undefined) {
      try {
        return (await pool.query(sql, [request.params.id, ...values, expected])).rows[0].version;
      } catch (error) {
        // If-Match: "3", "4" accepts either of them: try the one that is there.
        const actual = String(violationsOf(error)?.[0]?.actual);
        if (!others.includes(actual)) throw error;
        expected = actual;
        others = others.filter((version) => version !== actual);
      }
    }
    throw new NeverHolds();
  }

  /** PUT: replaces the shop, or creates it. */
  async function put(request, response) {
    const shop = checked(request, JSON_TYPE); // else 415 or 422
    const version = await write(request, "SELECT docstore.upsert('shops', $1, $2, $3) AS version", [shop]);
    response.status(request.get('If-None-Match') ? 201 : 200).set({ ETag: etag(version), 'Content-Location': request.path });
    response.json(inOrder(shop));
  }

  /** The conflict, for the person who has to choose: what was expected, what is there, and what the shop looks like now. */
  async function preconditionFailed(violations, request, response) {
    const current = await load(request.params.id);
    if (!current && request.method !== 'PUT') throw notThere();
    sendProblem(response, 412, 'The shop is not at the version that you expect', {
      violations,
      changedBy: current?.data.changedBy ?? null,
      current: current && { etag: etag(current.version), changedAt: current.updated_at, shop: inOrder(current.data) },
    });
  }
  // end README

  // The ETag of a PUT: RFC 9110, section 9.3.4 allows it when what was sent has been stored as it is. jsonb keeps values, not bytes, so
  // the answer is the shop as a GET will give it, and Content-Location says that it is.

  /** PATCH: changes members of the shop and leaves the others, RFC 7396. It never creates one: RFC 5789 leaves that to the server. */
  async function patch(request, response) {
    response.set('Accept-Patch', PATCH_TYPE);
    const changes = checked(request, PATCH_TYPE, { patch: true });
    mustNotCreate(request);
    const version = await write(request, "SELECT docstore.patch('shops', $1, $2, $3) AS version", [changes]);
    response.status(204).set({ ETag: etag(version), 'Content-Location': request.path }).end();
  }

  async function remove(request, response) {
    mustNotCreate(request);
    await write(request, "SELECT docstore.delete('shops', $1, $2) AS version");
    response.status(204).end();
  }

  /** GET: 304 and no body for a client that has it already. Then only the number of the version leaves the database. */
  async function get(request, response) {
    const known = knownVersions(request);
    const { rows: [shop] } = await pool.query(
      `SELECT there.version, news.data
         FROM docstore.load('shops', $1) AS there
         LEFT JOIN docstore.load('shops', $1, CASE WHEN $2 OR there.version = ANY ($3) THEN there.version END) AS news ON true`,
      [request.params.id, known === '*', known === '*' ? [] : known]);
    if (!shop) throw notThere();
    if (!mayBeRead(request, shop.version)) throw new NeverHolds();
    response.set({ ETag: etag(shop.version), 'Cache-Control': 'no-cache' });
    if (shop.data) response.json(inOrder(shop.data));
    else response.status(304).end();
  }

  async function load(id) {
    return (await pool.query("SELECT version, data, updated_at FROM docstore.load('shops', $1)", [id])).rows[0] ?? null;
  }

  /** POST /shops: [{"id", "shop", "expected"}, ...], all of them or none. */
  async function batch(request, response) {
    mustBe(request, JSON_TYPE);
    const items = request.body;
    if (!Array.isArray(items) || items.length > 1000) throw new Problem(422, 'The body must be an array of at most 1000 shops');
    const errors = items.flatMap((item, index) => itemMistakes(item).map((mistake) => ({ item: index + 1, ...mistake })));
    if (errors.length > 0) throw new Problem(422, 'These are no shops', { errors });
    if (new Set(items.map(({ id }) => id)).size < items.length) throw new Problem(422, 'A shop can be in a batch only once');
    const changes = items.map(({ id, shop, expected }) => ({ op: 'upsert', collection: 'shops', id, data: shop, expected }));
    const saved = await pool.query('SELECT id, version FROM docstore.save(docstore.parse($1))', [JSON.stringify(changes)]);
    response.json(saved.rows.map(({ id, version }) => ({ id, etag: etag(version) })));
  }

  app.param('id', (_request, _response, next, id) => next(ID.test(id) ? undefined : new Problem(404, `An id ${ID_RULE}`)));
  app.route('/shops/:id').get(answering(get)).put(answering(put)).patch(answering(patch)).delete(answering(remove))
    .all(otherMethods('GET, HEAD, PUT, PATCH, DELETE'));
  app.route('/shops').post(answering(batch)).all(otherMethods('POST'));
  app.use((request, response) => sendProblem(response, 404, 'There is nothing at this address'));

  // Express knows by the four arguments that these take errors.
  app.use('/shops/:id', (error, request, response, next) => {
    const violations = violationsOf(error);
    if (violations && !response.headersSent) preconditionFailed(violations, request, response).catch(next);
    else next(error);
  });
  app.use((error, request, response, next) => {
    const violations = violationsOf(error);
    if (response.headersSent) next(error);
    else if (violations) sendProblem(response, 409, 'Some shops are not at the version that you expect', { violations });
    else sendError(error, request, response);
  });
  return app;
}

/** Makes Express 4 understand a handler's promise; Express 5 does so by itself. */
const answering = (handler) => (request, response, next) => handler(request, response).catch(next);

const otherMethods = (allowed) => (request, response) => {
  response.set({ Allow: allowed, 'Accept-Patch': PATCH_TYPE });
  if (request.method === 'OPTIONS') response.status(204).end();
  else sendProblem(response, 405, `Only ${allowed} can be used here`);
};

const notThere = () => new Problem(404, 'There is no such shop');

function mustBe(request, type) {
  if (!request.is(type)) throw new Problem(415, `The body must be ${type}`);
}

/** The body of a request, when it is a shop or a patch of one. */
function checked(request, type, options) {
  mustBe(request, type);
  const errors = mistakes(request.body, options);
  if (errors.length > 0) throw new Problem(422, 'The body is no shop', { errors });
  return request.body;
}

function itemMistakes(item) {
  if (typeof item?.id !== 'string' || !ID.test(item.id)) return [{ member: 'id', detail: ID_RULE }];
  if (!Number.isSafeInteger(item.expected) || item.expected < 0) return [{ member: 'expected', detail: 'must be a version, or 0 for none' }];
  return mistakes(item.shop);
}

/** "Not there" is no precondition that a change or a removal could have. */
function mustNotCreate(request) {
  if (expectedVersions(request)[0] === NO_VERSION) throw new Problem(400, `A ${request.method} needs If-Match`);
}
