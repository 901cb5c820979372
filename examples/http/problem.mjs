// What goes wrong, as application/problem+json (RFC 9457). It contains nothing of a statement: what only we should know goes to stderr.
import { STATUS_CODES } from 'node:http';

import pg from 'pg';

/** An answer with an error status; members are further members of its body. */
export class Problem extends Error {
  constructor(status, detail, members = {}) {
    super(detail);
    Object.assign(this, { status, members });
  }
}

/** A precondition that no version can fulfil: a conflict that docstore need not be asked about. */
export class NeverHolds extends Error {}

export function sendProblem(response, status, detail, members = {}) {
  response.status(status).type('application/problem+json');
  response.send(JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail, ...members }));
}

/** The violations of a conflict, undefined for every other error. */
export function violationsOf(error) {
  if (error instanceof NeverHolds) return [];
  return error.code === 'PT409' ? JSON.parse(error.detail).violations : undefined;
}

// What Express says of a body that it cannot read.
const UNREADABLE = { 400: 'The body is not JSON', 413: 'The body is too large', 415: 'The body is in an unknown encoding' };

/** Every error that is not a conflict. */
export function sendError(error, request, response) {
  if (error instanceof Problem) return sendProblem(response, error.status, error.message, error.members);
  if (error instanceof URIError) return sendProblem(response, 400, 'The address is not percent-encoded UTF-8');
  if (error.status in UNREADABLE && error.type) return sendProblem(response, error.status, UNREADABLE[error.status]);
  // A text that JSON allows and jsonb does not: half a surrogate pair.
  if (/^22P0[25]$/.test(error.code)) return sendProblem(response, 422, 'A text in the body cannot be stored');

  console.error(`${request.method} ${request.path}: ${error.code ?? error.name}: ${error.message}`);
  if (isPassing(error)) {
    response.set('Retry-After', '1');
    return sendProblem(response, 503, 'The database cannot answer now. Nothing was written, unless it was lost on the way back');
  }
  return sendProblem(response, 500, 'The server has made a mistake');
}

/** Whether the same request may succeed in a moment: no connection, a deadlock, a timeout, a server that is going down. */
function isPassing(error) {
  if (error instanceof pg.DatabaseError) return /^(08|40|53|55P03|57)/.test(error.code);
  return /^E[A-Z]+$/.test(error.code) || /^(Connection terminated|timeout exceeded)/.test(error.message);
}
