#!/usr/bin/env python3
"""Books seats in coffee shops with docstore and psycopg 3, each by what has happened to the cafe and to the guest.

The variables PGHOST, PGUSER, PGDATABASE and so on say where to, as they do for psql. The database needs the extension, and gets
a log "bookings".
"""
# begin README
import json
import random
import time
import uuid

import psycopg


def seat(cafe, guest, events):
    """Decides by the events of a cafe and of a guest: the event that is to follow, or ValueError."""
    booked = [tags for event, tags, *_ in events if event == "SeatBooked"]
    seats = sum(data["seats"] for event, _, data, _ in events if event == "CafeOpened")
    if any(guest in tags for tags in booked):
        raise ValueError(f"{guest} has a seat already")
    if sum(cafe in tags for tags in booked) >= seats:
        raise ValueError(f"{cafe} is full")
    return {"type": "SeatBooked", "tags": [cafe, guest]}


def book(connection, cafe, guest, booking=None, decide=seat, attempts=10):
    """Reads, decides and appends, and again when somebody else was faster; connection.autocommit is on.

    If the answer is lost, call it again with the same booking, a UUID.
    """
    scopes = [{"tags": [cafe]}, {"tags": [guest]}]
    booking = booking or str(uuid.uuid4())
    for attempt in range(1, attempts + 1):
        # The mark comes first. What is committed after it counts as not seen.
        mark = connection.execute("SELECT docstore.mark('bookings')").fetchone()[0]
        events = connection.execute("SELECT type, tags, data, event_id::text FROM docstore.read_scope('bookings', docstore.parse(%s))",
                                    [json.dumps(scopes)]).fetchall()
        if any(event_id == booking for *_, event_id in events):
            return booking
        event = {**decide(cafe, guest, events), "event_id": booking}
        seen = [{**scope, "seen": mark} for scope in scopes]
        try:
            connection.execute(
                "SELECT docstore.append('bookings', %s, docstore.parse(%s), scopes => docstore.parse(%s))",
                [f"booking-{booking}", json.dumps([event]), json.dumps(seen)])
            return booking
        except psycopg.Error as error:
            if error.sqlstate not in ("PT409", "40001", "40P01") or attempt == attempts:
                raise
        time.sleep(random.uniform(0, min(1, 0.01 * 2 ** attempt)))
# end README


def told(connection, cafe, guest, meanwhile=lambda: None, booking=None):
    """Books, does something else while the first decision is made, and tells how it ended."""
    decisions = 0

    def decide(*given):
        nonlocal decisions
        decisions += 1
        if decisions == 1:
            meanwhile()
        return seat(*given)

    try:
        book(connection, cafe, guest, booking, decide)
        print(guest, "has a seat at", cafe, "after decision", decisions)
    except ValueError as error:
        print(*error.args, "after decision", decisions)


def main():
    with psycopg.connect(autocommit=True) as connection, psycopg.connect(autocommit=True) as somebody_else:
        connection.execute("SELECT docstore.create_log('bookings')")
        for cafe, seats in (("cafe:demel", 4), ("cafe:sperl", 5)):
            connection.execute("SELECT docstore.append('bookings', %s, docstore.parse(%s))",
                               [cafe, json.dumps([{"type": "CafeOpened", "tags": [cafe], "data": {"seats": seats}}])])
        told(connection, "cafe:demel", "guest:ann")
        told(connection, "cafe:demel", "guest:ben", lambda: book(somebody_else, "cafe:demel", "guest:carl"))
        told(connection, "cafe:sperl", "guest:dora", lambda: book(somebody_else, "cafe:demel", "guest:emil"))
        told(connection, "cafe:demel", "guest:dora")
        told(connection, "cafe:demel", "guest:fritz")
        told(connection, "cafe:sperl", "guest:gerda", lambda: book(somebody_else, "cafe:sperl", "guest:gerda"))
        # The answer to the first of these is lost.
        booking = str(uuid.uuid4())
        told(connection, "cafe:sperl", "guest:hans", booking=booking)
        told(somebody_else, "cafe:sperl", "guest:hans", booking=booking)
        events = connection.execute("""SELECT type FROM docstore.read_scope('bookings', '{"tags": ["cafe:demel"]}')""").fetchall()
        print("cafe:demel has", events.count(("SeatBooked",)), "guests")


main()
