// From If-Match and If-None-Match (RFC 9110, section 13) to docstore's expected versions.
import { Problem } from './problem.mjs';

// docstore.no_version() and docstore.some_version(). docstore.any_version() has no header: a writer who names no version is refused.
export const [NO_VERSION, SOME_VERSION] = ['0', '-2'];

const ELEMENT = /[ \t]*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)")?[ \t]*(?:,|$)/y;
const HIGHEST = 2n ** 63n - 1n;

/** The ETag of a version. */
export const etag = (version) => `"${version}"`;

/** A list of entity tags as [{weak, tag}], or '*'. Empty elements are ignored, as RFC 9110, section 5.6.1.2 wants it. */
export function entityTags(name, header) {
  if (header.trim() === '*') return '*';
  const tags = [];
  for (ELEMENT.lastIndex = 0; ELEMENT.lastIndex < header.length; ) {
    const element = ELEMENT.exec(header);
    if (!element) throw new Problem(400, `${name} must be * or a list of entity tags such as "3"`);
    if (element[2] !== undefined) tags.push({ weak: Boolean(element[1]), tag: element[2] });
  }
  return tags;
}

// A tag is compared as text, so "03" is no version, and neither is what no bigint holds.
const isVersion = (tag) => /^[1-9]\d{0,18}$/.test(tag) && BigInt(tag) <= HIGHEST;

const versionsOf = (tags) => tags.map(({ tag }) => tag).filter(isVersion);

/** The versions that If-Match lists, by the strong comparison (sections 8.8.3.2 and 13.1.1): a weak tag matches nothing. */
function matchingVersions(header) {
  const tags = entityTags('If-Match', header);
  return tags === '*' ? '*' : versionsOf(tags.filter(({ weak }) => !weak));
}

/** The versions that a GET need not send again, or '*', by the weak comparison (section 13.1.2). */
export function knownVersions(request) {
  const tags = entityTags('If-None-Match', request.get('If-None-Match') ?? '');
  return tags === '*' ? '*' : versionsOf(tags);
}

/** Whether a GET may go on: it seldom has an If-Match, but when it has one, that must hold. */
export function mayBeRead(request, version) {
  const matching = matchingVersions(request.get('If-Match') ?? '*');
  return matching === '*' || matching.includes(version);
}

/** The expected versions of a request that writes, one of which must hold; none at all can never hold. */
export function expectedVersions(request) {
  const [match, noneMatch] = [request.get('If-Match'), request.get('If-None-Match')];
  if (match === undefined && noneMatch === undefined) {
    throw new Problem(428, 'Say which version you have changed with If-Match: "n", or If-None-Match: * to create the shop');
  }
  const matching = match === undefined ? '*' : matchingVersions(match);
  if (noneMatch !== undefined && entityTags('If-None-Match', noneMatch) !== '*') {
    throw new Problem(400, 'If-None-Match of a request that writes must be *');
  }
  if (match === undefined) return [NO_VERSION];
  // Both headers at once: there, and not there.
  if (noneMatch !== undefined) return [];
  return matching === '*' ? [SOME_VERSION] : matching;
}
