"""What the programs of Python share: TAP, a second session, and waiting for a lock."""
import os
import threading
import time
import traceback

import psycopg

_count = 0
_failed = 0


def ok(good, name):
    """One test; its name begins with that of a check (test/clients/checks)."""
    global _count, _failed
    _count += 1
    _failed += not good
    print(f"{'ok' if good else 'not ok'} {_count} - {name}", flush=True)


def same(found, wanted, name):
    ok(found == wanted, name)
    if found != wanted:
        print(f"# found:  {found!r}\n# wanted: {wanted!r}", flush=True)


def raises(error, work, name):
    """The error that work() raises, None if it raises none or another."""
    try:
        work()
    except error as raised:
        ok(True, name)
        return raised
    except Exception:  # pylint: disable=broad-except
        traceback.print_exc()
    ok(False, name)
    return None


def classes():
    """For each SQLSTATE of a conflict: the name of a test, a statement that raises it, and what docs/conflicts-and-retries.md says of it."""
    for each in os.environ["CLASSES"].split():
        sqlstate, name = each.split("=")
        yield (f"class: {sqlstate} is raised as what the documentation says",
               f"""SELECT CASE WHEN set_config('docstore.conflict_sqlstate', '{sqlstate}', true) <> ''
                   THEN docstore.upsert('cafes', 'nobody', '{{}}', 7) END""", (name, sqlstate))


def raised_as(error):
    """The class of a conflict, and what is where docs/conflicts-and-retries.md says that the SQLSTATE is."""
    return type(error).__name__, eval(os.environ["SQLSTATE"], {"error": error})  # pylint: disable=eval-used


def done():
    """The plan, and the exit status."""
    print(f"1..{_count}")
    raise SystemExit(1 if _failed else 0)


class Waiting:
    """Runs work() in a thread of its own. begin() returns when its session waits for a lock; result() says what became of it."""

    def __init__(self, work):
        self._result = None

        def run():
            try:
                self._result = work()
            except Exception as error:  # pylint: disable=broad-except
                self._result = error

        self._thread = threading.Thread(target=run)

    def begin(self):
        self._thread.start()
        deadline = time.monotonic() + 60
        with psycopg.connect(autocommit=True) as watch:
            while not watch.execute("SELECT count(*) FROM pg_catalog.pg_stat_activity"
                                    " WHERE wait_event_type = 'Lock' AND datname = current_database()").fetchone()[0]:
                if time.monotonic() > deadline or not self._thread.is_alive():
                    raise RuntimeError(f"nobody waits for a lock: {self._result}")
                time.sleep(0.01)

    def result(self):
        """What work() has returned, or the error that it has raised."""
        self._thread.join(60)
        return self._result


def failing(*codes):
    """Statements for work that is tried again: each raises one of these errors, and the last none."""
    return iter([f"DO $$ BEGIN RAISE SQLSTATE '{code}'; END $$" for code in codes] + ["SELECT 1"])


def in_threads(count, work):
    """Runs work() as often as that at once; the errors they end with."""
    errors = []

    def run():
        try:
            work()
        except Exception as error:  # pylint: disable=broad-except
            traceback.print_exc()
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return errors
