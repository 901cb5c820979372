// Starts examples/http as its user would, on the database that the PG* variables name, and asks it over HTTP.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../../examples/http/server.mjs', import.meta.url));

/** What psql shows for some SQL. */
export function sql(statement) {
  return execFileSync('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-c', statement], { encoding: 'utf8' }).trim();
}

/** Waits until check() gives something true, and gives that. */
export async function until(what, check) {
  for (let tries = 0; tries < 400; tries++) {
    const found = await check();
    if (found) return found;
    await sleep(25);
  }
  return assert.fail(`${what} has not come`);
}

/** A session that has executed something and not committed it. */
export class Holder {
  static all = new Set();

  /** Ends those that a test has not come to commit. */
  static endAll() {
    for (const { process } of Holder.all) process.kill();
  }

  static async start(statement) {
    const holder = new Holder();
    Holder.all.add(holder);
    holder.process = spawn('psql', ['-XAtq', '-v', 'ON_ERROR_STOP=1'], { stdio: ['pipe', 'pipe', 'inherit'] });
    holder.ended = once(holder.process, 'exit').finally(() => Holder.all.delete(holder));
    let output = '';
    holder.process.stdout.on('data', (chunk) => output += chunk);
    holder.process.stdin.write(`BEGIN;\n${statement};\nSELECT 'pid ' || pg_backend_pid();\n`);
    holder.pid = (await until('the lock', () => /^pid (\d+)$/m.exec(output)))[1];
    return holder;
  }

  /** Waits until somebody waits for it, and gives the process. */
  waitedFor() {
    return until('somebody who waits', () => sql(`SELECT min(pid) FROM pg_stat_activity WHERE ${this.pid} = ANY (pg_blocking_pids(pid))`));
  }

  async commit() {
    this.process.stdin.end('COMMIT;\n');
    assert.equal((await this.ended)[0], 0);
  }
}

export class Example {
  /** Starts it and waits until it says where it is. */
  static async start(environment = {}) {
    const example = new Example();
    example.process = spawn(process.execPath, [PROGRAM], { env: { ...process.env, PORT: '0', ...environment } });
    example.said = '';
    example.process.stderr.on('data', (chunk) => example.said += chunk);
    example.ended = once(example.process, 'exit');
    let output = '';
    example.process.stdout.on('data', (chunk) => output += chunk);
    await Promise.race([example.ended, until('the address of the example', () => output.endsWith('\n'))]);
    example.url = output.trim();
    return example;
  }

  /** Ends it as Ctrl-C does, and gives its exit status. */
  async stop(signal = 'SIGINT') {
    this.process.kill(signal);
    return (await this.ended)[0];
  }

  /** A request; the answer's body is read, as JSON where it is some. */
  async ask(method, path, { body, ...headers } = {}) {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    const response = await fetch(new URL(path, this.url), {
      method,
      headers: body === undefined ? headers : { 'Content-Type': type, ...headers },
      body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await response.text();
    const json = text && /json/.test(response.headers.get('Content-Type')) ? JSON.parse(text) : undefined;
    return { status: response.status, headers: response.headers, etag: response.headers.get('ETag'), text, json };
  }
}

/** A problem is what RFC 9457 says it is, with that status, and tells nothing of how it came about. */
export function assertProblem(answer, status) {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers.get('Content-Type'), /^application\/problem\+json/);
  assert.equal(answer.json.status, status);
  assert.equal(answer.etag, null);
  for (const member of ['type', 'title', 'detail']) assert.equal(typeof answer.json[member], 'string', member);
  assert.doesNotMatch(answer.text, /SELECT|docstore\.|node_modules|\.mjs|stack/);
}
