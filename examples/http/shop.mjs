// What a coffee shop is: the members that its JSON may have, and what each may hold.

const text = (least, most) => [
  (value) => typeof value === 'string' && value.trim().length >= least && value.length <= most && !value.includes('\0'),
  least ? `must be a text of ${least} to ${most} characters` : `must be a text of at most ${most} characters`,
];
const time = [(value) => /^([01]\d|2[0-3]):[0-5]\d$/.test(value), 'must be a time from "00:00" to "23:59"'];
const MEMBERS = {
  name: text(1, 80),
  street: text(0, 80),
  opens: time,
  closes: time,
  seats: [(value) => Number.isInteger(value) && value >= 0 && value <= 999, 'must be a number from 0 to 999'],
  wifi: [(value) => typeof value === 'boolean', 'must be true or false'],
  note: text(0, 1000),
  // Who wrote this version. Where people log in, the server knows, and does not have to be told.
  changedBy: text(1, 40),
};
const REQUIRED = ['name', 'changedBy'];

/** The members of a shop in their order, so that one version is always the same bytes: its ETag is a strong one. */
export const inOrder = (data) => Object.fromEntries(Object.keys(MEMBERS).filter((key) => key in data).map((key) => [key, data[key]]));

/** What is wrong with a shop, as a list of {member, detail}; in a merge patch null takes a member away. */
export function mistakes(shop, { patch = false } = {}) {
  if (typeof shop !== 'object' || shop === null || Array.isArray(shop)) return [{ member: '', detail: 'must be a JSON object' }];
  const found = [];
  for (const [member, value] of Object.entries(shop)) {
    if (!Object.hasOwn(MEMBERS, member)) found.push({ member, detail: 'is not a member of a shop' });
    else if (patch && value === null && !REQUIRED.includes(member)) continue;
    else if (!MEMBERS[member][0](value)) found.push({ member, detail: MEMBERS[member][1] });
  }
  // A change without a name would be shown under the name of whoever made the last one.
  for (const member of patch ? ['changedBy'] : REQUIRED) {
    if (!Object.hasOwn(shop, member)) found.push({ member, detail: 'is missing' });
  }
  return found;
}
