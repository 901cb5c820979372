// The shops over HTTP. A version is an ETag; a precondition of a request is docstore's expected version; the conflict is status 412.
//
// Not 409: RFC 9110 says in section 13.1.1 what a server answers when If-Match does not hold, and that is 412 (Precondition Failed).
// 409 is left for expectations that are no header: those in the body of POST /shops, a batch.
import { fileURLToPath } from 'node:url';

import express from 'express';

import { HEADERS, refuseCursor } from './changes.mjs';
import { etag, expectedVersions, knownVersions, mayBeRead, NO_VERSION, SOME_VERSION } from './preconditions.mjs';
import { NeverHolds, Problem, sendError, sendProblem, violationsOf } from './problem.mjs';
import { inOrder, mistakes } from './shop.mjs';

const [JSON_TYPE, PATCH_TYPE] = ['application/json', 'application/merge-patch+json'];
// An edit: {"base": the shop that was loaded, "shop": what has become of it}. Our own type, as none that is registered has both. Without
// "base" it is what history has at the version in If-Match.
const EDIT_TYPE = 'application/vnd.coffee-shop.edit+json';
const PATCH_TYPES = `${PATCH_TYPE}, ${EDIT_TYPE}`;
const ID = /^[a-z0-9][a-z0-9-]{0,63}$/;
const ID_RULE = 'must be of small letters, digits and hyphens';

/** The program's answers: shops from the pool, and their changes. */
export function createApp(pool, changes) {
  const app = express();
  app.disable('x-powered-by');
  // Express would compute weak ETags of its own.
  app.set('etag', false);
  app.use((_, response, next) => {
    response.set({ 'Content-Security-Policy': "default-src 'self'", 'X-Content-Type-Options': 'nosniff' });
    next();
  });
  app.use(express.static(fileURLToPath(new URL('public', import.meta.url))));
  app.use('/shops', express.json({ type: [JSON_TYPE, PATCH_TYPE, EDIT_TYPE], strict: false }));

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
    const current = await (request.is(EDIT_TYPE) ? loadBeside(request) : load(request.params.id));
    if (!current && request.method !== 'PUT') throw notThere();
    sendProblem(response, 412, 'The shop is not at the version that you expect', {
      violations,
      changedBy: current?.data.changedBy ?? null,
      current: current && { etag: etag(current.version), changedAt: current.updated_at, shop: inOrder(current.data) },
      conflicts: current?.conflicts,
    });
  }
  // end README

  // The ETag of a PUT: RFC 9110, section 9.3.4 allows it when what was sent has been stored as it is. jsonb keeps values, not bytes, so
  // the answer is the shop as a GET will give it, and Content-Location says that it is.

  /** PATCH: changes members of the shop and leaves the others, RFC 7396. It never creates one: RFC 5789 leaves that to the server. */
  async function patch(request, response) {
    response.set('Accept-Patch', PATCH_TYPES);
    if (request.is(EDIT_TYPE)) return merge(request, response);
    const changes = checked(request, PATCH_TYPE, (body) => mistakes(body, { patch: true }));
    mustNotCreate(request);
    const version = await write(request, "SELECT docstore.patch('shops', $1, $2, $3) AS version", [changes]);
    response.status(204).set({ ETag: etag(version), 'Content-Location': request.path }).end();
  }

  // begin merge
  const BASE = "COALESCE($4::jsonb, (SELECT v.data FROM docstore.load_version('shops', $1, $3) AS v))";

  /** PATCH with an edit: where If-Match has an older version, both edits are saved, unless they collide. */
  async function merge(request, response) {
    const { base, shop } = checked(request, EDIT_TYPE, editMistakes); // else 422
    const version = editedVersion(request); // else 400, 412 or 428
    // Every edit changes changedBy: who saves last is who it was. So the base that is merged over has what is there now.
    const { rows: [saved] } = await pool.query(
      `WITH there AS (SELECT data -> 'changedBy' AS by FROM shops WHERE id = $1 FOR UPDATE)
       SELECT version, data
         FROM docstore.merge('shops', $1, $2, $3, base => ${BASE} || jsonb_build_object('changedBy', (SELECT by FROM there)))`,
      [request.params.id, shop, version, base]);
    response.set({ ETag: etag(saved.version), 'Content-Location': request.path }).json(inOrder(saved.data));
  }

  /** What is there, and where an edit collides with it; for each such path with what either side has. */
  async function loadBeside(request) {
    const { rows: [there] } = await pool.query(
      `SELECT there.*, preview.conflicts
         FROM docstore.load('shops', $1) AS there
         LEFT JOIN LATERAL (SELECT ${BASE} AS base) AS began ON true
         LEFT JOIN LATERAL docstore.preview_merge('shops', $1, $2, began.base) AS preview ON began.base IS NOT NULL`,
      [request.params.id, request.body.shop, expectedVersions(request)[0] ?? 0, request.body.base]);
    return there && { ...there, conflicts: (there.conflicts ?? []).filter(({ path }) => path !== '/changedBy') };
  }
  // end merge

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
  app.route('/changes').head((_, response) => response.set(HEADERS).end())
    .get(answering((request, response) => changes.follow(request, response))).all(otherMethods('GET, HEAD'));
  app.use((request, response) => sendProblem(response, 404, 'There is nothing at this address'));

  app.use('/changes', refuseCursor);
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
  response.set({ Allow: allowed, 'Accept-Patch': PATCH_TYPES });
  if (request.method === 'OPTIONS') response.status(204).end();
  else sendProblem(response, 405, `Only ${allowed} can be used here`);
};

const notThere = () => new Problem(404, 'There is no such shop');

function mustBe(request, type) {
  if (!request.is(type)) throw new Problem(415, `The body must be ${type}`);
}

/** The body of a request, when it is a shop, a patch or an edit of one. */
function checked(request, type, mistakesOf = mistakes) {
  mustBe(request, type);
  const errors = mistakesOf(request.body);
  if (errors.length > 0) throw new Problem(422, 'The body is no shop', { errors });
  return request.body;
}

function itemMistakes(item) {
  if (typeof item?.id !== 'string' || !ID.test(item.id)) return [{ member: 'id', detail: ID_RULE }];
  if (!Number.isSafeInteger(item.expected) || item.expected < 0) return [{ member: 'expected', detail: 'must be a version, or 0 for none' }];
  return mistakes(item.shop);
}

function editMistakes(edit) {
  const inBase = edit?.base === undefined ? [] : mistakes(edit.base);
  return [...mistakes(edit?.shop), ...inBase.map(({ member, detail }) => ({ member: `base ${member}`.trim(), detail }))];
}

/** An edit was made of one version, which If-Match has. */
function editedVersion(request) {
  mustNotCreate(request);
  const [version, ...others] = expectedVersions(request);
  if (version === undefined) throw new NeverHolds();
  if (version === SOME_VERSION || others.length > 0) throw new Problem(400, 'An edit needs If-Match with the one ETag that it was made of');
  return version;
}

/** "Not there" is no precondition that a change or a removal could have. */
function mustNotCreate(request) {
  if (expectedVersions(request)[0] === NO_VERSION) throw new Problem(400, `A ${request.method} needs If-Match`);
}
