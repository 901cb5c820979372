// Books seats in coffee shops with docstore and pg (node-postgres), each by what has happened to the cafe and to the guest.
//
// It needs "npm install pg". The variables PGHOST, PGUSER, PGDATABASE and so on say where to, as they do for psql. The database
// needs the extension, and gets a log "bookings".
// begin README
import { randomUUID } from 'node:crypto';
import pg from 'pg';

/** Decides by the events of a cafe and of a guest: the event that is to follow, or an error. */
function seat(cafe, guest, events) {
  const booked = events.filter(({ type }) => type === 'SeatBooked');
  const opened = events.filter(({ type }) => type === 'CafeOpened');
  const seats = opened.reduce((sum, { data }) => sum + data.seats, 0);
  if (booked.some(({ tags }) => tags.includes(guest))) throw new Error(`${guest} has a seat already`);
  if (booked.filter(({ tags }) => tags.includes(cafe)).length >= seats) throw new Error(`${cafe} is full`);
  return { type: 'SeatBooked', tags: [cafe, guest] };
}

/**
 * Reads, decides and appends, and again when somebody else was faster.
 * If the answer is lost, call it again with the same booking, a UUID.
 */
async function book(client, cafe, guest, booking = randomUUID(), decide = seat, attempts = 10) {
  const scopes = [{ tags: [cafe] }, { tags: [guest] }];
  for (let attempt = 1; ; attempt++) {
    // The mark comes first. What is committed after it counts as not seen.
    const [{ mark }] = (await client.query("SELECT docstore.mark('bookings') AS mark")).rows;
    const events = (await client.query("SELECT type, tags, data, event_id FROM docstore.read_scope('bookings', docstore.parse($1))",
      [JSON.stringify(scopes)])).rows;
    if (events.some(({ event_id }) => event_id === booking)) return booking;
    const event = { ...await decide(cafe, guest, events), event_id: booking };
    const seen = scopes.map((scope) => ({ ...scope, seen: mark }));
    try {
      await client.query("SELECT docstore.append('bookings', $1, docstore.parse($2), scopes => docstore.parse($3))",
        [`booking-${booking}`, JSON.stringify([event]), JSON.stringify(seen)]);
      return booking;
    } catch (error) {
      if (!['PT409', '40001', '40P01'].includes(error.code) || attempt === attempts) throw error;
    }
    await new Promise((wake) => setTimeout(wake, Math.random() * Math.min(1000, 10 * 2 ** attempt)));
  }
}
// end README

/** Books, does something else while the first decision is made, and tells how it ended. */
async function told(client, cafe, guest, meanwhile = () => {}, booking = randomUUID()) {
  let decisions = 0;
  try {
    await book(client, cafe, guest, booking, async (...given) => {
      if (++decisions === 1) await meanwhile();
      return seat(...given);
    });
    console.log(guest, 'has a seat at', cafe, 'after decision', decisions);
  } catch (error) {
    console.log(error.message, 'after decision', decisions);
  }
}

const [client, somebodyElse] = [new pg.Client(), new pg.Client()];
await client.connect();
await somebodyElse.connect();
await client.query("SELECT docstore.create_log('bookings')");
for (const [cafe, seats] of [['cafe:demel', 4], ['cafe:sperl', 5]]) {
  await client.query("SELECT docstore.append('bookings', $1, docstore.parse($2))",
    [cafe, JSON.stringify([{ type: 'CafeOpened', tags: [cafe], data: { seats } }])]);
}
await told(client, 'cafe:demel', 'guest:ann');
await told(client, 'cafe:demel', 'guest:ben', () => book(somebodyElse, 'cafe:demel', 'guest:carl'));
await told(client, 'cafe:sperl', 'guest:dora', () => book(somebodyElse, 'cafe:demel', 'guest:emil'));
await told(client, 'cafe:demel', 'guest:dora');
await told(client, 'cafe:demel', 'guest:fritz');
await told(client, 'cafe:sperl', 'guest:gerda', () => book(somebodyElse, 'cafe:sperl', 'guest:gerda'));
// The answer to the first of these is lost.
const booking = randomUUID();
await told(client, 'cafe:sperl', 'guest:hans', () => {}, booking);
await told(somebodyElse, 'cafe:sperl', 'guest:hans', () => {}, booking);
const { rows } = await client.query(`SELECT type FROM docstore.read_scope('bookings', '{"tags": ["cafe:demel"]}')`);
console.log('cafe:demel has', rows.filter(({ type }) => type === 'SeatBooked').length, 'guests');
await client.end();
await somebodyElse.end();
